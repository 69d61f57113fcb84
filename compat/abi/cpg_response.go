package abi

import (
	"fmt"

	"cpgol/wire/totem"
)

// A CPGMembers is the answer to a CPGMembership, always 9248 bytes
// (struct res_lib_cpg_membership_get). Reasons are not told.
//
//	header 24 | count 4 | pad 4 | address 24 x 384
type CPGMembers struct {
	Status  Status
	Members []Address // Append takes MaxCPGMembers, as many as callers have room for
}

// CPGMembersLen is the size of a CPGMembers.
const CPGMembersLen = 9248

// Decode reads the response.
func (m *CPGMembers) Decode(b []byte) (n int, err error) {
	b, m.Status, err = response("cpg members", b, CPGMembershipRes, CPGMembersLen)
	if err != nil {
		return 0, err
	}
	count := le.Uint32(b[24:])
	if count > (CPGMembersLen-32)/addressLen {
		return 0, fmt.Errorf("abi: cpg members: %d in a list of %d", count, (CPGMembersLen-32)/addressLen)
	}
	m.Members, _ = cutAddresses(b[32:], int(count))
	return len(b), nil
}

// Append appends the response with the first members that fit.
func (m *CPGMembers) Append(b []byte) []byte {
	list := m.Members[:min(len(m.Members), MaxCPGMembers)]
	b = AppendResponse(b, CPGMembershipRes, CPGMembersLen, m.Status)
	b = le.AppendUint64(b, uint64(len(list)))
	for _, a := range list {
		b = Address{Node: a.Node, PID: a.PID}.append(b)
	}
	return append(b, make([]byte, CPGMembersLen-32-addressLen*len(list))...)
}

// CPGLocalResLen is the size of the answer to CPGLocalID.
const CPGLocalResLen = 32

// AppendCPGLocalRes appends the answer to CPGLocalID
// (struct res_lib_cpg_local_get): header 24 | node 4 | pad 4.
func AppendCPGLocalRes(b []byte, self totem.NodeID) []byte {
	return le.AppendUint64(AppendResponse(b, CPGLocalRes, CPGLocalResLen, OK), uint64(self))
}

// CutCPGLocalRes reads the answer to CPGLocalID.
func CutCPGLocalRes(b []byte) (self totem.NodeID, st Status, err error) {
	b, st, err = response("cpg local response", b, CPGLocalRes, CPGLocalResLen)
	if err != nil {
		return 0, st, err
	}
	return totem.NodeID(le.Uint32(b[24:])), st, nil
}
