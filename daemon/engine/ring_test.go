package engine

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// testConfig is stock's configuration for two nodes.
func testConfig(n totem.NodeID) Config {
	return Config{
		Node:  n,
		Token: 3000 * time.Millisecond, TokenRetransmit: 714 * time.Millisecond, Hold: 561 * time.Millisecond,
		Join: 50 * time.Millisecond, Consensus: 3600 * time.Millisecond, Merge: 200 * time.Millisecond,
		MaxNetworkDelay: 50 * time.Millisecond, TokenWarning: 75,
		FailToReceive: 2500, SeqUnchanged: 30, WindowSize: 50, MaxMessages: 17, MissCount: 5,
		NetMTU: 1500,
	}
}

// A testRing is a handful of engines on a perfect network with a delay of 100
// microseconds, in virtual time. The synchronisation is over as soon as the
// regular configuration is there.
type testRing struct {
	t     *testing.T
	now   time.Duration
	nodes map[totem.NodeID]*testNode
	queue []testPacket // in order of arrival
	drop  func(to totem.NodeID, packet []byte) bool
	cut   func(a, b totem.NodeID) bool // no packets between them
	sent  []testPacket                 // everything sent, if record is set
	rec   bool
}

type testPacket struct {
	at     time.Duration
	to     totem.NodeID
	packet []byte
	owned  bool // the engine's buffer, to hand back as it is
}

type testNode struct {
	*Engine
	out        Output
	normal     pg.Assembler
	trans      pg.Assembler
	assembler  *pg.Assembler
	got        []string // messages "node:text" and configurations
	stored     uint64
	events     []string
	noSync     bool // leave the synchronisation unfinished
	configured bool // a ring was installed: the synchronisation is over at once
}

func newTestRing(t *testing.T) *testRing {
	return &testRing{t: t, nodes: map[totem.NodeID]*testNode{}}
}

func (r *testRing) add(cfg Config) *testNode {
	n := r.nodes[cfg.Node]
	stored := uint64(0)
	if n != nil {
		stored = n.stored
	}
	n = &testNode{Engine: New(cfg, stored), stored: stored}
	n.assembler = &n.trans
	r.nodes[cfg.Node] = n
	n.Start(r.now, &n.out)
	r.perform(n)
	return n
}

func (r *testRing) remove(id totem.NodeID) *testNode {
	n := r.nodes[id]
	delete(r.nodes, id)
	return n
}

// form starts nodes 1 to n and waits for their ring.
func formRing(t *testing.T, n int, change func(*Config)) *testRing {
	r := newTestRing(t)
	for i := range n {
		cfg := testConfig(totem.NodeID(i + 1))
		if change != nil {
			change(&cfg)
		}
		r.add(cfg)
	}
	r.until(func() bool { return r.together() })
	return r
}

// together reports whether all nodes are operational in one ring of all.
func (r *testRing) together() bool {
	var ring totem.RingID
	for _, n := range r.nodes {
		if ring == (totem.RingID{}) {
			ring = n.Ring()
		}
		if n.State() != StateOperational || n.Ring() != ring || len(n.Members()) != len(r.nodes) || n.syncing {
			return false
		}
	}
	return true
}

func (r *testRing) post(to totem.NodeID, packet []byte) {
	p := testPacket{at: r.now + 100*time.Microsecond, to: to, packet: bytes.Clone(packet)}
	if r.rec {
		r.sent = append(r.sent, testPacket{at: p.at, to: to, packet: bytes.Clone(packet)})
	}
	if r.drop != nil && r.drop(to, packet) {
		return
	}
	r.queue = append(r.queue, p)
}

