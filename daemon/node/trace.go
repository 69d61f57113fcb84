package node

import (
	"context"
	"errors"
	"log/slog"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// trace logs what the engine reports.
func (n *Node) trace(e *engine.Effect) {
	switch ev := e.Event.(type) {
	case engine.Refused:
		cause := "packet"
		if e, ok := errors.AsType[*totem.Error](ev.Err); ok {
			cause = "packet " + e.Cause.String()
		}
		n.drop(cause, ev.Err)
	case engine.Retransmits:
		n.tell(levelNotice, "retransmits", ev)
	case engine.StateEntered:
		if ev.State != engine.StateGather || ev.Reason == engine.JoinOperational {
			n.totem.Debug(ev.String())
		} else {
			n.tell(slog.LevelInfo, "gather "+ev.Reason.String(), ev)
		}
	case engine.GaveUp:
		n.tell(slog.LevelWarn, "gave up", ev)
	case engine.Paused:
		n.tell(levelNotice, "paused", ev)
	case engine.TokenLost:
		n.totem.Warn(ev.String())
	case engine.TokenLate, engine.LeftSilently:
		n.totem.Log(context.Background(), levelNotice, ev.String())
	default:
		n.totem.Debug(ev.String())
	}
}

// tell logs what peers can cause at will, at most once a second per cause.
func (n *Node) tell(level slog.Level, cause string, ev engine.Event) {
	if silent, ok := n.other.Allow(n.Now(), cause); ok {
		n.totem.Log(context.Background(), level, ev.String()+more(silent))
	}
}
