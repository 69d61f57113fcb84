package cpg

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// tell tells the clients of g that processes left or joined; the table has the
// group as it is afterwards. Clients of this node whose join this is have
// joined from here on, so it is the first that they hear
// (notify_lib_joinlist).
func (s *Service) tell(g *group, left, joinedNow []abi.Address) {
	for _, a := range joinedNow {
		if a.Node != s.self {
			continue
		}
		if c := s.local[member{a.PID, g.name}]; c != nil && c.state == joining {
			c.state = joined
		}
	}
	s.change.Group, s.change.Left, s.change.Joined = g.name, left, joinedNow
	s.change.Members = s.change.Members[:0]
	for _, p := range g.members[:min(len(g.members), abi.MaxCPGMembers)] {
		a := abi.Address{Node: p.node, PID: p.pid, Reason: exec.ReasonUndefined}
		s.change.Members = append(s.change.Members, a)
	}
	s.buf = s.change.Append(s.buf[:0])
	for i := len(g.clients) - 1; i >= 0; i-- {
		if c := g.clients[i]; c.state.hears() {
			c.conn.Event(s.buf, nil)
			c.changes++
		}
	}
	s.tellRingFirst()
}

// tellRingFirst tells the ring's configuration to every client that asked for
// it when it joined and has not had it. It follows the next change of any
// group, which need not be the client's own.
func (s *Service) tellRingFirst() {
	for i := len(s.open) - 1; i >= 0; i-- {
		if c := s.open[i]; c.wantsRing && !c.toldRing {
			c.toldRing = true
			c.conn.Event(s.ringEvent(s.oldMembers), nil)
		}
	}
}

// tellRing tells the ring's configuration to every client, in a group or not
// (notify_lib_totem_membership).
func (s *Service) tellRing() {
	event := s.ringEvent(s.members)
	for i := len(s.open) - 1; i >= 0; i-- {
		s.open[i].conn.Event(event, nil)
	}
}

// ringEvent encodes the ring's configuration; the result is valid until the
// next use of s.head.
func (s *Service) ringEvent(members []totem.NodeID) []byte {
	m := abi.CPGRing{Ring: s.ring, Members: members}
	s.head = m.Append(s.head[:0])
	return s.head
}

// inParts calls f with many processes of g that leave or join at once: with
// all of them, or with parts that clients have room for. f changes the table
// and tells the clients.
func (s *Service) inParts(g *group, all []abi.Address, f func(part []abi.Address)) {
	for part := range slices.Chunk(all, abi.MaxCPGMembers) {
		f(part)
	}
	s.tidy(g)
}
