package votequorum

import (
	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

func (s *Service) status(c service.Conn, st abi.Status) {
	c.Respond(abi.AppendStatus(nil, abi.VoteStatusRes, st))
}

// getInfo tells all about a node; number 0 means this one.
func (s *Service) getInfo(c service.Conn, msg []byte) error {
	r := abi.VoteWordRequest{ID: abi.VoteGetInfoID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	n := s.us
	if r.Word != 0 {
		n = s.nodes.find(totem.NodeID(r.Word))
	}
	info := abi.VoteInfo{Status: abi.NotExist}
	if n != nil {
		info = s.info(n)
	}
	c.Respond(info.Append(nil))
	return nil
}

func (s *Service) info(n *node) abi.VoteInfo {
	info := abi.VoteInfo{
		Status: abi.OK, Node: totem.NodeID(n.id), State: n.state, Votes: n.votes, Expected: n.expected,
		Quorum: uint32(s.quorum), DeviceVotes: s.device.votes, DeviceName: s.dev.name,
	}
	s.nodes.members(func(m *node) {
		info.HighestExpected = max(info.HighestExpected, m.expected)
		info.Total += m.votes
	})
	if n.has(exec.VoteDeviceCastVote) {
		info.Total += s.device.votes
	}
	for _, f := range []struct {
		on   bool
		flag uint32
	}{
		{s.cfg.twoNode, abi.VoteInfoTwoNode},
		{s.quorate, abi.VoteInfoQuorate},
		{s.cfg.waitForAll, abi.VoteInfoWaitForAll},
		{s.cfg.lastMan, abi.VoteInfoLastManStanding},
		{s.cfg.breaker != breakerNone, abi.VoteInfoAutoTieBreaker},
		{s.cfg.allowDownscale, abi.VoteInfoAllowDownscale},
		{n.has(exec.VoteDeviceRegistered), abi.VoteInfoDeviceRegistered},
		{n.has(exec.VoteDeviceAlive), abi.VoteInfoDeviceAlive},
		{n.has(exec.VoteDeviceCastVote), abi.VoteInfoDeviceCastVote},
		{n.has(exec.VoteDeviceMasterWins), abi.VoteInfoDeviceMasterWins},
	} {
		if f.on {
			info.Flags |= f.flag
		}
	}
	return info
}

// setExpected changes what all nodes expect, but not to less than there is, nor
// so that a quorate partition would not be (allow_downscale does not count
// here). It counts here at once, elsewhere at delivery.
func (s *Service) setExpected(c service.Conn, msg []byte) error {
	r := abi.VoteWordRequest{ID: abi.VoteSetExpectedID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	downscale := s.cfg.allowDownscale
	s.cfg.allowDownscale = false
	quorum, total := s.calculate(true, r.Word)
	s.cfg.allowDownscale = downscale
	st := abi.OK
	if r.Word < total || s.quorate && quorum > total {
		st = abi.InvalidParam
	} else {
		s.expectOfMembers(r.Word)
		if !s.sendReconfigure(exec.VoteParamExpected, r.Word) {
			st = abi.NoResources
		}
	}
	s.status(c, st)
	return nil
}

// setVotes changes a node's votes, or under number 0 the device's, unless the
// quorum would then be out of reach or below half of the votes.
func (s *Service) setVotes(c service.Conn, msg []byte) error {
	var r abi.VoteSetVotesRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	n := s.find(r.Node)
	if n == nil {
		s.status(c, abi.NameNotFound)
		return nil
	}
	before := n.votes
	n.votes = r.Votes
	st := abi.OK
	if quorum, total := s.calculate(true, 0); quorum < total/2 || quorum > total {
		n.votes = before
		st = abi.InvalidParam
	} else if !s.send(&exec.VoteReconfigure{Node: r.Node, Value: r.Votes, Param: exec.VoteParamVotes}) {
		st = abi.NoResources
	}
	s.status(c, st)
	return nil
}
