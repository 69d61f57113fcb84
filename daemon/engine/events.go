package engine

import (
	"fmt"
	"strings"
	"time"

	"cpgol/wire/totem"
)

// A State is where the membership protocol stands. The values are the
// reference's (enum memb_state).
type State uint8

// The states. Idle is before Start and after Leave.
const (
	StateIdle        State = 0
	StateOperational State = 1
	StateGather      State = 2
	StateCommit      State = 3
	StateRecovery    State = 4
)

// String gives the state's name.
func (s State) String() string {
	switch s {
	case StateIdle:
		return "idle"
	case StateOperational:
		return "operational"
	case StateGather:
		return "gather"
	case StateCommit:
		return "commit"
	case StateRecovery:
		return "recovery"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// A GatherReason says why a node gathers. The values are the reference's (enum
// gather_state_from).
type GatherReason uint8

// The reasons.
const (
	ConsensusTimeout     GatherReason = 0
	TokenLostOperational GatherReason = 2
	TokenLostGather      GatherReason = 3
	TokenLostCommit      GatherReason = 4
	TokenLostRecovery    GatherReason = 5
	FailedToReceive      GatherReason = 6
	ForeignMcast         GatherReason = 7
	ForeignMcastGather   GatherReason = 8
	MergeOperational     GatherReason = 9
	MergeGather          GatherReason = 10
	MergeJoin            GatherReason = 11
	JoinOperational      GatherReason = 12
	JoinCommit           GatherReason = 13
	JoinRecovery         GatherReason = 14
	InterfaceChange      GatherReason = 15
)

var gatherReasons = [...]string{
	ConsensusTimeout:     "consensus timeout",
	TokenLostOperational: "token lost in operational",
	TokenLostGather:      "consensus timeout expired",
	TokenLostCommit:      "token lost in commit",
	TokenLostRecovery:    "token lost in recovery",
	FailedToReceive:      "failed to receive",
	ForeignMcast:         "foreign message in operational",
	ForeignMcastGather:   "foreign message in gather",
	MergeOperational:     "merge in operational",
	MergeGather:          "merge in gather",
	MergeJoin:            "join with other candidates",
	JoinOperational:      "join in operational",
	JoinCommit:           "join in commit",
	JoinRecovery:         "join in recovery",
	InterfaceChange:      "interface change",
}

// String describes the reason.
func (r GatherReason) String() string {
	if int(r) < len(gatherReasons) && gatherReasons[r] != "" {
		return gatherReasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// An Event is something for the log. String says it in one line.
type Event interface {
	String() string
	event()
}

type (
	// StateEntered reports each change of state. Reason counts only for gather.
	StateEntered struct {
		State  State
		Reason GatherReason
		Ring   totem.RingID // the ring being formed or left
	}
	// TokenLost reports that the token did not come in time.
	TokenLost struct {
		State     State
		Token     time.Duration // the time it had
		Consensus time.Duration // the time candidates have now
	}
	// TokenLate warns that the token has not come for a while.
	TokenLate struct {
		Since time.Duration
		Limit time.Duration // when it is lost
	}
	// Retransmits reports the token's retransmit list as it came.
	Retransmits struct{ List []totem.Retransmit }
	// GaveUp reports that this node excludes itself: it cannot receive what
	// the others have ("FAILED TO RECEIVE").
	GaveUp struct{ ARU totem.Seq }
	// LeaveReceived reports a node's goodbye.
	LeaveReceived struct{ Node totem.NodeID }
	// LeftSilently names members that are gone without a goodbye.
	LeftSilently struct{ Nodes []totem.NodeID }
	// Paused reports that this process was not run for a while, and that a
	// join that waited meanwhile was dropped.
	Paused struct{ For time.Duration }
	// Refused reports a packet that was dropped as malformed.
	Refused struct{ Err error }
)

func (StateEntered) event()  {}
func (TokenLost) event()     {}
func (TokenLate) event()     {}
func (Retransmits) event()   {}
func (GaveUp) event()        {}
func (LeaveReceived) event() {}
func (LeftSilently) event()  {}
func (Paused) event()        {}
func (Refused) event()       {}

func (e StateEntered) String() string {
	if e.State == StateGather {
		return fmt.Sprintf("entering gather state from %d (%v)", uint8(e.Reason), e.Reason)
	}
	return fmt.Sprintf("entering %v state of ring %v", e.State, e.Ring)
}

func (e TokenLost) String() string {
	return fmt.Sprintf("the token was lost in the %v state: timed out (%v), waiting %v for consensus", e.State, e.Token, e.Consensus)
}

func (e TokenLate) String() string {
	return fmt.Sprintf("token has not been received in %v", e.Since)
}

func (e Retransmits) String() string {
	var b strings.Builder
	b.WriteString("retransmit list:")
	for _, r := range e.List {
		fmt.Fprintf(&b, " %x", uint32(r.Seq))
	}
	return b.String()
}

func (e GaveUp) String() string        { return fmt.Sprintf("failed to receive behind %x", uint32(e.ARU)) }
func (e LeaveReceived) String() string { return fmt.Sprintf("node %d leaves", e.Node) }
func (e LeftSilently) String() string {
	return fmt.Sprintf("no leave message received from %v", e.Nodes)
}
func (e Paused) String() string {
	return fmt.Sprintf("process pause detected for %v, dropping membership messages", e.For)
}
func (e Refused) String() string { return e.Err.Error() }
