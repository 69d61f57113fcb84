package exec

import "cpgol/wire/totem"

const (
	voteNodeInfoLen    = 32
	voteReconfigureLen = 32
)

// A VoteFlags is what a node says of itself (NODE_FLAGS_*).
type VoteFlags uint32

// The flags. VoteExtraInfoSet is known after 3.1.10 only.
const (
	VoteQuorate          VoteFlags = 1
	VoteLeaving          VoteFlags = 2
	VoteWaitForAll       VoteFlags = 4 // blocked by wait_for_all
	VoteFirst            VoteFlags = 8 // has not been in a ring of several yet
	VoteDeviceRegistered VoteFlags = 16
	VoteDeviceAlive      VoteFlags = 32
	VoteDeviceCastVote   VoteFlags = 64
	VoteDeviceMasterWins VoteFlags = 128
	VoteExtraInfoSet     VoteFlags = 256
)

// A VoteNodeInfo tells the votes of the sender or, as node 0, of the quorum
// device as the sender knows it (struct req_exec_quorum_nodeinfo, 32 bytes).
//
//	header 16 | node 4 | votes 4 | expected votes 4 | flags 4
//
// A receiver of the reference that has not yet had the sender's own message
// ends itself at one for node 0.
type VoteNodeInfo struct {
	Node     totem.NodeID
	Votes    uint32
	Expected uint32
	Flags    VoteFlags

	head Header
}

// Decode reads a VoteNodeInfo of exactly 32 bytes.
func (m *VoteNodeInfo) Decode(b []byte) (n int, err error) {
	id := MakeID(votequorumService, VoteNodeInfoFn)
	if err := m.head.readExact("votequorum node info", b, id, voteNodeInfoLen); err != nil {
		return 0, err
	}
	m.Node, m.Votes = totem.NodeID(le.Uint32(b[16:])), le.Uint32(b[20:])
	m.Expected, m.Flags = le.Uint32(b[24:]), VoteFlags(le.Uint32(b[28:]))
	return voteNodeInfoLen, nil
}

// Append appends the message's 32 bytes.
func (m *VoteNodeInfo) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(votequorumService, VoteNodeInfoFn), voteNodeInfoLen)
	b = le.AppendUint32(b, uint32(m.Node))
	b = le.AppendUint32(b, m.Votes)
	b = le.AppendUint32(b, m.Expected)
	return le.AppendUint32(b, uint32(m.Flags))
}

// What a VoteReconfigure changes (VOTEQUORUM_RECONFIG_PARAM_*).
const (
	VoteParamExpected         = 1
	VoteParamVotes            = 2
	VoteParamCancelWaitForAll = 3
)

// A VoteReconfigure changes one number on all nodes
// (struct req_exec_quorum_reconfigure, 32 bytes).
//
//	header 16 | node 4 | value 4 | param 1 | pad 7
type VoteReconfigure struct {
	Node  totem.NodeID // whose votes; the sender otherwise
	Value uint32
	Param uint8 // receivers ignore other numbers than those above

	head Header
	pad  [7]byte // C zeroes three
}

// Decode reads a VoteReconfigure of exactly 32 bytes.
func (m *VoteReconfigure) Decode(b []byte) (n int, err error) {
	id := MakeID(votequorumService, VoteReconfigureFn)
	if err := m.head.readExact("votequorum reconfigure", b, id, voteReconfigureLen); err != nil {
		return 0, err
	}
	m.Node, m.Value = totem.NodeID(le.Uint32(b[16:])), le.Uint32(b[20:])
	m.Param = b[24]
	copy(m.pad[:], b[25:])
	return voteReconfigureLen, nil
}

// Append appends the message's 32 bytes.
func (m *VoteReconfigure) Append(b []byte) []byte {
	b = m.head.appendAs(b, MakeID(votequorumService, VoteReconfigureFn), voteReconfigureLen)
	b = le.AppendUint32(b, uint32(m.Node))
	b = le.AppendUint32(b, m.Value)
	b = append(b, m.Param)
	return append(b, m.pad[:]...)
}
