package abi

import (
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// CPGDeliverLen is the size of a CPGDeliver without its message.
const CPGDeliverLen = 184

// A CPGDeliver hands a message of the group to a client
// (struct res_lib_cpg_deliver_callback, 184 bytes and the message).
//
//	header 24 | group name 136 | msglen 4 | pad 4 | node 4 | pad 4 | pid 4 | pad 4 | message
type CPGDeliver struct {
	Group   exec.GroupName
	Node    totem.NodeID
	PID     uint32
	Message []byte // aliases the input
}

// Decode reads the event.
func (m *CPGDeliver) Decode(b []byte) (n int, err error) {
	b, _, err = response("cpg deliver", b, CPGDeliverEvent, CPGDeliverLen)
	if err != nil {
		return 0, err
	}
	if m.Group, err = groupName("cpg deliver", b[24:]); err != nil {
		return 0, err
	}
	if size := le.Uint32(b[160:]); int(size) != len(b)-CPGDeliverLen {
		return 0, fmt.Errorf("abi: cpg deliver: message of %d bytes in an event of %d", size, len(b))
	}
	m.Node, m.PID = totem.NodeID(le.Uint32(b[168:])), le.Uint32(b[176:])
	m.Message = b[CPGDeliverLen:]
	return len(b), nil
}

// Append appends the event.
func (m *CPGDeliver) Append(b []byte) []byte {
	return append(m.AppendHead(b, len(m.Message)), m.Message...)
}

// AppendHead appends the event up to its message, which will be size bytes. It
// allocates nothing if b has room.
func (m *CPGDeliver) AppendHead(b []byte, size int) []byte {
	b = AppendResponse(b, CPGDeliverEvent, CPGDeliverLen+size, OK)
	b = m.Group.Append(b)
	b = le.AppendUint64(b, uint64(size))
	b = le.AppendUint64(b, uint64(m.Node))
	return le.AppendUint64(b, uint64(m.PID))
}

// CPGPartialDeliverLen is the size of a CPGPartialDeliver without its fragment.
const CPGPartialDeliverLen = 200

// A CPGPartialDeliver hands a fragment of a long message to a client, whose
// library puts it together without checks: the fragments must add up to Total
// (struct res_lib_cpg_partial_deliver_callback, 200 bytes and the fragment).
//
//	header 24 | group name 136 | msglen 4 | pad 4 | fraglen 4 | pad 4 |
//	node 4 | pad 4 | pid 4 | pad 4 | part 4 | pad 4 | fragment
type CPGPartialDeliver struct {
	Group    exec.GroupName
	Total    uint32
	Node     totem.NodeID
	PID      uint32
	Part     exec.Part
	Fragment []byte // aliases the input
}

// Decode reads the event.
func (m *CPGPartialDeliver) Decode(b []byte) (n int, err error) {
	b, _, err = response("cpg partial deliver", b, CPGPartialEvent, CPGPartialDeliverLen)
	if err != nil {
		return 0, err
	}
	if m.Group, err = groupName("cpg partial deliver", b[24:]); err != nil {
		return 0, err
	}
	if size := le.Uint32(b[168:]); int(size) != len(b)-CPGPartialDeliverLen {
		return 0, fmt.Errorf("abi: cpg partial deliver: fragment of %d bytes in an event of %d", size, len(b))
	}
	m.Total = le.Uint32(b[160:])
	m.Node, m.PID = totem.NodeID(le.Uint32(b[176:])), le.Uint32(b[184:])
	m.Part = exec.Part(le.Uint32(b[192:]))
	m.Fragment = b[CPGPartialDeliverLen:]
	return len(b), nil
}

// Append appends the event.
func (m *CPGPartialDeliver) Append(b []byte) []byte {
	return append(m.AppendHead(b, len(m.Fragment)), m.Fragment...)
}

// AppendHead appends the event up to its fragment, which will be size bytes.
func (m *CPGPartialDeliver) AppendHead(b []byte, size int) []byte {
	b = AppendResponse(b, CPGPartialEvent, CPGPartialDeliverLen+size, OK)
	b = m.Group.Append(b)
	b = le.AppendUint64(b, uint64(m.Total))
	b = le.AppendUint64(b, uint64(size))
	b = le.AppendUint64(b, uint64(m.Node))
	b = le.AppendUint64(b, uint64(m.PID))
	return le.AppendUint64(b, uint64(m.Part))
}

const changeLen = 184

// A CPGChange tells a client how its group changed
// (struct res_lib_cpg_confchg_callback, 184 bytes and the lists). The counts
// come in the order members, joined, left; the lists in the order members,
// left, joined.
//
//	header 24 | group name 136 | members 4 | pad 4 | joined 4 | pad 4 |
//	left 4 | pad 4 | address 24 x (members + left + joined)
type CPGChange struct {
	Group   exec.GroupName
	Members []Address // after the change; reason ReasonUndefined
	Left    []Address
	Joined  []Address
}

// Decode reads the event; the lists are new.
func (m *CPGChange) Decode(b []byte) (n int, err error) {
	b, _, err = response("cpg change", b, CPGChangeEvent, changeLen)
	if err != nil {
		return 0, err
	}
	if m.Group, err = groupName("cpg change", b[24:]); err != nil {
		return 0, err
	}
	members, joined, left := int(le.Uint32(b[160:])), int(le.Uint32(b[168:])), int(le.Uint32(b[176:]))
	if members+joined+left != (len(b)-changeLen)/addressLen || (len(b)-changeLen)%addressLen != 0 {
		return 0, fmt.Errorf("abi: cpg change: %d + %d + %d entries in %d bytes", members, left, joined, len(b))
	}
	n, b = len(b), b[changeLen:]
	m.Members, b = cutAddresses(b, members)
	m.Left, b = cutAddresses(b, left)
	m.Joined, _ = cutAddresses(b, joined)
	return n, nil
}

// Append appends the event. No list may be longer than MaxCPGMembers.
func (m *CPGChange) Append(b []byte) []byte {
	if max(len(m.Members), len(m.Left), len(m.Joined)) > MaxCPGMembers {
		panic("abi: cpg change: list too long for clients")
	}
	size := changeLen + addressLen*(len(m.Members)+len(m.Left)+len(m.Joined))
	b = AppendResponse(b, CPGChangeEvent, size, OK)
	b = m.Group.Append(b)
	b = le.AppendUint64(b, uint64(len(m.Members)))
	b = le.AppendUint64(b, uint64(len(m.Joined)))
	b = le.AppendUint64(b, uint64(len(m.Left)))
	b = appendAddresses(b, m.Members)
	b = appendAddresses(b, m.Left)
	return appendAddresses(b, m.Joined)
}

const ringLen = 48

// A CPGRing tells a client of the ring's configuration
// (struct res_lib_cpg_totem_confchg_callback). C counts its list from before
// the structure's end, so the event ends with 4 bytes that mean nothing.
//
//	header 24 | rep 4 | pad 4 | seq 8 | count 4 | node 4 x count | pad 4
type CPGRing struct {
	Ring    totem.RingID
	Members []totem.NodeID // Append takes MaxCPGMembers, as many as clients have room for
}

// Decode reads the event; the list is new.
func (m *CPGRing) Decode(b []byte) (n int, err error) {
	b, _, err = response("cpg ring", b, CPGRingEvent, ringLen)
	if err != nil {
		return 0, err
	}
	count := int(le.Uint32(b[40:]))
	if len(b) != ringLen+4*count {
		return 0, fmt.Errorf("abi: cpg ring: %d members in %d bytes", count, len(b))
	}
	m.Ring = cutRing(b[24:])
	m.Members = cutNodes(b[44:], count)
	return len(b), nil
}

// Append appends the event.
func (m *CPGRing) Append(b []byte) []byte {
	list := m.Members[:min(len(m.Members), MaxCPGMembers)]
	b = AppendResponse(b, CPGRingEvent, ringLen+4*len(list), OK)
	b = appendRing(b, m.Ring)
	b = le.AppendUint32(b, uint32(len(list)))
	b = appendNodes(b, list)
	return le.AppendUint32(b, 0)
}
