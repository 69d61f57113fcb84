package abi

import (
	"fmt"

	"cpgol/wire/exec"
)

// A CPGJoin asks to join a group (struct req_lib_cpg_join, 168 bytes). The
// response has no body and comes before the change that it leads to.
//
//	header 16 | group name 136 | pid 4 | pad 4 | flags 4 | pad 4
type CPGJoin struct {
	Group exec.GroupName
	PID   uint32 // whatever the client says it is
	Flags uint32 // CPGInitialRing
}

// Decode reads the request. A name too long gives an ErrNameTooLong, with PID
// and Flags set.
func (m *CPGJoin) Decode(b []byte) (n int, err error) {
	b, err = request("cpg join", b, CPGJoinID, CPGJoinLen)
	if err != nil {
		return 0, err
	}
	m.PID, m.Flags = le.Uint32(b[152:]), le.Uint32(b[160:])
	m.Group, err = groupName("cpg join", b[16:])
	return len(b), err
}

// Append appends the request.
func (m *CPGJoin) Append(b []byte) []byte {
	b = AppendRequest(b, CPGJoinID, CPGJoinLen)
	b = m.Group.Append(b)
	b = le.AppendUint64(b, uint64(m.PID))
	return le.AppendUint64(b, uint64(m.Flags))
}

// A CPGLeave asks to leave a group (struct req_lib_cpg_leave, 160 bytes). The
// response has no body and comes before the change.
//
//	header 16 | group name 136 | pid 4 | pad 4
type CPGLeave struct {
	Group exec.GroupName
	PID   uint32
}

// Decode reads the request.
func (m *CPGLeave) Decode(b []byte) (n int, err error) {
	b, err = request("cpg leave", b, CPGLeaveID, CPGLeaveLen)
	if err != nil {
		return 0, err
	}
	m.PID = le.Uint32(b[152:])
	m.Group, err = groupName("cpg leave", b[16:])
	return len(b), err
}

// Append appends the request.
func (m *CPGLeave) Append(b []byte) []byte {
	b = AppendRequest(b, CPGLeaveID, CPGLeaveLen)
	b = m.Group.Append(b)
	return le.AppendUint64(b, uint64(m.PID))
}

// A CPGMcast sends a message to the group joined (struct req_lib_cpg_mcast,
// 40 bytes and the message). It begins with a response's header, and has no
// response itself.
//
//	header 24 | guarantee 4 | pad 4 | msglen 4 | pad 4 | message
type CPGMcast struct {
	Guarantee uint32 // the daemon does not look at it
	Message   []byte // aliases the input
}

// Decode reads the request, whose message must be in it whole. It does not
// allocate.
func (m *CPGMcast) Decode(b []byte) (n int, err error) {
	b, err = request("cpg mcast", b, CPGMcastID, CPGMcastLen)
	if err != nil {
		return 0, err
	}
	size := int(le.Uint32(b[32:]))
	if size > len(b)-CPGMcastLen {
		return 0, fmt.Errorf("abi: cpg mcast: message of %d bytes in a request of %d", size, len(b))
	}
	m.Guarantee = le.Uint32(b[24:])
	m.Message = b[CPGMcastLen : CPGMcastLen+size : CPGMcastLen+size]
	return len(b), nil
}

// Append appends the request.
func (m *CPGMcast) Append(b []byte) []byte {
	b = AppendResponse(b, CPGMcastID, CPGMcastLen+len(m.Message), 0)
	b = le.AppendUint64(b, uint64(m.Guarantee))
	b = le.AppendUint64(b, uint64(len(m.Message)))
	return append(b, m.Message...)
}

// A CPGPartial sends a fragment of a long message to the group joined
// (struct req_lib_cpg_partial_mcast, 56 bytes and the fragment). It begins
// with a response's header. The response has no body.
//
//	header 24 | guarantee 4 | pad 4 | msglen 4 | pad 4 | fraglen 4 | pad 4 |
//	part 4 | pad 4 | fragment
type CPGPartial struct {
	Guarantee uint32
	Total     uint32 // length of the whole message
	Part      exec.Part
	Fragment  []byte // aliases the input
}

// Decode reads the request, whose fragment must be in it whole and fit in the
// whole message. It does not allocate.
func (m *CPGPartial) Decode(b []byte) (n int, err error) {
	b, err = request("cpg partial mcast", b, CPGPartialID, CPGPartialLen)
	if err != nil {
		return 0, err
	}
	size := int(le.Uint32(b[40:]))
	if size > len(b)-CPGPartialLen {
		return 0, fmt.Errorf("abi: cpg partial mcast: fragment of %d bytes in a request of %d", size, len(b))
	}
	m.Guarantee, m.Total = le.Uint32(b[24:]), le.Uint32(b[32:])
	if size > int(m.Total) {
		return 0, fmt.Errorf("abi: cpg partial mcast: fragment of %d bytes in a message of %d", size, m.Total)
	}
	m.Part = exec.Part(le.Uint32(b[48:]))
	m.Fragment = b[CPGPartialLen : CPGPartialLen+size : CPGPartialLen+size]
	return len(b), nil
}

// Append appends the request.
func (m *CPGPartial) Append(b []byte) []byte {
	b = AppendResponse(b, CPGPartialID, CPGPartialLen+len(m.Fragment), 0)
	b = le.AppendUint64(b, uint64(m.Guarantee))
	b = le.AppendUint64(b, uint64(m.Total))
	b = le.AppendUint64(b, uint64(len(m.Fragment)))
	b = le.AppendUint64(b, uint64(m.Part))
	return append(b, m.Fragment...)
}

// A CPGMembership asks for a group's members
// (struct req_lib_cpg_membership_get, 152 bytes); the answer is a CPGMembers.
//
//	header 16 | group name 136
type CPGMembership struct {
	Group exec.GroupName
}

// Decode reads the request.
func (m *CPGMembership) Decode(b []byte) (n int, err error) {
	b, err = request("cpg membership", b, CPGMembershipID, CPGMembershipLen)
	if err != nil {
		return 0, err
	}
	m.Group, err = groupName("cpg membership", b[16:])
	return len(b), err
}

// Append appends the request.
func (m *CPGMembership) Append(b []byte) []byte {
	b = AppendRequest(b, CPGMembershipID, CPGMembershipLen)
	return m.Group.Append(b)
}
