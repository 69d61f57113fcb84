package votequorum

import (
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// send queues a message for all nodes. It can only fail for want of room, which
// is logged: the next synchronisation tells everything again.
func (s *Service) send(m interface{ Append([]byte) []byte }) bool {
	if err := s.host.Multicast(m.Append(nil), nil); err != nil {
		s.log.Error("Failed to send message to other nodes", "err", err)
		return false
	}
	return true
}

// sendNodeInfo tells the votes of this node or, of the device, what this node
// thinks they are.
func (s *Service) sendNodeInfo(n *node) bool {
	return s.send(&exec.VoteNodeInfo{
		Node: totem.NodeID(n.id), Votes: n.votes, Expected: n.expected, Flags: n.flags,
	})
}

func (s *Service) sendReconfigure(param uint8, value uint32) bool {
	return s.send(&exec.VoteReconfigure{Node: s.host.Self(), Value: value, Param: param})
}

// nodeInfo takes what a node says of itself or of the device
// (message_handler_req_exec_votequorum_nodeinfo).
func (s *Service) nodeInfo(from totem.NodeID, msg []byte) error {
	var m exec.VoteNodeInfo
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	switch {
	case m.Node == 0:
		s.deviceVotes(from, &m)
	case m.Node != from:
		s.Counters.Impostor++
		s.log.Warn(fmt.Sprintf("node %d sent the votes of node %d: ignored", from, m.Node))
	default:
		s.nodeVotes(&m)
	}
	return nil
}

// deviceVotes takes a node's idea of the device's votes. Those who are quorate
// know better than those who are not; otherwise more is right. The reference
// ends itself if it has not heard of the sender.
func (s *Service) deviceVotes(from totem.NodeID, m *exec.VoteNodeInfo) {
	sender := s.nodes.find(from)
	if sender == nil {
		s.Counters.UnknownSender++
		s.log.Warn(fmt.Sprintf("node %d sent a quorum device's votes before its own: ignored", from))
		return
	}
	old := s.device.votes
	if !s.quorate && sender.has(exec.VoteQuorate) {
		s.device.votes = m.Votes
	} else {
		s.device.votes = max(old, m.Votes)
	}
	if s.device.votes != old {
		s.recalculate(false, false)
	}
}

func (s *Service) nodeVotes(m *exec.VoteNodeInfo) {
	n, before := s.nodes.find(m.Node), node{state: stateDead}
	isNew := n == nil
	if isNew {
		if n = s.newNode(m.Node); n == nil {
			s.Counters.TableFull++
			s.log.Error(fmt.Sprintf("Unable to find memory for node %d data!!", m.Node))
			return
		}
	} else {
		before = *n
	}
	n.flags, n.votes, n.state = m.Flags, m.Votes, stateMember
	allowDecrease, byNodes := false, false
	if n.has(exec.VoteLeaving) {
		n.state = stateLeaving
		allowDecrease, byNodes = true, true
	}
	if !s.quorate && n.has(exec.VoteQuorate) {
		allowDecrease = true
		s.us.expected = m.Expected
	}
	if n.has(exec.VoteQuorate) || s.cfg.tracking {
		n.expected = m.Expected
	} else {
		n.expected = s.us.expected
	}
	if s.cfg.lastMan && n.votes > 1 {
		s.disableLastMan()
	}
	before.id = n.id
	if isNew || n == s.us || n.has(exec.VoteFirst) || before != *n {
		s.recalculate(allowDecrease, byNodes)
	}
	if s.cfg.waitForAll && n.has(exec.VoteQuorate) && !n.has(exec.VoteWaitForAll) {
		s.setWaiting(false)
	}
}

// reconfigure takes a change that a client or a configuration made on one node
// (message_handler_req_exec_votequorum_reconfigure).
func (s *Service) reconfigure(_ totem.NodeID, msg []byte) error {
	var m exec.VoteReconfigure
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	switch m.Param {
	case exec.VoteParamExpected:
		s.expectOfMembers(m.Value)
		s.tellExpected()
		s.setBarrier(m.Value)
		if s.cfg.tracking {
			s.us.expected = max(s.us.expected, s.trackingBarrier)
		}
		s.recalculate(true, false)
	case exec.VoteParamVotes:
		if n := s.find(m.Node); n != nil {
			n.votes = m.Value
			s.recalculate(true, false)
		}
	case exec.VoteParamCancelWaitForAll:
		s.setWaiting(false)
		s.log.Info(fmt.Sprintf("wait_for_all_status reset by user on node %d.", m.Node))
		s.recalculate(false, false)
	}
	return nil
}
