package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// trace logs what the engine reports, in the reference's words and at its levels:
// people and programs look for them (exec/totemsrp.c). Lines that peers can cause
// at will are limited.
func (n *Node) trace(e *engine.Effect) {
	switch ev := e.Event.(type) {
	case engine.Refused:
		cause := "packet"
		if e, ok := errors.AsType[*totem.Error](ev.Err); ok {
			cause = "packet " + e.Cause.String()
		}
		n.drop(cause, ev.Err)
	case engine.Retransmits:
		n.tell(levelNotice, "retransmits", retransmitList(ev))
	case engine.StateEntered:
		if n.states.allow(n.Now()) {
			n.totem.Debug(stateEntered(ev))
		}
	case engine.GaveUp:
		n.tell(slog.LevelError, "gave up", "FAILED TO RECEIVE")
	case engine.Paused:
		n.tell(levelNotice, "paused", fmt.Sprintf("Process pause detected for %d ms, flushing membership messages.", ev.For.Milliseconds()))
	case engine.TokenLost:
		n.tokenLost(ev)
	case engine.TokenLate:
		n.totem.Log(context.Background(), levelNotice, fmt.Sprintf("Token has not been received in %d ms", ev.Since.Milliseconds()))
	case engine.LeftSilently:
		n.totem.Log(context.Background(), levelNotice, "Failed to receive the leave message. failed:"+list(ev.Nodes))
	default:
		n.totem.Debug(ev.String())
	}
}

// tokenLost tells how the node goes on, where it was in service.
func (n *Node) tokenLost(ev engine.TokenLost) {
	if ev.State == engine.StateGather {
		n.totem.Debug(fmt.Sprintf("The consensus timeout expired (%dms).", ev.Consensus.Milliseconds()))
		return
	}
	n.totem.Debug("The token was lost in the " + strings.ToUpper(ev.State.String()) + " state.")
	if ev.State == engine.StateOperational {
		n.totem.Log(context.Background(), levelNotice, fmt.Sprintf("A processor failed, forming new configuration: token timed out (%dms), waiting %dms for consensus.",
			ev.Token.Milliseconds(), ev.Consensus.Milliseconds()))
	}
}

func stateEntered(ev engine.StateEntered) string {
	state := strings.ToUpper(ev.State.String())
	if ev.State == engine.StateGather {
		return fmt.Sprintf("entering %s state from %d(%s).", state, uint8(ev.Reason), gatherReason(ev.Reason))
	}
	return fmt.Sprintf("entering %s state.", state)
}

// gatherReason is the reference's wording where it is not the engine's
// (gather_state_from_desc).
func gatherReason(r engine.GatherReason) string {
	switch r {
	case engine.TokenLostOperational:
		return "The token was lost in the OPERATIONAL state."
	case engine.TokenLostGather:
		return "The consensus timeout expired."
	case engine.TokenLostCommit:
		return "The token was lost in the COMMIT state."
	case engine.TokenLostRecovery:
		return "The token was lost in the RECOVERY state."
	case engine.ForeignMcast:
		return "foreign message in operational state"
	case engine.ForeignMcastGather:
		return "foreign message in gather state"
	case engine.MergeOperational:
		return "merge during operational state"
	case engine.MergeGather:
		return "merge during gather state"
	case engine.MergeJoin:
		return "merge during join"
	case engine.JoinOperational:
		return "join during operational state"
	case engine.JoinCommit:
		return "join during commit state"
	case engine.JoinRecovery:
		return "join during recovery"
	}
	return r.String()
}

// A stateLog bounds the lines about states, which peers can make change all the
// time: they may fill the flight recorder, but not with nothing else.
type stateLog struct {
	second time.Duration // began then
	lines  int           // in it
}

const statesPerSecond = 50

func (s *stateLog) allow(now time.Duration) bool {
	if now-s.second >= time.Second {
		s.second, s.lines = now, 0
	}
	s.lines++
	return s.lines <= statesPerSecond
}

func retransmitList(ev engine.Retransmits) string {
	var b strings.Builder
	b.WriteString("Retransmit List:")
	for _, r := range ev.List {
		fmt.Fprintf(&b, " %x", uint32(r.Seq))
	}
	return b.String()
}

// newMembership tells of a ring, by those who came and went since the last.
func newMembership(ring totem.RingID, joined, left []totem.NodeID) string {
	text := fmt.Sprintf("A new membership (%v) was formed. Members", ring)
	if len(joined) > 0 {
		text += " joined:" + list(joined)
	}
	if len(left) > 0 {
		text += " left:" + list(left)
	}
	return text
}

// list names nodes, with a blank before each.
func list(nodes []totem.NodeID) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, " %d", n)
	}
	return b.String()
}

// tell logs what peers can cause at will, at most once a second per cause.
func (n *Node) tell(level slog.Level, cause, text string) {
	if silent, ok := n.other.Allow(n.Now(), cause); ok {
		n.totem.Log(context.Background(), level, text+more(silent))
	}
}
