// Package ringtest plays rings of service engines without a network: a total
// order for each ring, synchronisation rounds, partitions, merges, crashes and
// restarts, in virtual time.
//
//	Multicast --> the ring's queue --> every member's handler, in one order
//	Form      --> SyncInit on all, then for each service: SyncProcess until all
//	              are done and everything is delivered, SyncActivate on all
//
// Nothing runs by itself: [Cluster.Run] delivers until nothing moves,
// [Cluster.Advance] lets time pass.
package ringtest

import (
	"slices"
	"testing"
	"time"

	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A Cluster is a set of nodes in rings.
type Cluster struct {
	t      testing.TB
	now    time.Duration
	seq    uint64
	nodes  map[totem.NodeID]*Node
	timers []*timer
	// Lost, if set, loses a message before it is delivered to a node.
	Lost func(from, to totem.NodeID, msg []byte) bool
}

type timer struct {
	at   time.Duration
	node *Node
	f    func()
	off  bool
}

// A Node is one daemon: the service.Host of its services.
type Node struct {
	ID       totem.NodeID
	Services []service.Service // by ascending ID, set by Start
	// Stopped is the reason of the first Shutdown or Exit; Exited its code, or
	// 0 after a Shutdown.
	Stopped string
	Exited  int
	// Full makes Multicast fail.
	Full bool
	// Sent holds a copy of everything multicast, ever.
	Sent [][]byte

	cluster *Cluster
	ring    *ring
	early   [][]byte // sent before the first ring
	dead    bool
}

var _ service.Host = (*Node)(nil)

type ring struct {
	id      totem.RingID
	members []*Node // ascending
	queue   []message
	sync    *round
}

type message struct {
	from totem.NodeID
	body []byte
}

// A round is one synchronisation: done says which members' present service has
// said all it had to say.
type round struct {
	ids  []service.ID
	done map[*Node]bool
}

// New makes a cluster without nodes.
func New(t testing.TB) *Cluster {
	return &Cluster{t: t, nodes: make(map[totem.NodeID]*Node)}
}

// Start makes a node that is in no ring yet. A dead node of the same number is
// replaced.
func (c *Cluster) Start(id totem.NodeID, load func(h *Node) []service.Service) *Node {
	if old := c.nodes[id]; old != nil && !old.dead {
		c.t.Fatalf("node %d runs already", id)
	}
	n := &Node{ID: id, cluster: c}
	c.nodes[id] = n
	n.Services = load(n)
	slices.SortFunc(n.Services, func(a, b service.Service) int { return int(a.ID() - b.ID()) })
	return n
}

// Crash ends a node without a word.
func (c *Cluster) Crash(n *Node) { n.dead = true }

// Form makes each group of nodes one ring. What was sent in the old rings is
// delivered there first. It then runs.
func (c *Cluster) Form(groups ...[]*Node) {
	for _, g := range groups {
		for _, n := range g {
			if n.ring != nil {
				c.drain(n.ring)
			}
		}
	}
	for _, g := range groups {
		g = slices.Clone(g)
		slices.SortFunc(g, func(a, b *Node) int { return int(int64(a.ID) - int64(b.ID)) })
		c.seq += 4
		c.form(&ring{id: totem.RingID{Rep: g[0].ID, Seq: c.seq}, members: g})
	}
	c.Run()
}

func (c *Cluster) form(r *ring) {
	r.sync = &round{done: make(map[*Node]bool)}
	var all []totem.NodeID
	for _, n := range r.members {
		all = append(all, n.ID)
		for _, s := range n.Services {
			if _, ok := s.(service.Syncer); ok && !slices.Contains(r.sync.ids, s.ID()) {
				r.sync.ids = append(r.sync.ids, s.ID())
			}
		}
	}
	slices.Sort(r.sync.ids)
	if len(r.sync.ids) == 0 {
		r.sync = nil
	}
	trans := make(map[*Node][]totem.NodeID)
	for _, n := range r.members {
		for _, m := range r.members {
			if n.ring != nil && n.ring == m.ring {
				trans[n] = append(trans[n], m.ID)
			}
		}
	}
	for _, n := range r.members {
		if old := n.ring; old != nil && old.sync != nil {
			if s, ok := n.syncer(old.sync); ok {
				s.SyncAbort()
			}
		}
	}
	for _, n := range r.members {
		n.ring = r
		for _, b := range n.early {
			r.queue = append(r.queue, message{n.ID, b})
		}
		n.early = nil
	}
	for _, n := range r.members {
		for _, s := range n.Services {
			if s, ok := s.(service.Syncer); ok {
				s.SyncInit(trans[n], all, r.id)
			}
		}
	}
}

// syncer is n's part of the service that a round is at.
func (n *Node) syncer(r *round) (service.Syncer, bool) {
	s, ok := n.Service(r.ids[0]).(service.Syncer)
	return s, ok
}

// Run delivers and synchronises until nothing moves.
func (c *Cluster) Run() {
	for moved := true; moved; {
		moved = false
		for _, r := range c.rings() {
			moved = c.drain(r) || moved
			moved = c.synchronise(r) || moved
		}
	}
}

func (c *Cluster) rings() (all []*ring) {
	for _, id := range c.ids() {
		if n := c.nodes[id]; !n.dead && n.ring != nil && !slices.Contains(all, n.ring) {
			all = append(all, n.ring)
		}
	}
	return all
}

func (c *Cluster) ids() (all []totem.NodeID) {
	for id := range c.nodes {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// drain delivers what is queued in a ring to those who are still in it.
func (c *Cluster) drain(r *ring) (moved bool) {
	for len(r.queue) > 0 {
		m := r.queue[0]
		r.queue = r.queue[1:]
		moved = true
		for _, n := range r.members {
			if n.alive() && n.ring == r && (c.Lost == nil || !c.Lost(m.from, n.ID, m.body)) {
				n.deliver(m)
			}
		}
	}
	return moved
}

func (n *Node) alive() bool { return !n.dead && n.Exited == 0 }

func (n *Node) deliver(m message) {
	var h exec.Header
	if _, err := h.Decode(m.body); err != nil {
		return
	}
	id, fn := exec.SplitID(h.ID)
	s := n.Service(service.ID(id))
	if s == nil || fn >= len(s.Messages()) {
		return
	}
	if row := s.Messages()[fn]; len(m.body) >= row.Size {
		row.Handle(m.from, slices.Clone(m.body))
	}
}

// synchronise takes a round as far as it gets.
func (c *Cluster) synchronise(r *ring) (moved bool) {
	if r.sync == nil {
		return false
	}
	all := true
	for _, n := range r.members {
		if !n.alive() || n.ring != r || r.sync.done[n] {
			continue
		}
		if s, ok := n.syncer(r.sync); ok && !s.SyncProcess() {
			all = false
			continue
		}
		r.sync.done[n] = true
		moved = true
	}
	c.drain(r)
	if !all {
		return moved
	}
	for _, n := range r.members {
		if s, ok := n.syncer(r.sync); ok && n.alive() && n.ring == r {
			s.SyncActivate()
		}
	}
	r.sync.ids, r.sync.done = r.sync.ids[1:], make(map[*Node]bool)
	if len(r.sync.ids) == 0 {
		r.sync = nil
	}
	return true
}

// Advance lets d pass, with everything that comes due and what follows from it.
func (c *Cluster) Advance(d time.Duration) {
	end := c.now + d
	for {
		c.Run()
		var next *timer
		for _, t := range c.timers {
			if !t.off && t.node.alive() && t.at <= end && (next == nil || t.at < next.at) {
				next = t
			}
		}
		if next == nil {
			break
		}
		c.now, next.off = max(c.now, next.at), true
		next.f()
	}
	c.now = end
	c.timers = slices.DeleteFunc(c.timers, func(t *timer) bool { return t.off })
}

// Service finds a loaded engine; nil if there is none.
func (n *Node) Service(id service.ID) service.Service {
	for _, s := range n.Services {
		if s.ID() == id {
			return s
		}
	}
	return nil
}

// Inject puts a message into the node's ring as if from had sent it.
func (n *Node) Inject(from totem.NodeID, msg []byte) {
	n.ring.queue = append(n.ring.queue, message{from, slices.Clone(msg)})
}

// Self is the node's number.
func (n *Node) Self() totem.NodeID { return n.ID }

// Now is the cluster's time.
func (n *Node) Now() time.Duration { return n.cluster.now }

// After calls f once d has passed.
func (n *Node) After(d time.Duration, f func()) (cancel func()) {
	t := &timer{at: n.cluster.now + d, node: n, f: f}
	n.cluster.timers = append(n.cluster.timers, t)
	return func() { t.off = true }
}

// Timers counts the node's timers that are running.
func (n *Node) Timers() (count int) {
	for _, t := range n.cluster.timers {
		if t.node == n && !t.off {
			count++
		}
	}
	return count
}

// Multicast queues a message for the node's ring, or for its first one.
func (n *Node) Multicast(head, body []byte) error {
	if n.Full {
		return service.ErrQueueFull
	}
	msg := slices.Concat(head, body)
	n.Sent = append(n.Sent, msg)
	if n.ring == nil {
		n.early = append(n.early, msg)
	} else {
		n.ring.queue = append(n.ring.queue, message{n.ID, msg})
	}
	return nil
}

// SyncInProgress reports whether a round is running, or none has been yet.
func (n *Node) SyncInProgress() bool { return n.ring == nil || n.ring.sync != nil }

// Ring is the ring that the node is in.
func (n *Node) Ring() totem.RingID { return n.ring.id }

// Shutdown notes the reason.
func (n *Node) Shutdown(reason string) {
	if n.Stopped == "" {
		n.Stopped = reason
	}
}

// Exit notes code and reason; the node is deaf from then on.
func (n *Node) Exit(code int, reason string) {
	n.Shutdown(reason)
	n.Exited = code
}

// IsRing reports whether these nodes, and no others, are one ring.
func (c *Cluster) IsRing(nodes []*Node) bool {
	r := nodes[0].ring
	if r == nil || len(r.members) != len(nodes) {
		return false
	}
	for _, n := range nodes {
		if n.ring != r {
			return false
		}
	}
	return true
}
