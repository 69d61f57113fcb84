package node

import (
	"cpgol/daemon/engine"
)

// perform carries out the engine's effects in their order. What services do
// meanwhile (send, end a synchronisation) appends further effects to the same
// list, which are carried out last.
func (n *Node) perform() {
	if n.busy {
		return
	}
	n.busy = true
	for i := 0; i < len(n.out.Effects) && n.failure == nil; i++ {
		n.effect(&n.out.Effects[i])
	}
	clear(n.out.Effects) // let go of what the effects pointed at
	n.out.Effects = n.out.Effects[:0]
	n.busy = false
	n.clients.level()
}

func (n *Node) effect(e *engine.Effect) {
	switch e.Kind {
	case engine.Multicast:
		n.transport.Multicast(n.Now(), e.Packet)
	case engine.Unicast:
		n.transport.Unicast(n.Now(), e.To, e.Packet)
		// The token is what everybody waits for: it does not wait for our clients.
		n.transport.Flush(n.Now())
	case engine.Loopback:
		n.looped = append(n.looped, e.Packet)
	case engine.StoreRing:
		if err := n.ring.store(e.Ring.Seq); err != nil {
			n.fail(exitRingID, err)
		}
	case engine.Deliver:
		n.frame(e)
	case engine.Configure:
		n.configure(e.Conf)
	case engine.TokenSent:
		if n.phase.running {
			n.sync.TokenSent()
		}
	case engine.Trace:
		n.trace(e)
	}
}
