package votequorum

import (
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// The states of a node (NODESTATE_*).
const (
	stateMember  = 1
	stateDead    = 2
	stateLeaving = 3
)

// A node is what is known of a cluster member, present or past.
type node struct {
	id       int32 // signed as in the reference, which decides who is lowest
	state    uint32
	votes    uint32
	expected uint32
	flags    exec.VoteFlags
}

func (n *node) has(f exec.VoteFlags) bool { return n.flags&f == f }

// set sets or clears flags.
func (n *node) set(f exec.VoteFlags, on bool) {
	n.flags &^= f
	if on {
		n.flags |= f
	}
}

// maxNodes is how many nodes are remembered, this one included
// (cluster_nodes[PROCESSOR_COUNT_MAX + 2], of which one is the device).
const maxNodes = 385

// A nodeList holds every node ever seen, in an order that clients see.
type nodeList []*node

// add inserts n before the first node with a larger number, or else before the
// last one: so 1, 2, 3 coming in turn make 2, 3, 1 (node_add_ordered).
func (l *nodeList) add(n *node) {
	at := slices.IndexFunc(*l, func(m *node) bool { return n.id < m.id })
	if at < 0 {
		at = max(0, len(*l)-1)
	}
	*l = slices.Insert(*l, at, n)
}

func (l nodeList) find(id totem.NodeID) *node {
	for _, n := range l {
		if n.id == int32(id) {
			return n
		}
	}
	return nil
}

// members calls f for every node in the ring.
func (l nodeList) members(f func(*node)) {
	for _, n := range l {
		if n.state == stateMember {
			f(n)
		}
	}
}

// newNode makes a node of this number, in the place of a dead one if there are
// too many; nil if all are alive (allocate_node).
func (s *Service) newNode(id totem.NodeID) *node {
	if len(s.nodes) >= maxNodes {
		dead := slices.IndexFunc(s.nodes, func(n *node) bool { return n.state == stateDead && n != s.us })
		if dead < 0 {
			return nil
		}
		s.nodes = slices.Delete(s.nodes, dead, dead+1)
	}
	n := &node{id: int32(id)}
	s.nodes.add(n)
	return n
}

// find finds a node or, under number 0, the device; nil if it was never seen.
func (s *Service) find(id totem.NodeID) *node {
	if id == 0 {
		return s.device
	}
	return s.nodes.find(id)
}
