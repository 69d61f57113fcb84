package cpg

import (
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// An Observer is told what happens to the groups, at its place in the ring's
// order, and adds requests of its own to those of clients.
type Observer interface {
	// Requests are the further requests by number.
	Requests() map[int32]service.Request
	// Added comes before a group is told that a process joined it, Removed after
	// it was told that one left. Neither is called for what comes and goes with
	// the ring's nodes.
	Added(group exec.GroupName, m offload.Member)
	Removed(group exec.GroupName, m offload.Member)
	// NewRing comes before groups are told who came and went with a new ring.
	NewRing(ring totem.RingID)
	// Closed is the end of a connection.
	Closed(c service.Conn)
}

// Observe has o told from now on. Call it before [Service.Requests].
func (s *Service) Observe(o Observer) { s.observer = o }

// withObserver adds the observer's requests to a table.
func (s *Service) withObserver(table []service.Request) []service.Request {
	if s.observer == nil {
		return table
	}
	for id, r := range s.observer.Requests() {
		for int(id) >= len(table) {
			table = append(table, service.Request{})
		}
		table[id] = r
	}
	return table
}

// Joined is what a connection is in a group with, once its join is delivered and
// until it leaves.
func (s *Service) Joined(conn service.Conn) (group exec.GroupName, pid uint32, ok bool) {
	c := s.clients[conn]
	if c == nil || c.state != joined {
		return group, 0, false
	}
	return c.group.name, c.pid, true
}

// Members are the processes of a group, ascending; the slice is the caller's.
func (s *Service) Members(group exec.GroupName) (all []offload.Member) {
	if g := s.groups[group]; g != nil {
		for _, p := range g.members {
			all = append(all, offload.Member{Node: p.node, PID: p.pid})
		}
	}
	return all
}

// Groups are the names of all groups that have members, in no order.
func (s *Service) Groups() (names []exec.GroupName) {
	for name, g := range s.groups {
		if len(g.members) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// AppendHearers appends the local connections that a group's events go to.
func (s *Service) AppendHearers(conns []service.Conn, group exec.GroupName) []service.Conn {
	if g := s.groups[group]; g != nil {
		for _, c := range g.clients {
			if c.state.hears() {
				conns = append(conns, c.conn)
			}
		}
	}
	return conns
}
