package node

import (
	"context"
	"slices"

	"cpgol/daemon/engine"
	"cpgol/daemon/sync"
	"cpgol/wire/totem"
)

// phase says whether a synchronisation runs. From the transitional configuration
// until every service is in step, only what is sent meanwhile goes out, and what
// is received after the regular one belongs to the second set of assemblies. Both
// ends change back at the same message of the order: the last barrier.
type phase struct {
	n       *Node
	running bool
	ever    bool           // a round was completed: clients may connect
	left    []totem.NodeID // by the last transitional configuration
}

// configure tells everyone of a configuration (exec/main.c:confchg_fn).
func (n *Node) configure(c *engine.Configuration) {
	n.phase.running = true
	n.clients.level()
	if c.Kind == engine.Transitional {
		for _, id := range c.Left {
			n.normal.Forget(id)
			n.trans.Forget(id)
		}
	} else {
		// Not before: the old ring's last messages follow the transitional
		// configuration (exec/totemsrp.c:memb_state_operational_enter).
		n.assembler = &n.trans
	}
	for _, id := range c.Left {
		n.memberLeft(id)
	}
	for _, id := range c.Joined {
		n.memberJoined(id)
	}
	kind := sync.Transitional
	if c.Kind == engine.Regular {
		kind = sync.Regular
	}
	n.sync.Configure(kind, c.Members, c.Ring)
	if c.Kind == engine.Regular {
		n.totem.Log(context.Background(), levelNotice, newMembership(c.Ring, c.Joined, n.phase.left))
	} else {
		n.phase.left = slices.Clone(c.Left)
	}
}

// done runs when every service has activated (corosync_sync_completed).
func (p *phase) done() {
	n := p.n
	p.running, p.ever = false, true
	n.assembler = &n.normal
	n.engine.SyncDone(n.Now(), &n.out)
	n.ready.Log(context.Background(), levelNotice, "Completed service synchronization, ready to provide service.")
	n.notify("READY=1")
}

// SyncInProgress reports whether a round is running.
func (n *Node) SyncInProgress() bool { return n.phase.running }
