package node

import (
	"context"
	"log/slog"

	"cpgol/daemon/engine"
)

// trace logs what the engine reports. What a peer can cause at will is limited.
func (n *Node) trace(e *engine.Effect) {
	switch ev := e.Event.(type) {
	case engine.Refused:
		n.drop("packet", ev.Err)
	case engine.Retransmits:
		if silent, ok := n.limit.Allow(n.Now(), "retransmits"); ok {
			n.totem.Log(context.Background(), levelNotice, ev.String(), "unsaid", silent)
		}
	case engine.StateEntered:
		level := slog.LevelDebug
		if ev.State == engine.StateGather && ev.Reason != engine.JoinOperational {
			level = slog.LevelInfo
		}
		n.totem.Log(context.Background(), level, ev.String())
	case engine.TokenLost, engine.GaveUp:
		n.totem.Warn(ev.String())
	case engine.TokenLate, engine.LeftSilently, engine.Paused:
		n.totem.Log(context.Background(), levelNotice, ev.String())
	default:
		n.totem.Debug(ev.String())
	}
}
