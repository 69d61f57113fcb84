// Package nettest has a [net.Transport] in memory, for tests of what runs over
// one: a wire between nodes that loses, delays, duplicates and partitions, in
// virtual time and repeatable by its seed.
//
//	n1.Multicast(now, packet) ──> in flight, due at now + delay ──> n2.Tick(later) ──> receive
//
// Nothing happens by itself: a node's packets arrive in its Tick, and its
// Deadline says when the next one is due. So whatever drives a real transport's
// timers drives this one.
//
// Not here: sockets, bandwidth, sizes. Package net's own tests have those.
package nettest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"cpgol/daemon/net"
	"cpgol/wire/totem"
)

// A Network is the wire. Its exported fields may be changed at any time, for
// the packets sent from then on. It belongs to one goroutine.
type Network struct {
	// Loss and Duplicate are the chances, 0 to 1, that a packet on its way to one
	// receiver is lost, or arrives twice.
	Loss, Duplicate float64
	// Each packet takes between MinDelay and MaxDelay. While they are equal,
	// packets between two nodes arrive in the order they were sent.
	MinDelay, MaxDelay time.Duration
	// Drop, if not nil, is asked about each packet before it leaves; true loses it.
	Drop func(from, to totem.NodeID, packet []byte) bool

	random *rand.Rand
	nodes  []*Node // ascending by ID
	groups map[totem.NodeID]int
	sent   uint64
}

// New makes a wire without faults and without delay.
func New(seed uint64) *Network {
	return &Network{random: rand.New(rand.NewPCG(seed, 0))}
}

// Join adds a node. receive gets its packets, from inside Tick; the bytes are
// valid during the call. A node that is Joined again (after Close: a restart)
// receives nothing of what was on its way to its predecessor.
func (n *Network) Join(id totem.NodeID, receive func(packet []byte)) *Node {
	node := &Node{net: n, id: id, receive: receive}
	at, found := slices.BinarySearchFunc(n.nodes, id, func(a *Node, id totem.NodeID) int { return cmp.Compare(a.id, id) })
	if found {
		n.nodes[at].closed = true
		n.nodes[at] = node
	} else {
		n.nodes = slices.Insert(n.nodes, at, node)
	}
	return node
}

// Partition lets only nodes of the same group hear each other. A node in no
// group hears nobody. Packets on their way across are lost.
func (n *Network) Partition(groups ...[]totem.NodeID) {
	n.groups = make(map[totem.NodeID]int)
	for i, g := range groups {
		for _, id := range g {
			n.groups[id] = i + 1
		}
	}
}

// Heal ends the partition.
func (n *Network) Heal() { n.groups = nil }

func (n *Network) hears(from, to totem.NodeID) bool {
	return n.groups == nil || n.groups[from] != 0 && n.groups[from] == n.groups[to]
}

// send puts a packet on its way to one node.
func (n *Network) send(now time.Duration, from totem.NodeID, to *Node, packet []byte) {
	if to.closed || !n.hears(from, to.id) || n.Drop != nil && n.Drop(from, to.id, packet) {
		return
	}
	copies := 1
	if n.chance(n.Loss) {
		copies = 0
	} else if n.chance(n.Duplicate) {
		copies = 2
	}
	for range copies {
		due := now + n.MinDelay
		if n.MaxDelay > n.MinDelay {
			due += time.Duration(n.random.Int64N(int64(n.MaxDelay - n.MinDelay + 1)))
		}
		n.sent++
		to.arrive(flight{due: due, number: n.sent, from: from, packet: slices.Clone(packet)})
	}
}

func (n *Network) chance(p float64) bool { return p > 0 && n.random.Float64() < p }

// A flight is a packet on its way.
type flight struct {
	due    time.Duration
	number uint64 // in the order of sending: ties arrive so
	from   totem.NodeID
	packet []byte
}

func (f flight) compare(g flight) int {
	return cmp.Or(cmp.Compare(f.due, g.due), cmp.Compare(f.number, g.number))
}

// A Node is one end of the wire. Sends leave at once; Flush does nothing.
type Node struct {
	net     *Network
	id      totem.NodeID
	receive func([]byte)
	coming  []flight // ascending
	closed  bool
}

var _ net.Transport = (*Node)(nil)

func (n *Node) arrive(f flight) {
	at, _ := slices.BinarySearchFunc(n.coming, f, flight.compare)
	n.coming = slices.Insert(n.coming, at, f)
}

// Multicast implements [net.Transport].
func (n *Node) Multicast(now time.Duration, packet []byte) {
	for _, to := range n.net.nodes {
		if to != n && !n.closed {
			n.net.send(now, n.id, to, packet)
		}
	}
}

// Unicast implements [net.Transport].
func (n *Node) Unicast(now time.Duration, id totem.NodeID, packet []byte) {
	for _, to := range n.net.nodes {
		if to.id == id && to != n && !n.closed {
			n.net.send(now, n.id, to, packet)
		}
	}
}

// Flush implements [net.Transport].
func (n *Node) Flush(time.Duration) {}

// Tick receives what is due.
func (n *Node) Tick(now time.Duration) {
	for len(n.coming) > 0 && n.coming[0].due <= now && !n.closed {
		f := n.coming[0]
		n.coming = slices.Delete(n.coming, 0, 1)
		if n.net.hears(f.from, n.id) {
			n.receive(f.packet)
		}
	}
}

// Deadline is when the next packet arrives.
func (n *Node) Deadline() time.Duration {
	if n.closed || len(n.coming) == 0 {
		return net.Never
	}
	return n.coming[0].due
}

// Links tells who can be heard now.
func (n *Node) Links() (all []net.LinkStatus) {
	for _, to := range n.net.nodes {
		if to != n {
			all = append(all, net.LinkStatus{Node: to.id, Enabled: true, Connected: !to.closed && n.net.hears(n.id, to.id)})
		}
	}
	return all
}

// Close takes the node off the wire, like a crash: what is on its way to it is
// lost, what it sent arrives.
func (n *Node) Close() error {
	n.closed = true
	n.coming = nil
	return nil
}
