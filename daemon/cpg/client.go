package cpg

import (
	"errors"
	"slices"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A state is a connection's (enum cpd_state).
type state uint8

const (
	unjoined state = iota
	joining        // PROCJOIN sent
	joined         // and delivered
	leaving        // PROCLEAVE sent
)

func (st state) String() string {
	return [...]string{"unjoined", "joining", "joined", "leaving"}[st]
}

// hears reports whether the group's events go to the connection.
func (st state) hears() bool { return st == joined || st == leaving }

// maySend reports whether the connection may send to its group.
func (st state) maySend() bool { return st == joining || st == joined }

// A client is one connection (struct cpg_pd). It is in one group at most.
type client struct {
	conn      service.Conn
	order     uint64 // when it came
	finalised bool   // no more events

	state state
	group *group // nil when unjoined
	pid   uint32 // as the client said

	wantsRing bool   // to be told of the ring's configuration at first
	toldRing  bool   // and was
	changes   uint64 // changes told
	long      assembly
	began     uint64 // value of changes when the long message began

	// head is the beginning of every MCAST of this connection; the two sizes
	// are written for each.
	head [exec.McastLen]byte

	iterations map[uint64]*iteration
	buffers    map[uint64]Buffer
}

// is names the client's process in its group.
func (c *client) is() member { return member{c.pid, c.group.name} }

// Connected takes a new connection.
func (s *Service) Connected(conn service.Conn) {
	s.came++
	c := &client{conn: conn, order: s.came}
	s.clients[conn] = c
	s.open = append(s.open, c)
}

// Closed takes the end of a connection. If it was in a group, all members are
// told, in order (cpg_lib_exit_fn).
func (s *Service) Closed(conn service.Conn) {
	c := s.clients[conn]
	if c == nil {
		return
	}
	delete(s.clients, conn)
	if s.observer != nil {
		s.observer.Closed(conn)
	}
	for _, it := range c.iterations {
		s.iterated -= len(it.items)
	}
	for address := range c.buffers {
		s.zero.drop(c, address)
	}
	s.deafen(c)
	if c.state == unjoined {
		return
	}
	if c.state != leaving {
		s.sendLeave(c.is(), exec.ReasonProcDown)
	}
	s.part(c)
}

// part takes a client out of its group: it is not joined any more.
func (s *Service) part(c *client) {
	g := c.group
	delete(s.local, c.is())
	g.clients = slices.DeleteFunc(g.clients, func(d *client) bool { return d == c })
	c.group, c.pid, c.state = nil, 0, unjoined
	s.tidy(g)
}

// deafen ends events to a client; it stays in its group.
func (s *Service) deafen(c *client) {
	isC := func(d *client) bool { return d == c }
	s.open = slices.DeleteFunc(s.open, isC)
	if c.group != nil {
		c.group.clients = slices.DeleteFunc(c.group.clients, isC)
	}
	c.finalised = true
}

// finalize is libcpg's cpg_finalize: no more events. The group is told when
// the connection ends.
func (s *Service) finalize(conn service.Conn, _ []byte) {
	if c := s.clients[conn]; c != nil {
		s.deafen(c)
	}
	s.status(conn, abi.CPGFinalizeRes, abi.OK)
}

// join is cpg_join. It is answered at once; the change comes when all nodes
// have it.
func (s *Service) join(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	if c == nil {
		return
	}
	var m abi.CPGJoin
	_, err := m.Decode(msg)
	st := s.mayJoin(c, &m, err)
	if st == abi.OK {
		st = s.enter(c, &m)
	}
	s.status(conn, abi.CPGJoinRes, st)
}

// mayJoin makes the reference's checks in its order
// (message_handler_req_lib_cpg_join), and those that keep peers and clients
// within their bounds.
func (s *Service) mayJoin(c *client, m *abi.CPGJoin, err error) abi.Status {
	is := member{m.PID, m.Group}
	if err == nil {
		if other := s.local[is]; other != nil && !other.finalised {
			return abi.Exist
		}
		if s.groups[m.Group].process(s.self, m.PID) != nil || s.local[is] != nil || s.flying[is] > 0 {
			return abi.TryAgain // a leave, or a join before it, is not delivered yet
		}
	}
	switch {
	case errors.Is(err, abi.ErrNameTooLong) || m.Group.Len() > maxName:
		return abi.NameTooLong
	case err != nil:
		return abi.InvalidParam
	case c.state == leaving:
		return abi.Busy
	case c.state != unjoined:
		return abi.Exist
	case s.crowded(s.groups[m.Group]):
		return abi.NoResources
	}
	return abi.OK
}

// crowded reports whether one more local process in g would be more than
// clients have room for, or more than this node can announce.
func (s *Service) crowded(g *group) bool {
	if s.procs.perNode[s.self]+len(s.flying) >= maxPerNode {
		return true
	}
	if g == nil {
		return false
	}
	n := len(g.members)
	for _, c := range g.clients {
		if c.state == joining {
			n++
		}
	}
	return n >= abi.MaxCPGMembers
}

// enter sends PROCJOIN and begins to join.
func (s *Service) enter(c *client, m *abi.CPGJoin) abi.Status {
	change := exec.ProcChange{Group: m.Group, PID: m.PID, Reason: exec.ReasonJoin}
	if s.sendChange(&change) != nil {
		return abi.TryAgain
	}
	c.state, c.pid, c.group = joining, m.PID, s.group(&m.Group)
	c.wantsRing = m.Flags&abi.CPGInitialRing != 0
	c.long = assembly{}
	s.local[c.is()] = c
	if !c.finalised {
		at := slices.IndexFunc(c.group.clients, func(d *client) bool { return d.order > c.order })
		if at < 0 {
			at = len(c.group.clients)
		}
		c.group.clients = slices.Insert(c.group.clients, at, c)
	}
	head := exec.Mcast{Group: m.Group, PID: m.PID, Source: s.source(c)}
	head.AppendHead(c.head[:0], 0)
	return abi.OK
}

// leave is cpg_leave, answered at once like join.
func (s *Service) leave(conn service.Conn, _ []byte) {
	c := s.clients[conn]
	if c == nil {
		return
	}
	st := abi.OK
	switch c.state {
	case unjoined, leaving:
		st = abi.NotExist
	case joining:
		st = abi.Busy
	case joined:
		is := c.is()
		change := exec.ProcChange{Leave: true, Group: is.group, PID: is.pid, Reason: exec.ReasonLeave}
		if s.sendChange(&change) != nil {
			st = abi.TryAgain
		} else {
			c.state = leaving
		}
	}
	s.status(conn, abi.CPGLeaveRes, st)
}

// sendChange multicasts a join or leave of this node's and counts it until it
// is delivered.
func (s *Service) sendChange(m *exec.ProcChange) error {
	s.buf = m.Append(s.buf[:0])
	if err := s.host.Multicast(s.buf, nil); err != nil {
		return err
	}
	is := member{m.PID, m.Group}
	s.flying[is]++
	if m.Leave && s.host.SyncInProgress() {
		s.dying[is] = true
		if s.round.sentJoins && s.groups[is.group].process(s.self, is.pid) != nil {
			s.round.dead = append(s.round.dead, is)
		}
	}
	return nil
}

// landed is called when a join or leave of this node's is delivered.
func (s *Service) landed(m *exec.ProcChange) {
	is := member{m.PID, m.Group}
	if s.flying[is] > 0 {
		less(s.flying, is)
	}
	if m.Leave {
		delete(s.dying, is)
	}
}

// retryAfter is how long a leave waits that found the queue full.
const retryAfter = 5 * time.Millisecond

// sendLeave multicasts a leave that nobody will ask for again: if the queue is
// full it is sent later. There is one at most for each join that was sent.
func (s *Service) sendLeave(is member, reason exec.Reason) {
	m := exec.ProcChange{Leave: true, Group: is.group, PID: is.pid, Reason: reason}
	if len(s.unsent) == 0 && s.sendChange(&m) == nil {
		return
	}
	s.flying[is]++ // it counts from now on; see resend
	s.unsent = append(s.unsent, m)
	s.resendLater()
}

func (s *Service) resendLater() {
	if !s.retry {
		s.retry = true
		s.host.After(retryAfter, s.resend)
	}
}

// resend sends the leaves that are due, in their order.
func (s *Service) resend() {
	s.retry = false
	for len(s.unsent) > 0 {
		m := &s.unsent[0]
		if s.sendChange(m) != nil {
			s.resendLater()
			return
		}
		less(s.flying, member{m.PID, m.Group}) // counted twice now
		s.unsent = s.unsent[1:]
	}
	s.unsent = nil
}

// procChange takes PROCJOIN and PROCLEAVE.
func (s *Service) procChange(from totem.NodeID, msg []byte) {
	var m exec.ProcChange
	if _, err := m.Decode(msg); err != nil {
		s.stats.Malformed++
		return
	}
	is := member{m.PID, m.Group}
	if from == s.self {
		s.landed(&m)
	}
	if m.Leave {
		s.round.forget(from, is)
		s.procLeave(from, is, m.Reason)
		return
	}
	s.procJoin(from, is)
	if from == s.self && s.local[is] == nil && s.flying[is] == 0 {
		// The client is gone and its leave overtook the join: a
		// synchronisation came between them.
		s.sendLeave(is, exec.ReasonProcDown)
	}
}

// procJoin adds a process and tells its group (do_proc_join).
func (s *Service) procJoin(node totem.NodeID, is member) {
	g := s.group(&is.group)
	if g.process(node, is.pid) != nil {
		return
	}
	if !s.room(node, 0, 0) {
		s.stats.Refused++
		s.tidy(g)
		return
	}
	s.add(g, node, is.pid)
	if s.observer != nil {
		s.observer.Added(is.group, offload.Member{Node: node, PID: is.pid})
	}
	s.tell(g, nil, []abi.Address{{Node: node, PID: is.pid, Reason: exec.ReasonJoin}})
}

// procLeave tells a group that a process left, and removes it; the group hears
// of it also if it did not know the process (do_proc_leave).
func (s *Service) procLeave(node totem.NodeID, is member, reason exec.Reason) {
	g := s.group(&is.group)
	p := g.process(node, is.pid)
	if p != nil {
		s.remove(p)
	}
	s.tell(g, []abi.Address{{Node: node, PID: is.pid, Reason: reason}}, nil)
	if c := s.local[is]; c != nil && node == s.self && c.state == leaving {
		s.part(c)
	}
	if p != nil && s.observer != nil {
		s.observer.Removed(is.group, offload.Member{Node: node, PID: is.pid})
	}
	s.tidy(g)
}
