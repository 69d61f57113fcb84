package node

import (
	"context"
	"errors"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// trace logs what the engine reports. What a peer can cause at will is limited.
func (n *Node) trace(e *engine.Effect) {
	switch ev := e.Event.(type) {
	case engine.Refused:
		cause := "packet"
		if e, ok := errors.AsType[*totem.Error](ev.Err); ok {
			cause = "packet " + e.Cause.String()
		}
		n.drop(cause, ev.Err)
	case engine.Retransmits:
		if silent, ok := n.other.Allow(n.Now(), "retransmits"); ok {
			n.totem.Log(context.Background(), levelNotice, ev.String()+more(silent))
		}
	case engine.StateEntered:
		if ev.State != engine.StateGather || ev.Reason == engine.JoinOperational {
			n.totem.Debug(ev.String())
		} else if silent, ok := n.other.Allow(n.Now(), "gather "+ev.Reason.String()); ok {
			n.totem.Info(ev.String() + more(silent))
		}
	case engine.TokenLost, engine.GaveUp:
		n.totem.Warn(ev.String())
	case engine.TokenLate, engine.LeftSilently, engine.Paused:
		n.totem.Log(context.Background(), levelNotice, ev.String())
	default:
		n.totem.Debug(ev.String())
	}
}
