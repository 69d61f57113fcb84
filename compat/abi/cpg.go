package abi

import (
	"errors"
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Request numbers of libcpg (enum req_cpg_types).
const (
	CPGJoinID         int32 = 0
	CPGLeaveID        int32 = 1
	CPGMcastID        int32 = 2 // without response
	CPGMembershipID   int32 = 3
	CPGLocalID        int32 = 4
	CPGIterInitID     int32 = 5
	CPGIterNextID     int32 = 6
	CPGIterFinalizeID int32 = 7
	CPGFinalizeID     int32 = 8
	CPGZeroAllocID    int32 = 9
	CPGZeroFreeID     int32 = 10
	CPGZeroExecuteID  int32 = 11
	CPGPartialID      int32 = 12
)

// Response and event numbers of libcpg (enum res_cpg_types).
const (
	CPGJoinRes         int32 = 0
	CPGLeaveRes        int32 = 1
	CPGMembershipRes   int32 = 3
	CPGChangeEvent     int32 = 4
	CPGDeliverEvent    int32 = 5
	CPGLocalRes        int32 = 7
	CPGIterInitRes     int32 = 9
	CPGIterNextRes     int32 = 10
	CPGIterFinalizeRes int32 = 11
	CPGFinalizeRes     int32 = 12
	CPGRingEvent       int32 = 13
	CPGZeroRes         int32 = 0 // alloc and free
	CPGZeroExecuteRes  int32 = 2
	CPGZeroGoneRes     int32 = 14 // of all three, since 3.1.10
	CPGPartialEvent    int32 = 17
	CPGPartialRes      int32 = 18
)

// Sizes of the requests' fixed parts; for the others it is RequestLen.
const (
	CPGJoinLen        = 168
	CPGLeaveLen       = 160
	CPGMcastLen       = 40
	CPGPartialLen     = 56
	CPGMembershipLen  = 152
	CPGIterInitLen    = 160
	CPGIterHandleLen  = 24 // next and finalize
	CPGZeroAllocLen   = 152
	CPGZeroFreeLen    = 32
	CPGZeroExecuteLen = 24
)

// MaxCPGMembers is how many entries a client has room for in each list of a
// change, unchecked (CPG_MEMBERS_MAX). No event may have more.
const MaxCPGMembers = 128

// MaxCPGMessage is the longest message or fragment of one request
// (lib/cpg.c: cpg_max_atomic_msgsize_get).
const MaxCPGMessage = 1<<20 - 1024

// CPGInitialRing is the join flag that asks for the ring's configuration as
// first event (CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF).
const CPGInitialRing uint32 = 1

// ErrNameTooLong is in the error for a group name of over 128 bytes.
var ErrNameTooLong = errors.New("group name over 128 bytes")

// An Address is a process in a list of a group's members
// (mar_cpg_address_t, 24 bytes).
//
//	node 4 | pad 4 | pid 4 | pad 4 | reason 4 | pad 4
type Address struct {
	Node   totem.NodeID
	PID    uint32
	Reason exec.Reason
}

const addressLen = 24

func (a Address) append(b []byte) []byte {
	b = le.AppendUint64(b, uint64(a.Node))
	b = le.AppendUint64(b, uint64(a.PID))
	return le.AppendUint64(b, uint64(a.Reason))
}

func appendAddresses(b []byte, list []Address) []byte {
	for _, a := range list {
		b = a.append(b)
	}
	return b
}

// cutAddresses reads n addresses at the start of b, which must have them.
func cutAddresses(b []byte, n int) (list []Address, rest []byte) {
	for range n {
		list = append(list, Address{
			Node:   totem.NodeID(le.Uint32(b)),
			PID:    le.Uint32(b[8:]),
			Reason: exec.Reason(le.Uint32(b[16:])),
		})
		b = b[addressLen:]
	}
	return list, b
}

// groupName reads the 136 bytes of a mar_cpg_name_t.
func groupName(name string, b []byte) (g exec.GroupName, err error) {
	if size := le.Uint32(b); size > exec.MaxGroupName {
		return g, fmt.Errorf("abi: %s: %d bytes: %w", name, size, ErrNameTooLong)
	}
	_, err = g.Decode(b)
	return g, err
}
