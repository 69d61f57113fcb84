package cpg

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
)

// An iteration is a snapshot that a client reads item by item.
type iteration struct {
	items []abi.CPGIterItem
	next  int
}

// membership answers with the processes of a group, of which clients have room
// for 128.
func (s *Service) membership(conn service.Conn, msg []byte) {
	var m abi.CPGMembership
	out := abi.CPGMembers{Status: abi.OK}
	if _, err := m.Decode(msg); err != nil {
		out.Status = abi.InvalidParam
	} else if g := s.groups[m.Group]; g != nil {
		for _, p := range g.members[:min(len(g.members), abi.MaxCPGMembers)] {
			out.Members = append(out.Members, abi.Address{Node: p.node, PID: p.pid})
		}
	}
	s.buf = out.Append(s.buf[:0])
	conn.Respond(s.buf)
}

// iterInit takes a snapshot of the table.
func (s *Service) iterInit(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	if c == nil {
		return
	}
	var m abi.CPGIterInit
	st, handle := abi.OK, uint64(0)
	if _, err := m.Decode(msg); err != nil {
		st = abi.InvalidParam
	} else if items := s.snapshot(m.Type, &m.Group); len(c.iterations) >= maxIterations || s.iterated+len(items) > maxIterated {
		st = abi.NoMemory
	} else {
		s.iterated += len(items)
		s.handle++
		handle = s.handle
		if c.iterations == nil {
			c.iterations = make(map[uint64]*iteration)
		}
		c.iterations[handle] = &iteration{items: items}
	}
	s.buf = abi.AppendCPGIterInitRes(s.buf[:0], st, handle)
	conn.Respond(s.buf)
}

// snapshot lists the table as the reference's head insertion leaves it: groups
// together, the one that appears last in the table first; in each group the
// first process first, then the others from the end
// (message_handler_req_lib_cpg_iteration_initialize).
func (s *Service) snapshot(kind uint32, only *exec.GroupName) (items []abi.CPGIterItem) {
	var groups []*group // in order of appearance
	members := map[*group]list{}
	for _, p := range s.procs.all {
		if kind == abi.CPGIterGroup && p.group.name != *only {
			continue
		}
		if members[p.group] == nil {
			groups = append(groups, p.group)
		}
		members[p.group] = append(members[p.group], p)
	}
	for _, g := range slices.Backward(groups) {
		if kind == abi.CPGIterNames {
			items = append(items, abi.CPGIterItem{Status: abi.OK, Group: g.name})
			continue
		}
		l := members[g]
		slices.Reverse(l[1:])
		for _, p := range l {
			items = append(items, abi.CPGIterItem{Status: abi.OK, Group: g.name, Node: p.node, PID: p.pid})
		}
	}
	return items
}

// iterNext answers with the next item. After the end it begins anew.
func (s *Service) iterNext(conn service.Conn, msg []byte) {
	item := abi.CPGIterItem{Status: abi.Library}
	if it := s.iteration(conn, msg); it != nil {
		if it.next < len(it.items) {
			item = it.items[it.next]
			it.next++
		} else {
			item.Status = abi.NoSections
			it.next = 0
		}
	}
	s.buf = item.Append(s.buf[:0])
	conn.Respond(s.buf)
}

// iterFinalize ends an iteration.
func (s *Service) iterFinalize(conn service.Conn, msg []byte) {
	st := abi.Library
	var m abi.CPGIter
	if it := s.iteration(conn, msg); it != nil {
		s.iterated -= len(it.items)
		m.Decode(msg)
		delete(s.clients[conn].iterations, m.Handle)
		st = abi.OK
	}
	s.status(conn, abi.CPGIterFinalizeRes, st)
}

// iteration finds the iteration that a request names, among those of its own
// connection; nil if there is none.
func (s *Service) iteration(conn service.Conn, msg []byte) *iteration {
	var m abi.CPGIter
	if c := s.clients[conn]; c != nil {
		if _, err := m.Decode(msg); err == nil {
			return c.iterations[m.Handle]
		}
	}
	return nil
}
