// Package ringtest plays rings of several nodes in memory, for tests of
// services: one order of messages per ring, the two send queues of each node,
// synchronisation by package sync, partitions, merges and restarts. Nothing
// happens by itself; a test calls [World.Run] to let all messages through.
//
// It stands for exec/totemsrp.c and exec/main.c as services see them
// (services.md 1.6, 2.2), not for Totem: nothing is lost or late.
package ringtest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"cpgol/daemon/service"
	"cpgol/daemon/sync"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A World is all nodes of a test and the rings they form.
type World struct {
	// Trace, if set, gets one line per delivered message.
	Trace func(line string)
	// OnEvent, if set, gets every event in the order in which services send
	// them.
	OnEvent func(c *Conn, event []byte)

	nodes map[totem.NodeID]*Node
	rings []*ring
	seq   uint64
	now   time.Duration
	timer []*timer
}

// A ring is the members that share one order.
type ring struct {
	id      totem.RingID
	members []totem.NodeID
	ordered []message // not yet delivered
}

type message struct {
	from  totem.NodeID
	group string // "a" or "sync"
	bytes []byte
}

type timer struct {
	at   time.Duration
	f    func()
	node *Node
}

// New makes a world without nodes.
func New() *World { return &World{nodes: map[totem.NodeID]*Node{}} }

// Node returns the node of that id, nil if it is not running.
func (w *World) Node(id totem.NodeID) *Node { return w.nodes[id] }

// Start starts a node with the services that build makes for it. It is in no
// ring before the next Form. A node of the same id must have been stopped.
func (w *World) Start(id totem.NodeID, build func(h service.Host) []service.Service) *Node {
	if w.nodes[id] != nil {
		panic(fmt.Sprintf("ringtest: node %d is running", id))
	}
	n := &Node{ID: id, QueueLimit: 1 << 20, world: w, trans: true}
	w.nodes[id] = n
	var syncers []service.Syncer
	for _, s := range build(n) {
		n.services = append(n.services, s)
		if s, ok := s.(service.Syncer); ok {
			syncers = append(syncers, s)
		}
	}
	n.Sync = sync.New(id, syncers, func(head, body []byte) error {
		return n.queue("sync", head, body)
	}, func() { n.trans = false; n.Completed++ })
	return n
}

// Stop ends a node without a word to anyone. Its ring's other members notice
// at the next Form.
func (w *World) Stop(id totem.NodeID) {
	n := w.nodes[id]
	n.stopped = true
	delete(w.nodes, id)
}

// Form makes every set of running nodes a new ring. Members that came from the
// same ring first deliver what was ordered there. Nodes not named stay where
// they are.
func (w *World) Form(sets ...[]totem.NodeID) {
	rings := make([]*ring, len(sets))
	for i, set := range sets {
		members := slices.Sorted(slices.Values(set))
		w.seq += 4
		rings[i] = &ring{id: totem.RingID{Rep: members[0], Seq: w.seq}, members: members}
	}
	for _, r := range rings {
		for _, id := range r.members {
			w.enter(w.nodes[id], r)
		}
	}
	w.rings = append(w.rings, rings...)
	lived := map[*ring]bool{}
	for _, n := range w.nodes {
		n.old = nil
		lived[n.ring] = true
	}
	w.rings = slices.DeleteFunc(w.rings, func(r *ring) bool { return !lived[r] })
}

// enter takes one node from its ring to r (memb_state_operational_enter).
func (w *World) enter(n *Node, r *ring) {
	var trans []totem.NodeID
	old := n.ring
	for _, id := range r.members {
		if peer := w.nodes[id]; old != nil && (peer.ring == old || peer.old == old && peer.ring == r) {
			trans = append(trans, id)
		}
	}
	n.trans = true
	n.Sync.Configure(sync.Transitional, trans, r.id)
	if old != nil {
		for _, m := range old.ordered {
			n.deliver(m)
		}
	}
	n.old, n.ring = old, r
	n.Sync.Configure(sync.Regular, r.members, r.id)
}

// Run lets tokens go round until no ring has anything to do.
func (w *World) Run() {
	for i := 0; w.Step(); i++ {
		if i == 10000 {
			panic("ringtest: no end")
		}
	}
}

// Step lets each ring's token go round once and delivers what was sent. It
// reports whether anything happened or may yet happen.
func (w *World) Step() bool {
	busy := w.Order()
	return w.Deliver() || busy
}

// Order lets each ring's token go round once without delivering anything: what
// is queued gets its place in the order.
func (w *World) Order() (busy bool) {
	for _, r := range w.rings {
		for _, id := range r.members {
			n := w.nodes[id]
			if n == nil || n.ring != r {
				continue
			}
			was := len(r.ordered)
			n.drain(r)
			n.Sync.TokenSent()
			// A service may have to wait at this token; then the round goes on.
			busy = busy || len(r.ordered) > was || n.queued() > 0
		}
	}
	return busy
}

