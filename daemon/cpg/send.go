package cpg

import (
	"encoding/binary"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
)

// An assembly follows the fragments of one long message.
type assembly struct {
	open  bool
	total uint32
	have  uint32
}

// take counts a fragment and reports whether it fits: a first one begins anew,
// the others must be of the same message and not go beyond its end, and the
// last must reach it. After one that does not fit nothing does until a first.
func (a *assembly) take(part exec.Part, total uint32, size int) bool {
	if part == exec.PartFirst {
		*a = assembly{open: true, total: total}
	}
	fits := a.open && part <= exec.PartLast && total == a.total && uint64(size) <= uint64(total-a.have)
	if fits {
		a.have += uint32(size)
		fits = part != exec.PartLast || a.have == total
	}
	a.open = fits && part != exec.PartLast
	return fits
}

// source says which connection a message came from; nobody looks at it.
func (s *Service) source(c *client) exec.Source {
	return exec.Source{Node: s.self, Conn: c.order}
}

// send is cpg_mcast_joined. It has no answer: what cannot be sent is lost, and
// counted.
func (s *Service) send(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	var m abi.CPGMcast
	_, err := m.Decode(msg)
	if c == nil || err != nil || !c.state.maySend() || len(m.Message) > abi.MaxCPGMessage {
		s.stats.Dropped++
		return
	}
	if s.mcastFrom(c, m.Message) != nil {
		s.stats.Dropped++
	}
}

// mcastFrom multicasts a client's message to its group.
func (s *Service) mcastFrom(c *client, message []byte) error {
	binary.LittleEndian.PutUint32(c.head[8:], uint32(exec.McastLen+len(message)))
	binary.LittleEndian.PutUint32(c.head[152:], uint32(len(message)))
	return s.host.Multicast(c.head[:], message)
}

// sendPart is one fragment of a cpg_mcast_joined of over MaxCPGMessage bytes.
func (s *Service) sendPart(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	if c == nil {
		return
	}
	var m abi.CPGPartial
	st := abi.InvalidParam
	if _, err := m.Decode(msg); err == nil {
		st = s.maySendPart(c, &m)
	}
	if st == abi.OK {
		out := exec.PartialMcast{Group: c.group.name, Total: m.Total, PID: c.pid, Part: m.Part, Source: s.source(c)}
		s.head = out.AppendHead(s.head[:0], len(m.Fragment))
		if s.host.Multicast(s.head, m.Fragment) != nil {
			c.long = assembly{} // the library gives the message up
			st = abi.TryAgain
		}
	}
	s.status(conn, abi.CPGPartialRes, st)
}

// maySendPart says what becomes of a fragment: a change of the group ends the
// message that it is in (message_handler_req_lib_cpg_partial_mcast).
func (s *Service) maySendPart(c *client, m *abi.CPGPartial) abi.Status {
	if m.Part == exec.PartFirst {
		c.began = c.changes
	}
	switch {
	case c.changes != c.began:
		return abi.Interrupt
	case !c.state.maySend():
		return abi.NotExist
	case len(m.Fragment) > abi.MaxCPGMessage || !c.long.take(m.Part, m.Total, len(m.Fragment)):
		return abi.InvalidParam
	}
	return abi.OK
}
