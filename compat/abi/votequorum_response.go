package abi

import (
	"fmt"

	"cpgol/wire/totem"
)

// Sizes of answers and events; nodes follow the last two.
const (
	voteGetInfoLen       = 320
	voteExpectedEventLen = 40
	voteQuorumEventLen   = 48
	voteNodeListEventLen = 56
)

// A VoteInfo answers a get info (struct res_lib_votequorum_getinfo, 320 bytes,
// no holes). In a failure all but the status is zero: the client library copies
// the name all the same.
type VoteInfo struct {
	Status          Status
	Node            totem.NodeID
	State           uint32 // 1 member, 2 dead, 3 leaving
	Votes           uint32
	Expected        uint32
	HighestExpected uint32 // of all members
	Total           uint32 // votes of all members, and the device's if it votes
	Quorum          uint32
	Flags           uint32
	DeviceVotes     uint32
	DeviceName      string // at most 254 bytes
}

// words lists the numbers in their order, from 24 on.
func (m *VoteInfo) words() [9]*uint32 {
	return [...]*uint32{(*uint32)(&m.Node), &m.State, &m.Votes, &m.Expected,
		&m.HighestExpected, &m.Total, &m.Quorum, &m.Flags, &m.DeviceVotes}
}

// Decode reads the answer.
func (m *VoteInfo) Decode(b []byte) (n int, err error) {
	if b, m.Status, err = response("votequorum info", b, VoteGetInfoRes, voteGetInfoLen); err != nil {
		return 0, err
	}
	for i, w := range m.words() {
		*w = le.Uint32(b[24+4*i:])
	}
	m.DeviceName = text(b[60 : 60+deviceName])
	return len(b), nil
}

// Append appends the answer.
func (m *VoteInfo) Append(b []byte) []byte {
	b, p := zeroed(b, voteGetInfoLen)
	AppendResponse(p[:0], VoteGetInfoRes, voteGetInfoLen, m.Status)
	for i, w := range m.words() {
		le.PutUint32(p[24+4*i:], *w)
	}
	putText(p[60:60+deviceName], m.DeviceName)
	return b
}

// A VoteNode is a node and its state (struct votequorum_node).
type VoteNode struct {
	Node  totem.NodeID // 0 the quorum device
	State uint32
}

// A VoteQuorum tells whether this node is quorate and of all nodes ever seen
// (struct res_lib_votequorum_quorum_notification, 48 bytes and 8 for each).
type VoteQuorum struct {
	Quorate bool
	Context uint64
	Nodes   []VoteNode
}

// Decode reads the event.
func (m *VoteQuorum) Decode(b []byte) (n int, err error) {
	const name = "votequorum quorum event"
	if b, _, err = response(name, b, VoteQuorumEventID, voteQuorumEventLen); err != nil {
		return 0, err
	}
	m.Quorate, m.Context = le.Uint32(b[24:]) != 0, le.Uint64(b[32:])
	count := le.Uint32(b[40:])
	if uint64(count)*8 != uint64(len(b)-voteQuorumEventLen) {
		return 0, fmt.Errorf("abi: %s: %d nodes in %d bytes", name, count, len(b))
	}
	m.Nodes = m.Nodes[:0]
	for p := b[voteQuorumEventLen:]; len(p) > 0; p = p[8:] {
		m.Nodes = append(m.Nodes, VoteNode{totem.NodeID(le.Uint32(p)), le.Uint32(p[4:])})
	}
	return len(b), nil
}

// Append appends the event.
func (m *VoteQuorum) Append(b []byte) []byte {
	b = AppendResponse(b, VoteQuorumEventID, voteQuorumEventLen+8*len(m.Nodes), OK)
	b = le.AppendUint64(b, uint64(bit(m.Quorate)))
	b = le.AppendUint64(b, m.Context)
	b = le.AppendUint64(b, uint64(len(m.Nodes)))
	for _, n := range m.Nodes {
		b = le.AppendUint32(b, uint32(n.Node))
		b = le.AppendUint32(b, n.State)
	}
	return b
}

// A VoteExpected tells other expected votes
// (struct res_lib_votequorum_expectedvotes_notification, 40 bytes).
type VoteExpected struct {
	Context  uint64
	Expected uint32
}

// Decode reads the event.
func (m *VoteExpected) Decode(b []byte) (n int, err error) {
	if b, _, err = response("votequorum expected event", b, VoteExpectedEventID, voteExpectedEventLen); err != nil {
		return 0, err
	}
	m.Context, m.Expected = le.Uint64(b[24:]), le.Uint32(b[32:])
	return len(b), nil
}

// Append appends the event.
func (m *VoteExpected) Append(b []byte) []byte {
	b = AppendResponse(b, VoteExpectedEventID, voteExpectedEventLen, OK)
	b = le.AppendUint64(b, m.Context)
	return le.AppendUint64(b, uint64(m.Expected))
}

// A VoteNodeList tells the members of a new ring
// (struct res_lib_votequorum_nodelist_notification, 56 bytes and 4 for each).
type VoteNodeList struct {
	Context uint64
	Ring    totem.RingID
	Members []totem.NodeID
}

// Decode reads the event.
func (m *VoteNodeList) Decode(b []byte) (n int, err error) {
	const name = "votequorum node list event"
	if b, _, err = response(name, b, VoteNodeListEventID, voteNodeListEventLen); err != nil {
		return 0, err
	}
	m.Context = le.Uint64(b[24:])
	m.Ring = totem.RingID{Rep: totem.NodeID(le.Uint32(b[32:])), Seq: le.Uint64(b[40:])}
	count := le.Uint32(b[48:])
	if uint64(count)*4 != uint64(len(b)-voteNodeListEventLen) {
		return 0, fmt.Errorf("abi: %s: %d nodes in %d bytes", name, count, len(b))
	}
	m.Members = m.Members[:0]
	for p := b[voteNodeListEventLen:]; len(p) > 0; p = p[4:] {
		m.Members = append(m.Members, totem.NodeID(le.Uint32(p)))
	}
	return len(b), nil
}

// Append appends the event.
func (m *VoteNodeList) Append(b []byte) []byte {
	b = AppendResponse(b, VoteNodeListEventID, voteNodeListEventLen+4*len(m.Members), OK)
	b = le.AppendUint64(b, m.Context)
	b = le.AppendUint64(b, uint64(m.Ring.Rep))
	b = le.AppendUint64(b, m.Ring.Seq)
	b = le.AppendUint64(b, uint64(len(m.Members)))
	for _, n := range m.Members {
		b = le.AppendUint32(b, uint32(n))
	}
	return b
}
