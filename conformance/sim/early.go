package sim

import (
	"slices"
	"time"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// restEarly does what the daemons do among themselves (daemon/offload, presence): once
// all members of a ring are in step, the others are told that its token rests
// early, each at its time, and when all were, the representative is.
func (w *world) restEarly(l *life) {
	ring, members := l.engine.Ring(), l.engine.Members()
	if !w.plan.early || slices.ContainsFunc(members, func(id totem.NodeID) bool { return !w.inStep(id, ring) }) {
		return
	}
	missing := len(members) - 1
	for _, id := range members {
		if id != ring.Rep {
			w.soon(id, ring, func() {
				if missing--; missing == 0 {
					w.soon(ring.Rep, ring, func() {})
				}
			})
		}
	}
	if missing == 0 {
		w.soon(ring.Rep, ring, func() {})
	}
}

// soon tells a node within a few milliseconds, if it is in the ring then.
func (w *world) soon(id totem.NodeID, ring totem.RingID, then func()) {
	w.after(time.Duration(w.rnd.IntN(5000))*time.Microsecond, func() {
		if w.inStep(id, ring) {
			w.tracef("node %d lets the token of %v rest early", id, ring)
			w.lifeOf(id).engine.RestEarly(ring)
			then()
		}
	})
}

func (w *world) inStep(id totem.NodeID, ring totem.RingID) bool {
	l := w.lifeOf(id)
	return l != nil && l.engine.Ring() == ring && l.engine.State() == engine.StateOperational && !l.syncing
}

func (w *world) lifeOf(id totem.NodeID) *life {
	for _, n := range w.nodes {
		if n.id == id {
			return n.life
		}
	}
	return nil
}
