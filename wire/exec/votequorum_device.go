package exec

import (
	"fmt"

	"cpgol/wire/totem"
)

const (
	voteDeviceLen       = 280
	voteDeviceRenameLen = 528
	voteExtraInfoLen    = 24 // without data
)

// VoteMaxExtraInfo is the most data of a VoteExtraInfo
// (VOTEQUORUM_QDEVICE_EXTRA_NODEINFO_MAXSIZE).
const VoteMaxExtraInfo = 4096

// What a VoteDevice does.
const (
	VoteDeviceUnregister = 0
	VoteDeviceRegister   = 1
)

// A VoteDevice registers or unregisters a quorum device on the sender's node
// (struct req_exec_quorum_qdevice_reg, 280 bytes).
//
//	header 16 | operation 4 | name 255 | pad 5
type VoteDevice struct {
	Operation uint32
	Name      string // at most 254 bytes

	head  Header
	field deviceName
	pad   [5]byte
}

// Decode reads a VoteDevice of exactly 280 bytes whose name ends in a NUL.
func (m *VoteDevice) Decode(b []byte) (n int, err error) {
	const name = "votequorum device"
	id := MakeID(votequorumService, VoteDeviceFn)
	if err := m.head.readExact(name, b, id, voteDeviceLen); err != nil {
		return 0, err
	}
	m.Operation = le.Uint32(b[16:])
	if m.Name, err = m.field.decode(name, b[20:20+DeviceNameLen]); err != nil {
		return 0, err
	}
	copy(m.pad[:], b[275:])
	return voteDeviceLen, nil
}

// Append appends the message's 280 bytes.
func (m *VoteDevice) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(votequorumService, VoteDeviceFn), voteDeviceLen)
	b = le.AppendUint32(b, m.Operation)
	b = m.field.append(b, m.Name)
	return append(b, m.pad[:]...)
}

// A VoteDeviceRename gives the quorum device another name on all nodes
// (struct req_exec_quorum_qdevice_reconfigure, 528 bytes).
//
//	header 16 | old name 255 | new name 255 | pad 2
type VoteDeviceRename struct {
	Old, New string // at most 254 bytes each

	head   Header
	fields [2]deviceName
	pad    [2]byte
}

// Decode reads a VoteDeviceRename of exactly 528 bytes whose names end in NULs.
func (m *VoteDeviceRename) Decode(b []byte) (n int, err error) {
	const name = "votequorum device rename"
	id := MakeID(votequorumService, VoteDeviceRenameFn)
	if err := m.head.readExact(name, b, id, voteDeviceRenameLen); err != nil {
		return 0, err
	}
	if m.Old, err = m.fields[0].decode(name, b[16:16+DeviceNameLen]); err != nil {
		return 0, err
	}
	if m.New, err = m.fields[1].decode(name, b[271:271+DeviceNameLen]); err != nil {
		return 0, err
	}
	copy(m.pad[:], b[526:])
	return voteDeviceRenameLen, nil
}

// Append appends the message's 528 bytes.
func (m *VoteDeviceRename) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(votequorumService, VoteDeviceRenameFn), voteDeviceRenameLen)
	b = m.fields[0].append(b, m.Old)
	b = m.fields[1].append(b, m.New)
	return append(b, m.pad[:]...)
}

// A VoteExtraInfo carries what a quorum device attached to the sender; none if
// it took it back. Only nodes after 3.1.10 send it, and only they know it
// (struct req_exec_quorum_qdevice_set_extra_info, 24 bytes and the data).
//
//	header 16 | node 4 | size 4 | data
type VoteExtraInfo struct {
	Node totem.NodeID // receivers take the sender instead
	Data []byte       // at most 4096 bytes, aliases the input

	head Header
}

// Decode reads a VoteExtraInfo whose header and size tell the same length.
func (m *VoteExtraInfo) Decode(b []byte) (n int, err error) {
	const name = "votequorum extra info"
	id := MakeID(votequorumService, VoteExtraInfoFn)
	if err := m.head.read(name, b, id, voteExtraInfoLen); err != nil {
		return 0, err
	}
	size := int(le.Uint32(b[20:]))
	if size > VoteMaxExtraInfo {
		return 0, fmt.Errorf("exec: %s: %d bytes of data, at most %d", name, size, VoteMaxExtraInfo)
	}
	n = voteExtraInfoLen + size
	if err := m.head.mustBe(name, n); err != nil {
		return 0, err
	}
	m.Node, m.Data = totem.NodeID(le.Uint32(b[16:])), b[voteExtraInfoLen:n:n]
	return n, nil
}

// Append appends the message.
func (m *VoteExtraInfo) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(votequorumService, VoteExtraInfoFn), voteExtraInfoLen+len(m.Data))
	b = le.AppendUint32(b, uint32(m.Node))
	b = le.AppendUint32(b, uint32(len(m.Data)))
	return append(b, m.Data...)
}
