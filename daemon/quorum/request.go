package quorum

import (
	"cpgol/compat/abi"
	"cpgol/daemon/service"
)

// answer answers with a number.
func (s *Service) answer(c service.Conn, id int32, st abi.Status, word uint32) {
	s.buf = abi.AppendQuorumWordRes(s.buf[:0], id, st, word)
	c.Respond(s.buf)
}

func (s *Service) status(c service.Conn, id int32, st abi.Status) {
	s.buf = abi.AppendStatus(s.buf[:0], id, st)
	c.Respond(s.buf)
}

func (s *Service) getQuorate(c service.Conn, _ []byte) {
	var word uint32
	if s.quorate {
		word = 1
	}
	s.answer(c, abi.QuorumGetQuorateRes, abi.OK, word)
}

func (s *Service) kind() uint32 {
	if s.provider {
		return abi.QuorumSet
	}
	return abi.QuorumFree
}

func (s *Service) getType(c service.Conn, _ []byte) {
	s.answer(c, abi.QuorumGetTypeRes, abi.OK, s.kind())
}

// modelGetType says which model the client understands and asks for the type.
func (s *Service) modelGetType(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	var m abi.QuorumWord
	if _, err := m.Decode(msg); c == nil || err != nil || m.Word > model1 {
		s.answer(conn, abi.QuorumModelRes, abi.InvalidParam, s.kind())
		return
	}
	c.model = m.Word
	s.answer(conn, abi.QuorumModelRes, abi.OK, s.kind())
}

// trackStart sends the present state before its answer, if asked, and begins
// to track, if asked. Who tracks already is refused, but after being told
// (message_handler_req_lib_quorum_trackstart).
func (s *Service) trackStart(conn service.Conn, msg []byte) {
	c := s.clients[conn]
	var m abi.QuorumWord
	if _, err := m.Decode(msg); c == nil || err != nil {
		s.status(conn, abi.QuorumTrackStartRes, abi.InvalidParam)
		return
	}
	if m.Word&(abi.TrackCurrent|abi.TrackChanges) != 0 {
		s.tellNodes(c, nil, nil)
		s.tellQuorum(c)
	}
	st := abi.OK
	if c.tracking {
		st = abi.Exist
	} else if m.Word&(abi.TrackChanges|abi.TrackChangesOnly) != 0 {
		c.tracking = true
		s.trackers = append(s.trackers, c)
	}
	s.status(conn, abi.QuorumTrackStartRes, st)
}

// trackStop ends tracking; it is no error not to track.
func (s *Service) trackStop(conn service.Conn, _ []byte) {
	if c := s.clients[conn]; c != nil {
		s.untrack(c)
	}
	s.status(conn, abi.QuorumTrackStopRes, abi.OK)
}