// Deliver delivers what is ordered to every member of its ring.
func (w *World) Deliver() (busy bool) {
	for _, r := range w.rings {
		for len(r.ordered) > 0 {
			m := r.ordered[0]
			r.ordered = r.ordered[1:]
			busy = true
			for _, id := range r.members {
				if n := w.nodes[id]; n != nil && n.ring == r {
					n.deliver(m)
				}
			}
		}
	}
	return busy
}

// Pass lets d of time pass and runs what was to run by then.
func (w *World) Pass(d time.Duration) {
	end := w.now + d
	for {
		var next *timer
		for _, t := range w.timer {
			if t.f != nil && t.at <= end && (next == nil || t.at < next.at) {
				next = t
			}
		}
		if next == nil {
			break
		}
		w.now = max(w.now, next.at)
		f := next.f
		next.f = nil
		if !next.node.stopped {
			f()
		}
	}
	w.now = end
	w.timer = slices.DeleteFunc(w.timer, func(t *timer) bool { return t.f == nil })
}

// A Node is one member; it is the service.Host of its services.
type Node struct {
	ID         totem.NodeID
	Sync       *sync.Sync
	Completed  int    // rounds of synchronisation
	QueueLimit int    // messages per queue before ErrQueueFull
	Stopping   string // reason given to Shutdown or Exit

	world    *World
	services []service.Service
	ring     *ring
	old      *ring // the one before, while a change is being made
	trans    bool  // sends go to the second queue
	queues   [2][]message
	conns    []*Conn
	stopped  bool
}

var _ service.Host = (*Node)(nil)

// Self returns the node's id.
func (n *Node) Self() totem.NodeID { return n.ID }

// Now returns the world's time.
func (n *Node) Now() time.Duration { return n.world.now }

// After runs f when the world has passed d.
func (n *Node) After(d time.Duration, f func()) (cancel func()) {
	t := &timer{at: n.world.now + d, f: f, node: n}
	n.world.timer = append(n.world.timer, t)
	return func() { t.f = nil }
}

// Multicast queues a service's message.
func (n *Node) Multicast(head, body []byte) error { return n.queue("a", head, body) }

// SyncInProgress reports whether a round is running.
func (n *Node) SyncInProgress() bool { return n.Sync.InProgress() }

// Shutdown and Exit note the reason.
func (n *Node) Shutdown(reason string) { n.Stopping = reason }

// Exit notes the reason.
func (n *Node) Exit(code int, reason string) { n.Stopping = reason }

// Ring returns the id of the node's ring.
func (n *Node) Ring() totem.RingID { return n.ring.id }

// Say puts a message of group "a" into the order of the node's ring in its
// name, past its queues and its services: what a hostile or old peer may do.
func (n *Node) Say(msg []byte) {
	n.ring.ordered = append(n.ring.ordered, message{n.ID, "a", bytes.Clone(msg)})
}

func (n *Node) queue(group string, head, body []byte) error {
	q := &n.queues[0]
	if n.trans {
		q = &n.queues[1]
	}
	if len(*q) >= n.QueueLimit {
		return service.ErrQueueFull
	}
	*q = append(*q, message{n.ID, group, slices.Concat(head, body)})
	return nil
}

// queued is how many messages wait that could be sent now.
func (n *Node) queued() int {
	if n.trans {
		return len(n.queues[1])
	}
	return len(n.queues[1]) + len(n.queues[0])
}

// drain gives what is queued its place in the order: the second queue, and the
// normal one unless a synchronisation runs.
func (n *Node) drain(r *ring) {
	r.ordered = append(r.ordered, n.queues[1]...)
	n.queues[1] = nil
	if !n.trans {
		r.ordered = append(r.ordered, n.queues[0]...)
		n.queues[0] = nil
	}
}

// deliver hands one message to sync or to its service, as the loop would.
func (n *Node) deliver(m message) {
	if n.world.Trace != nil {
		n.world.Trace(fmt.Sprintf("%d<-%d %s %x", n.ID, m.from, m.group, m.bytes[:min(len(m.bytes), 32)]))
	}
	if m.group == "sync" {
		n.Sync.Deliver(m.from, m.bytes)
		return
	}
	var h exec.Header
	if _, err := h.Decode(m.bytes); err != nil {
		return
	}
	id, fn := exec.SplitID(h.ID)
	s := n.service(service.ID(id))
	if s == nil || fn >= len(s.Messages()) {
		return
	}
	if row := s.Messages()[fn]; len(m.bytes) >= row.Size {
		row.Handle(m.from, m.bytes)
	}
}

func (n *Node) service(id service.ID) service.Service {
	for _, s := range n.services {
		if s.ID() == id {
			return s
		}
	}
	return nil
}
