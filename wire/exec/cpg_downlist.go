package exec

import (
	"fmt"

	"cpgol/wire/totem"
)

// MaxNodes is how many nodes the reference's fixed lists hold
// (PROCESSOR_COUNT_MAX).
const MaxNodes = 384

const (
	downlistLen    = 1568
	downlistOldLen = 1560
)

// A Downlist names the nodes that its sender lost. Every 3.x node sends one in
// each synchronisation, and none reads it: each uses its own
// (struct req_exec_cpg_downlist, 1568 bytes).
//
//	header 16 | old members 4 | pad 4 | count 4 | pad 4 | node 4 x 384
type Downlist struct {
	OldMembers uint32 // how many members the last complete round had
	Count      int    // of Nodes, 0 to 384
	Nodes      [MaxNodes]totem.NodeID
	head       Header
	pad        [2]uint32
}

// Left returns the lost nodes; the slice is m's.
func (m *Downlist) Left() []totem.NodeID { return m.Nodes[:m.Count] }

// Decode reads a Downlist of exactly 1568 bytes. What stands in the list from
// its count on is left over from earlier lists, and kept.
func (m *Downlist) Decode(b []byte) (n int, err error) {
	err = m.head.readExact("downlist", b, MakeID(cpgService, CPGDownlist), downlistLen)
	if err != nil {
		return 0, err
	}
	m.OldMembers, m.pad[0] = le.Uint32(b[16:]), le.Uint32(b[20:])
	m.Count, err = decodeNodes("downlist", &m.Nodes, &m.pad[1], b[24:])
	if err != nil {
		return 0, err
	}
	return downlistLen, nil
}

// Append appends the message's 1568 bytes.
func (m *Downlist) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(cpgService, CPGDownlist), downlistLen)
	b = le.AppendUint32(b, m.OldMembers)
	b = le.AppendUint32(b, m.pad[0])
	return appendNodes(b, m.Count, m.pad[1], &m.Nodes)
}

// A DownlistOld is the form before 1.3. Nobody sends it any more; a 3.x node
// logs it (struct req_exec_cpg_downlist_old, 1560 bytes).
//
//	header 16 | count 4 | pad 4 | node 4 x 384
type DownlistOld struct {
	Count int
	Nodes [MaxNodes]totem.NodeID
	head  Header
	pad   uint32
}

// Decode reads a DownlistOld of exactly 1560 bytes.
func (m *DownlistOld) Decode(b []byte) (n int, err error) {
	err = m.head.readExact("old downlist", b, MakeID(cpgService, CPGDownlistOld), downlistOldLen)
	if err != nil {
		return 0, err
	}
	m.Count, err = decodeNodes("old downlist", &m.Nodes, &m.pad, b[16:])
	if err != nil {
		return 0, err
	}
	return downlistOldLen, nil
}

// Append appends the message's 1560 bytes.
func (m *DownlistOld) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(cpgService, CPGDownlistOld), downlistOldLen)
	return appendNodes(b, m.Count, m.pad, &m.Nodes)
}

// decodeNodes reads count, padding and the list of 384.
func decodeNodes(name string, nodes *[MaxNodes]totem.NodeID, pad *uint32, b []byte) (count int, err error) {
	c := le.Uint32(b)
	if c > MaxNodes {
		return 0, fmt.Errorf("exec: %s: %d nodes, at most %d", name, c, MaxNodes)
	}
	*pad = le.Uint32(b[4:])
	for i := range nodes {
		nodes[i] = totem.NodeID(le.Uint32(b[8+4*i:]))
	}
	return int(c), nil
}

func appendNodes(b []byte, count int, pad uint32, nodes *[MaxNodes]totem.NodeID) []byte {
	b = le.AppendUint32(b, uint32(count))
	b = le.AppendUint32(b, pad)
	for _, n := range nodes {
		b = le.AppendUint32(b, uint32(n))
	}
	return b
}
