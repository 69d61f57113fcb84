package votequorum

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A tracker is a client that wants to hear of changes.
type tracker struct {
	conn    service.Conn
	context uint64 // the client's own, in every event
}

// trackStart tells the state at once, if the client wants it, and then answers;
// a second one is told again and refused.
func (s *Service) trackStart(c service.Conn, msg []byte) error {
	var r abi.VoteTrackStartRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	if r.Flags&(abi.TrackCurrent|abi.TrackChanges) != 0 {
		t := []*tracker{{c, r.Context}}
		s.tellMembersTo(t)
		s.tellQuorumTo(t)
	}
	st := abi.OK
	if slices.ContainsFunc(s.trackers, func(t *tracker) bool { return t.conn == c }) {
		st = abi.Exist
	} else if r.Flags&(abi.TrackChanges|abi.TrackChangesOnly) != 0 {
		s.trackers = append([]*tracker{{c, r.Context}}, s.trackers...)
	}
	s.status(c, st)
	return nil
}

func (s *Service) trackStop(c service.Conn, _ []byte) error {
	st := abi.NotExist
	if s.untrack(c) {
		st = abi.OK
	}
	s.status(c, st)
	return nil
}

func (s *Service) untrack(c service.Conn) bool {
	before := len(s.trackers)
	s.trackers = slices.DeleteFunc(s.trackers, func(t *tracker) bool { return t.conn == c })
	return len(s.trackers) < before
}

// tellQuorum tells all nodes ever seen and their states, and the device without
// one while it is registered here.
func (s *Service) tellQuorum() { s.tellQuorumTo(s.trackers) }

func (s *Service) tellQuorumTo(to []*tracker) {
	event := abi.VoteQuorum{Quorate: s.quorate}
	for _, n := range s.nodes {
		event.Nodes = append(event.Nodes, abi.VoteNode{Node: totem.NodeID(n.id), State: n.state})
	}
	if s.us.has(exec.VoteDeviceRegistered) {
		event.Nodes = append(event.Nodes, abi.VoteNode{})
	}
	for _, t := range to {
		event.Context = t.context
		t.conn.Event(event.Append(nil), nil)
	}
}

// tellMembers tells the ring's members before the round for it is over: it is
// how a device learns which ring to vote in.
func (s *Service) tellMembers() { s.tellMembersTo(s.trackers) }

func (s *Service) tellMembersTo(to []*tracker) {
	event := abi.VoteNodeList{Ring: s.ring, Members: s.members}
	for _, t := range to {
		event.Context = t.context
		t.conn.Event(event.Append(nil), nil)
	}
}

func (s *Service) tellExpected() {
	for _, t := range s.trackers {
		event := abi.VoteExpected{Context: t.context, Expected: s.us.expected}
		t.conn.Event(event.Append(nil), nil)
	}
}
