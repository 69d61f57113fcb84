package votequorum

import (
	"fmt"
	"slices"

	"cpgol/daemon/cmap"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// recalculate counts votes, sets the quorum and decides. With allowDecrease the
// quorum may fall; with byNodes every member is expected to be worth one vote
// and nobody else is expected (recalculate_quorum).
func (s *Service) recalculate(allowDecrease, byNodes bool) {
	var total, count uint32
	s.nodes.members(func(n *node) {
		total += n.votes
		count++
	})
	if s.device.votes > 0 {
		total += s.device.votes
		count++
	}
	if !byNodes {
		count = 0
	}
	if total > s.us.expected {
		s.us.expected = total
		s.tellExpected()
	}
	if s.cfg.tracking && s.us.expected > s.trackingBarrier {
		s.setTrackingBarrier(s.us.expected)
	}
	quorum, total := s.calculate(allowDecrease, count)
	s.quorum = uint8(quorum)
	s.expectOfMembers(count)
	s.decide(total)
}

// calculate returns the quorum, and the votes that count towards it
// (calculate_quorum). maxExpected, unless 0, takes the place of what members
// expect.
func (s *Service) calculate(allowDecrease bool, maxExpected uint32) (quorum, total uint32) {
	if s.cfg.allowDownscale && allowDecrease && maxExpected > 0 {
		maxExpected = max(s.evBarrier, maxExpected)
	}
	var highest, count uint32
	s.nodes.members(func(n *node) {
		highest = max(highest, n.expected)
		total += n.votes
		count++
	})
	if s.us.has(exec.VoteDeviceCastVote) {
		total += s.device.votes
		count++
	}
	if maxExpected > 0 {
		highest = maxExpected
	}
	quorum = max((highest+2)/2, (total+2)/2)
	if !allowDecrease {
		quorum = max(uint32(s.quorum), quorum)
	}
	if s.cfg.twoNode && count <= 2 {
		quorum = 1 // both halves go on; fencing decides between them
	}
	return quorum, total
}

// expectOfMembers sets what all members expect (update_node_expected_votes).
func (s *Service) expectOfMembers(votes uint32) {
	if votes > 0 {
		s.nodes.members(func(n *node) { n.expected = votes })
	}
}

// decide finds out whether this many votes make a quorum, and tells if that is
// news (are_we_quorate).
func (s *Service) decide(total uint32) {
	if s.cfg.waitForAll && s.waiting {
		if total != s.us.expected {
			s.log.Log(nil, levelNotice, fmt.Sprintf(
				"Waiting for all cluster members. Current votes: %d expected_votes: %d", total, s.us.expected))
			return
		}
		s.setWaiting(false)
	}
	quorate := total >= uint32(s.quorum)
	if quorate {
		s.rememberEnds()
	}
	if s.tieBroken(total) {
		quorate = true
	}
	if !quorate && s.dev.masterWins != 0 && s.masterWins() {
		s.log.Debug("node is quorate as part of master_wins partition")
		quorate = true
	}
	changed := s.quorate != quorate
	s.quorate = quorate
	s.us.set(exec.VoteQuorate, quorate)
	if s.cfg.waitForAll {
		s.setWaiting(!quorate)
	}
	if changed && !s.sync.running {
		s.q.Set(s.members, s.quorate, s.ring)
		s.tellQuorum()
	}
}

// rememberEnds notes the lowest and the highest member for the tie breaker.
func (s *Service) rememberEnds() {
	s.lowest, s.highest = s.us.id, s.us.id
	s.nodes.members(func(n *node) {
		s.lowest, s.highest = min(s.lowest, n.id), max(s.highest, n.id)
	})
	s.publish("lowest_node_id", cmap.U32(uint32(s.lowest)))
	s.publish("highest_node_id", cmap.U32(uint32(s.highest)))
}

// tieBroken reports whether this is the half that auto_tie_breaker lets live:
// half of the votes, no quorum possible among those who left, and the node that
// decides is here.
func (s *Service) tieBroken(total uint32) bool {
	if s.cfg.breaker == breakerNone || total != s.us.expected/2 ||
		len(s.previous)-len(s.members) >= int(s.quorum) {
		return false
	}
	switch s.cfg.breaker {
	case breakerLowest:
		return s.isMember(s.lowest)
	case breakerHighest:
		return s.isMember(s.highest)
	}
	return s.listBreaksTie()
}

func (s *Service) isMember(id int32) (found bool) {
	s.nodes.members(func(n *node) { found = found || n.id == id })
	return found
}

// listBreaksTie asks for the first node of the list that is here; those named
// before it must not have been here before, as they may now be elsewhere
// (check_auto_tie_breaker).
func (s *Service) listBreaksTie() bool {
	for i, id := range s.cfg.breakerList {
		if slices.Contains(s.members, id) {
			return !slices.ContainsFunc(s.cfg.breakerList[:i], func(earlier totem.NodeID) bool {
				return slices.Contains(s.previous, earlier)
			})
		}
	}
	return false
}

// masterWins reports whether a member's device votes for this partition and may
// decide alone (check_qdevice_master).
func (s *Service) masterWins() (found bool) {
	s.nodes.members(func(n *node) {
		found = found || n.has(exec.VoteDeviceMasterWins|exec.VoteDeviceCastVote)
	})
	return found
}

func (s *Service) setWaiting(waiting bool) {
	s.waiting = waiting
	s.us.set(exec.VoteWaitForAll, waiting)
	s.publish("wait_for_all_status", flag(waiting))
}

func (s *Service) setBarrier(votes uint32) {
	s.evBarrier = votes
	s.publish("ev_barrier", cmap.U32(votes))
}

func (s *Service) setTrackingBarrier(votes uint32) {
	s.trackingBarrier = votes
	s.publish("ev_tracking_barrier", cmap.U32(votes))
	if err := s.tracked.Store(votes); err != nil {
		s.log.Warn("Unable to update ev_tracking_barrier on disk data!!!", "err", err)
	}
}
