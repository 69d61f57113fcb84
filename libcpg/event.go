package libcpg

import (
	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A NodeID is a node of the cluster.
type NodeID = totem.NodeID

// A Member is a process of a group.
type Member = offload.Member

// A RingID names a membership of the ring.
type RingID = totem.RingID

// A Reason says why a process joined or left.
type Reason = exec.Reason

// The reasons (cpg_reason_t).
const (
	Joined   = exec.ReasonJoin     // it joined
	Left     = exec.ReasonLeave    // it left
	NodeDown = exec.ReasonNodeDown // its node is no longer in the ring
	NodeUp   = exec.ReasonNodeUp   // its node came into the ring, and it was in the group
	ProcDown = exec.ReasonProcDown // it ended without leaving
)

// A Moved is a process that joined or left, and why.
type Moved struct {
	Member
	Reason Reason
}

// An EventKind tells events apart.
type EventKind uint8

// The kinds of events.
const (
	// Message: From sent Data.
	Message EventKind = iota + 1
	// Change: the group has other members now. Members has them all, Joined and
	// Left who made the difference.
	Change
	// NewRing: the ring has other nodes now (only with Options.Rings).
	NewRing
)

// An Event is what Next tells. Its slices are the library's, until the next call
// of Next.
type Event struct {
	Kind    EventKind
	From    Member
	Data    []byte
	Members []Member
	Joined  []Moved
	Left    []Moved
	Ring    RingID
	Nodes   []NodeID
}

// reset empties the event and keeps its storage.
func (ev *Event) reset() {
	*ev = Event{Members: ev.Members[:0], Joined: ev.Joined[:0], Left: ev.Left[:0], Nodes: ev.Nodes[:0]}
}

// change fills the event from the daemon's.
func (ev *Event) change(m *abi.CPGChange) {
	ev.Kind = Change
	for _, a := range m.Members {
		ev.Members = append(ev.Members, memberOf(a))
	}
	for _, a := range m.Joined {
		ev.Joined = append(ev.Joined, Moved{memberOf(a), a.Reason})
	}
	for _, a := range m.Left {
		ev.Left = append(ev.Left, Moved{memberOf(a), a.Reason})
	}
}

func memberOf(a abi.Address) Member { return Member{Node: a.Node, PID: a.PID} }
