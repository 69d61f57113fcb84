package votequorum

import (
	"fmt"
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// syncState is how far a synchronisation has come.
type syncState struct {
	running bool // decisions are told at its end only
	sent    int  // of the messages of SyncProcess
	told    bool // the trackers know the members
	polling bool // the device has yet to vote in the new ring
}

// SyncInit takes the new members. Nodes stay known for ever; those that went are
// dead. A device that is alive must vote in the new ring before this service
// lets the round go on (votequorum_sync_init).
func (s *Service) SyncInit(_, members []totem.NodeID, ring totem.RingID) {
	s.sync = syncState{running: true}
	if len(members) > 1 {
		s.us.flags &^= exec.VoteFirst
	}
	left := false
	for _, id := range s.members {
		if slices.Contains(members, id) {
			continue
		}
		left = true
		if n := s.nodes.find(id); n != nil {
			n.state = stateDead
		}
	}
	if s.cfg.lastMan {
		s.beginWindow(len(members), left)
	}
	s.previous = append(s.previous[:0], s.members...)
	s.members = append(s.members[:0], members...)
	s.ring = ring
	if s.us.has(exec.VoteDeviceRegistered | exec.VoteDeviceAlive) {
		s.expectPoll(s.cfg.deviceSync)
		s.sync.polling = true
		s.log.Info(fmt.Sprintf("waiting for quorum device %s poll (but maximum for %d ms)",
			s.dev.name, s.cfg.deviceSync.Milliseconds()))
	}
}

// SyncProcess tells what this node knows, each message once, itself before the
// device: a peer of the reference that hears of the device first ends itself.
func (s *Service) SyncProcess() bool {
	for ; s.sync.sent < 3; s.sync.sent++ {
		if !s.sendInSync(s.sync.sent) {
			return false
		}
	}
	if !s.sync.told {
		s.sync.told = true
		s.tellMembers()
	}
	return !(s.us.has(exec.VoteDeviceRegistered) && s.sync.polling)
}

func (s *Service) sendInSync(step int) bool {
	switch step {
	case 0:
		return s.sendNodeInfo(s.us)
	case 1:
		return s.sendNodeInfo(s.device)
	}
	return s.dev.name == "" ||
		s.send(&exec.VoteDevice{Operation: exec.VoteDeviceRegister, Name: s.dev.name})
}

// SyncActivate decides with all members' votes known, and tells it whether it
// is news or not.
func (s *Service) SyncActivate() {
	s.recalculate(false, false)
	s.q.Set(s.members, s.quorate, s.ring)
	s.tellQuorum()
	s.sync.running = false
}

// SyncAbort keeps what the dead round has told.
func (s *Service) SyncAbort() {}

// beginWindow starts last_man_standing's window over: when it ends, those who
// are left are all that is expected.
func (s *Service) beginWindow(members int, left bool) {
	enough := members >= int(s.quorum) && left
	tied := members <= int(s.quorum) && s.cfg.breaker != breakerNone && s.isMember(s.lowest)
	if !enough && !tied {
		return
	}
	s.endWindow()
	s.stopWindow = s.host.After(s.cfg.window, func() {
		s.stopWindow = nil
		if s.quorate {
			s.recalculate(true, true)
		}
	})
}

func (s *Service) endWindow() {
	if s.stopWindow != nil {
		s.stopWindow()
		s.stopWindow = nil
	}
}

func (s *Service) disableLastMan() {
	s.log.Warn("Last Man Standing feature is supported only when all" +
		"cluster nodes votes are set to 1. Disabling LMS.")
	s.cfg.lastMan = false
	s.endWindow()
}
