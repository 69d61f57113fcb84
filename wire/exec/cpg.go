package exec

import "cpgol/wire/totem"

// The function numbers of service 2, CPG (enum cpg_message_req_types).
const (
	cpgService = 2

	CPGProcJoin     = 0
	CPGProcLeave    = 1
	CPGJoinList     = 2
	CPGMcast        = 3
	CPGDownlistOld  = 4
	CPGDownlist     = 5
	CPGPartialMcast = 6
)

// A Reason says why a process is in a list of a configuration change
// (cpg_reason_t).
type Reason uint32

// The reasons.
const (
	ReasonUndefined Reason = 0 // members
	ReasonJoin      Reason = 1 // joined: cpg_join
	ReasonLeave     Reason = 2 // left: cpg_leave
	ReasonNodeDown  Reason = 3 // left: its node is no longer in the ring
	ReasonNodeUp    Reason = 4 // joined: its node came into the ring
	ReasonProcDown  Reason = 5 // left: it ended without cpg_leave
)

// A Source says who sent a message (mar_message_source_t, 16 bytes). Receivers
// of CPG ignore it: Conn is a pointer in the sender's memory.
type Source struct {
	Node totem.NodeID
	Conn uint64
	pad  uint32
}

func (s *Source) decode(b []byte) {
	s.Node = totem.NodeID(le.Uint32(b))
	s.pad = le.Uint32(b[4:])
	s.Conn = le.Uint64(b[8:])
}

func (s *Source) append(b []byte) []byte {
	b = le.AppendUint32(b, uint32(s.Node))
	b = le.AppendUint32(b, s.pad)
	return le.AppendUint64(b, s.Conn)
}
