package exec

import (
	"bytes"
	"fmt"

	"cpgol/wire/totem"
)

const (
	cfgKillNodeLen  = 288
	cfgMaxReason    = 256 // of the field; a NUL ends the text
	cfgKillReasonAt = 32
)

// A CfgKillNode ends one node's daemon at once
// (struct req_exec_cfg_killnode, 288 bytes).
//
//	header 16 | node 4 | pad 4 | reason length 2 | pad 6 | reason 256
type CfgKillNode struct {
	Node   totem.NodeID
	Reason []byte // at most 256 bytes, commonly with a NUL at the end; aliases the input

	head Header
	pad  [10]byte // 4 behind the node, 6 behind the length
	rest []byte   // behind the reason, up to its 256 bytes
}

// Decode reads a CfgKillNode of exactly 288 bytes with at most 256 bytes of
// reason. The reference copies as many as the message says.
func (m *CfgKillNode) Decode(b []byte) (n int, err error) {
	const name = "cfg kill node"
	if err := m.head.readExact(name, b, MakeID(cfgService, CfgKillNodeFn), cfgKillNodeLen); err != nil {
		return 0, err
	}
	size := int(le.Uint16(b[24:]))
	if size > cfgMaxReason {
		return 0, fmt.Errorf("exec: %s: reason of %d bytes, at most %d", name, size, cfgMaxReason)
	}
	m.Node = totem.NodeID(le.Uint32(b[16:]))
	copy(m.pad[:4], b[20:])
	copy(m.pad[4:], b[26:])
	reason := b[cfgKillReasonAt:cfgKillNodeLen:cfgKillNodeLen]
	m.Reason, m.rest = reason[:size:size], reason[size:]
	return cfgKillNodeLen, nil
}

// Append appends the message's 288 bytes. A reason longer than 255 bytes is
// cut, and a NUL follows it unless the message was decoded: receivers of the
// reference print up to the NUL, wherever it is.
func (m *CfgKillNode) Append(b []byte) []byte {
	reason := m.Reason
	if most := cfgMaxReason - 1; m.rest == nil && len(reason) > most {
		reason = reason[:most]
	}
	b = m.head.appendAs(b, MakeID(cfgService, CfgKillNodeFn), cfgKillNodeLen)
	b = le.AppendUint32(b, uint32(m.Node))
	b = append(b, m.pad[:4]...)
	b = le.AppendUint16(b, uint16(len(reason)))
	b = append(b, m.pad[4:]...)
	b = append(b, reason...)
	if fill := cfgMaxReason - len(reason); fill != len(m.rest) {
		return append(b, make([]byte, fill)...)
	}
	return append(b, m.rest...)
}

// Text returns the reason up to its first NUL.
func (m *CfgKillNode) Text() string {
	text, _, _ := bytes.Cut(m.Reason, []byte{0})
	return string(text)
}