func (r *testRing) perform(n *testNode) {
	for i := 0; i < len(n.out.Effects); i++ {
		e := n.out.Effects[i]
		switch e.Kind {
		case Multicast:
			for _, id := range r.ids() {
				if id != n.cfg.Node && !r.isCut(n.cfg.Node, id) {
					r.post(id, e.Packet)
				}
			}
		case Unicast:
			if e.To == n.cfg.Node {
				r.t.Fatalf("node %d: unicast to itself", e.To)
			}
			if r.nodes[e.To] != nil && !r.isCut(n.cfg.Node, e.To) {
				r.post(e.To, e.Packet)
			}
		case Loopback:
			r.queue = append(r.queue, testPacket{at: r.now + time.Microsecond, to: n.cfg.Node, packet: e.Packet, owned: true})
			if r.rec {
				r.sent = append(r.sent, testPacket{at: r.now, to: n.cfg.Node, packet: bytes.Clone(e.Packet)})
			}
		case Deliver:
			if err := n.assembler.Frame(e.From, e.BigEndian, e.Packet, func(m []byte) {
				n.got = append(n.got, fmt.Sprintf("%d:%s", e.From, m))
			}); err != nil {
				r.t.Fatalf("node %d: %v", n.cfg.Node, err)
			}
		case Configure:
			r.configure(n, e.Conf)
		case StoreRing:
			n.stored = e.Ring.Seq
		case Trace:
			n.events = append(n.events, e.Event.String())
		}
	}
	n.out.Effects = n.out.Effects[:0]
	if n.configured {
		n.configured = false
		n.Tick(r.now, &n.out)
		n.SyncDone(r.now, &n.out)
		n.assembler = &n.normal
		r.perform(n)
	}
}

func (r *testRing) configure(n *testNode, c *Configuration) {
	n.got = append(n.got, fmt.Sprintf("%v %v members %v left %v joined %v", c.Kind, c.Ring, c.Members, c.Left, c.Joined))
	if c.Kind == Transitional {
		for _, l := range c.Left {
			n.normal.Forget(l)
			n.trans.Forget(l)
		}
		return
	}
	n.assembler = &n.trans
	n.configured = !n.noSync
}

func (r *testRing) isCut(a, b totem.NodeID) bool { return r.cut != nil && r.cut(a, b) }

func (r *testRing) ids() []totem.NodeID {
	var ids []totem.NodeID
	for id := range r.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// step lets the next thing happen and reports whether there was one.
func (r *testRing) step() bool {
	next := Never
	var who *testNode
	for _, id := range r.ids() {
		if d := r.nodes[id].Deadline(); d < next {
			next, who = d, r.nodes[id]
		}
	}
	first := -1
	for i, p := range r.queue {
		if p.at <= next && (first < 0 || p.at < r.queue[first].at) {
			first = i
		}
	}
	switch {
	case first >= 0:
		p := r.queue[first]
		r.queue = slices.Delete(r.queue, first, first+1)
		r.now = max(r.now, p.at)
		if n := r.nodes[p.to]; n != nil {
			n.Receive(r.now, p.packet, &n.out)
			if !p.owned {
				for i := range p.packet {
					p.packet[i] = 0xDB // the engine must not keep it
				}
			}
			r.perform(n)
		}
	case who != nil:
		r.now = max(r.now, next)
		who.Tick(r.now, &who.out)
		r.perform(who)
	default:
		return false
	}
	return true
}

// until steps until done; it fails the test after two minutes of virtual time.
func (r *testRing) until(done func() bool) {
	r.t.Helper()
	end := r.now + 2*time.Minute
	for !done() {
		if !r.step() || r.now > end {
			for id, n := range r.nodes {
				r.t.Logf("node %d: %v %v members %v\n%v", id, n.State(), n.ring, n.Members(), tail(n.events, 12))
			}
			r.t.Fatalf("not reached after %v", r.now)
		}
	}
}

// run lets d pass.
func (r *testRing) run(d time.Duration) {
	end := r.now + d
	for r.now < end && r.step() {
	}
}

func (r *testRing) send(id totem.NodeID, text string) {
	r.t.Helper()
	n := r.nodes[id]
	if err := n.Send(r.now, &n.out, []byte(text[:len(text)/2]), []byte(text[len(text)/2:])); err != nil {
		r.t.Fatalf("node %d: %v", id, err)
	}
	r.perform(n)
}

func tail(s []string, n int) []string { return s[max(0, len(s)-n):] }

// messages are what a node was delivered, configurations left out.
func (n *testNode) messages() []string {
	var out []string
	for _, s := range n.got {
		if s[0] >= '0' && s[0] <= '9' {
			out = append(out, s)
		}
	}
	return out
}
