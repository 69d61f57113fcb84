package votequorum

import (
	"fmt"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// deviceState is the quorum device as this node knows it. Whether it is
// registered, alive and voting here are flags of this node.
type deviceState struct {
	name        string // of the cluster's one device; "" when none is known
	canOperate  bool   // the configuration allows one
	masterWins  uint8  // what the device said last, 0 no
	registering service.Conn
	stopPoll    func() // nil when the timer is not running
}

func (s *Service) setCanOperate(on bool) {
	s.dev.canOperate = on
	s.publish("qdevice_can_operate", flag(on))
}

// expectPoll gives the device this long for its next poll.
func (s *Service) expectPoll(d time.Duration) {
	s.endPoll()
	s.dev.stopPoll = s.host.After(d, s.deviceLost)
}

func (s *Service) endPoll() {
	if s.dev.stopPoll != nil {
		s.dev.stopPoll()
		s.dev.stopPoll = nil
	}
}

// deviceLost ends the device's vote, and a synchronisation's wait for it even if
// the flags say that it was not alive any more (qdevice_timer_fn).
func (s *Service) deviceLost() {
	s.dev.stopPoll = nil
	s.sync.polling = false
	if !s.us.has(exec.VoteDeviceAlive) {
		return
	}
	s.us.flags &^= exec.VoteDeviceAlive | exec.VoteDeviceCastVote
	s.log.Info(fmt.Sprintf("lost contact with quorum device %s", s.dev.name))
	s.sendNodeInfo(s.us)
}

// deviceOperation takes a registration or its end
// (message_handler_req_exec_votequorum_qdevice_reg).
func (s *Service) deviceOperation(from totem.NodeID, msg []byte) error {
	var m exec.VoteDevice
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	switch {
	case m.Operation == exec.VoteDeviceUnregister:
		s.forgetDevice()
	case m.Operation != exec.VoteDeviceRegister:
	case from != s.host.Self():
		if s.dev.name == "" {
			s.dev.name = m.Name
		}
	case s.us.has(exec.VoteDeviceRegistered):
		// What SyncProcess told the others came back.
	default:
		s.registered(m.Name)
	}
	return nil
}

// forgetDevice drops the name once no member has the device any more.
func (s *Service) forgetDevice() {
	used := false
	s.nodes.members(func(n *node) { used = used || n.has(exec.VoteDeviceRegistered) })
	if !used {
		s.dev.name = ""
	}
}

// registered ends this node's own registration, if its client still waits.
func (s *Service) registered(name string) {
	c := s.dev.registering
	if c == nil {
		s.log.Warn("Unable to determine origin of the qdevice register call!")
		return
	}
	s.dev.registering = nil
	if s.dev.name == "" {
		s.dev.name = name
	}
	if name != s.dev.name {
		s.log.Warn(fmt.Sprintf("A new qdevice with different name (new: %s old: %s) is trying to register!",
			name, s.dev.name))
		s.status(c, abi.Exist)
		return
	}
	s.us.flags |= exec.VoteDeviceRegistered
	s.sendNodeInfo(s.device)
	s.sendNodeInfo(s.us)
	s.status(c, abi.OK)
}

// deviceRename takes another name
// (message_handler_req_exec_votequorum_qdevice_reconfigure).
func (s *Service) deviceRename(_ totem.NodeID, msg []byte) error {
	var m exec.VoteDeviceRename
	if _, err := m.Decode(msg); err != nil {
		return err
	}
	if m.Old == s.dev.name {
		s.dev.name = m.New
	}
	return nil
}

// deviceRegister asks all nodes to take note of the device; the answer waits
// until this node has heard itself.
func (s *Service) deviceRegister(c service.Conn, msg []byte) error {
	r := abi.VoteDeviceRequest{ID: abi.VoteDeviceRegisterID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	switch {
	case !s.dev.canOperate:
		s.log.Info("Registration of quorum device is disabled by incorrect corosync.conf. See logs for more information")
		s.status(c, abi.Access)
	case s.us.has(exec.VoteDeviceRegistered) && r.Name == s.dev.name:
		s.status(c, abi.OK)
	case s.us.has(exec.VoteDeviceRegistered):
		s.log.Warn(fmt.Sprintf("A new qdevice with different name (new: %s old: %s) is trying to re-register!",
			r.Name, s.dev.name))
		s.status(c, abi.Exist)
	case s.dev.registering != nil:
		s.log.Warn("Registration request already in progress")
		s.status(c, abi.TryAgain)
	case !s.send(&exec.VoteDevice{Operation: exec.VoteDeviceRegister, Name: r.Name}):
		s.status(c, abi.TryAgain)
	default:
		s.dev.registering = c
	}
	return nil
}

// ownDevice is what the calls of a registered device are checked for.
func (s *Service) ownDevice(name string) abi.Status {
	switch {
	case !s.us.has(exec.VoteDeviceRegistered):
		return abi.NotExist
	case name != s.dev.name:
		return abi.InvalidParam
	}
	return abi.OK
}

func (s *Service) deviceUnregister(c service.Conn, msg []byte) error {
	r := abi.VoteDeviceRequest{ID: abi.VoteDeviceUnregisterID}
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := s.ownDevice(r.Name)
	if st == abi.OK {
		s.endPoll()
		s.sync.polling = false
		s.us.flags &^= exec.VoteDeviceRegistered | exec.VoteDeviceAlive |
			exec.VoteDeviceCastVote | exec.VoteDeviceMasterWins
		s.sendNodeInfo(s.us)
		s.send(&exec.VoteDevice{Operation: exec.VoteDeviceUnregister, Name: r.Name})
	}
	s.status(c, st)
	return nil
}

func (s *Service) deviceUpdate(c service.Conn, msg []byte) error {
	var r abi.VoteDeviceUpdateRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := s.ownDevice(r.Old)
	if st == abi.OK {
		s.send(&exec.VoteDeviceRename{Old: r.Old, New: r.New})
	}
	s.status(c, st)
	return nil
}

// devicePoll takes the device's vote, which counts only in the ring that the
// last synchronisation was for.
func (s *Service) devicePoll(c service.Conn, msg []byte) error {
	var r abi.VoteDevicePollRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	s.status(c, s.poll(&r))
	return nil
}

func (s *Service) poll(r *abi.VoteDevicePollRequest) abi.Status {
	switch {
	case !s.dev.canOperate:
		return abi.Access
	case !s.us.has(exec.VoteDeviceRegistered):
		return abi.NotExist
	case r.Ring != s.ring:
		s.log.Debug(fmt.Sprintf("Received poll ring id (%v) != last sync ring id (%v). Ignoring poll call.", r.Ring, s.ring))
		return abi.MessageError
	case r.Name != s.dev.name:
		return abi.InvalidParam
	}
	before := s.us.flags
	s.us.flags |= exec.VoteDeviceAlive
	s.us.set(exec.VoteDeviceCastVote, r.CastVote)
	if s.us.flags != before {
		s.sendNodeInfo(s.us)
	}
	s.expectPoll(s.cfg.deviceTimeout)
	s.sync.polling = false
	return abi.OK
}

func (s *Service) deviceMasterWins(c service.Conn, msg []byte) error {
	var r abi.VoteMasterWinsRequest
	if _, err := r.Decode(msg); err != nil {
		return err
	}
	st := abi.Access
	if s.dev.canOperate {
		st = s.ownDevice(r.Name)
	}
	if st == abi.OK {
		before := s.us.flags
		s.us.set(exec.VoteDeviceMasterWins, r.Allow != 0)
		if s.us.flags != before {
			s.sendNodeInfo(s.us)
		}
		s.dev.masterWins = uint8(r.Allow) // 8 bits in the reference, too
		s.publish("qdevice_master_wins", cmap.U8(s.dev.masterWins))
	}
	s.status(c, st)
	return nil
}
