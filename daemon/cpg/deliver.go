package cpg

import (
	"cpgol/compat/abi"
	"cpgol/wire/totem"
)

// deliver takes MCAST: every client that is in the group gets the message,
// newest connection first, if the sender's node has a process in the group
// (message_handler_req_exec_cpg_mcast).
func (s *Service) deliver(from totem.NodeID, msg []byte) {
	m := &s.mcast
	if _, err := m.Decode(msg); err != nil {
		s.stats.Malformed++
		return
	}
	g := s.groups[m.Group]
	if !s.heard(g, from) {
		return
	}
	event := abi.CPGDeliver{Group: m.Group, Node: from, PID: m.PID}
	s.head = event.AppendHead(s.head[:0], len(m.Data))
	for i := len(g.clients) - 1; i >= 0; i-- {
		if c := g.clients[i]; c.state.hears() {
			c.conn.Event(s.head, m.Data)
		}
	}
	m.Data = nil
}

// deliverPart takes PARTIAL_MCAST, which goes to clients like MCAST, but only
// from known processes and as long as fragments fit their message.
func (s *Service) deliverPart(from totem.NodeID, msg []byte) {
	m := &s.partial
	if _, err := m.Decode(msg); err != nil {
		s.stats.Malformed++
		return
	}
	g := s.groups[m.Group]
	if g == nil {
		return
	}
	switch p := g.process(from, m.PID); {
	case p == nil:
		s.stats.UnknownSender++
		return
	case !p.long.take(m.Part, m.Total, len(m.Data)):
		s.stats.BadFragment++
		return
	}
	event := abi.CPGPartialDeliver{Group: m.Group, Total: m.Total, Node: from, PID: m.PID, Part: m.Part}
	s.head = event.AppendHead(s.head[:0], len(m.Data))
	for i := len(g.clients) - 1; i >= 0; i-- {
		if c := g.clients[i]; c.state.hears() {
			c.conn.Event(s.head, m.Data)
		}
	}
	m.Data = nil
}

// heard reports whether a message from a node to g is for any client here. It
// is for none if the node is not known to have a process in the group.
func (s *Service) heard(g *group, from totem.NodeID) bool {
	if g == nil {
		return false
	}
	for _, c := range g.clients {
		if c.state.hears() {
			if g.perNode[from] == 0 {
				s.stats.UnknownSender++
				return false
			}
			return true
		}
	}
	return false
}
