// Package votequorum decides by votes whether this node's partition may act.
//
//	NODEINFO of every member --> votes, expected votes, flags
//	                                    |
//	              calculate: quorum, total votes of the members
//	                                    |
//	        decide: wait_for_all, votes, tie breaker, master wins --> Quorum.Set, trackers
//
// All nodes are told the same messages in the same order and so come to the same
// numbers. A node overwrites what it knows of itself, too, with what comes back
// from the ring: its flags follow delivery, not intent. Configuration is read
// from the map's quorum. and nodelist. keys, at the start and when they change.
//
// Stricter than the reference, whose receivers end themselves or copy on: a
// NODEINFO of the device from a node that nobody has heard of, a NODEINFO in
// another node's name, a device name without an end.
//
// Not done: extra information of devices (after 3.1.10).
//
// Reference: services.md section 4, ipc.md section 5.5, config.md 2.4 and 2.5;
// exec/votequorum.c.
package votequorum

import (
	"fmt"
	"log/slog"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A Quorum is told of every decision, changed or not (quorum_callback). It may
// not keep members.
type Quorum interface {
	Set(members []totem.NodeID, quorate bool, ring totem.RingID)
}

// Options are what the service needs besides its node.
type Options struct {
	// Tracking keeps the highest expected votes over restarts, for
	// quorum.expected_votes_tracking; see [TrackingFile]. Without one they are
	// kept as long as the service.
	Tracking Tracking
	// Log gets the service's lines; nil drops them.
	Log *slog.Logger
}

// levelNotice is syslog's notice.
const levelNotice = slog.LevelInfo + 2

// A Service is the engine votequorum.
type Service struct {
	host    service.Host
	m       *cmap.Map
	q       Quorum
	log     *slog.Logger
	tracked Tracking

	cfg    settings
	us     *node
	device *node // votes only; node 0
	nodes  nodeList

	quorum          uint8 // the reference keeps 8 bits, and so it wraps with it
	quorate         bool
	waiting         bool // wait_for_all's status
	evBarrier       uint32
	trackingBarrier uint32
	lowest, highest int32 // of the members when last quorate by votes; -1 before

	members, previous []totem.NodeID // of this and the last round's ring
	ring              totem.RingID
	sync              syncState
	dev               deviceState
	stopWindow        func() // of last_man_standing; nil when not running

	trackers []*tracker // newest first
	Counters Counters
}

// Counters count what was refused, by cause.
type Counters struct {
	Malformed     uint64 // messages and requests of wrong layout
	Impostor      uint64 // node info in another node's name
	UnknownSender uint64 // device votes from a node that has not told its own
	TableFull     uint64 // node info with no place left for another node
}

var _ service.Syncer = (*Service)(nil)

// New makes the service, reads the configuration, publishes runtime.votequorum.
// keys, protects the keys that only count at the start, and sends the first
// message. The error is the reference's text, for which a daemon does not start
// (votequorum_exec_init_fn).
func New(host service.Host, m *cmap.Map, q Quorum, opt Options) (*Service, error) {
	s := &Service{
		host: host, m: m, q: q, log: opt.Log, tracked: opt.Tracking,
		us:     &node{id: int32(host.Self()), state: stateMember, votes: 1, flags: exec.VoteFirst},
		device: new(node),
		lowest: -1, highest: -1,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.tracked == nil {
		s.tracked = new(untracked)
	}
	s.dev.canOperate = true
	s.nodes.add(s.us)
	s.publish("this_node_id", cmap.U32(uint32(s.us.id)))
	if err := s.readConfig(atStart); err != nil {
		return nil, err
	}
	s.recalculate(false, false)
	for _, key := range startKeys {
		m.Protect("quorum."+key, false)
	}
	s.trackConfig()
	s.sendNodeInfo(s.us)
	return s, nil
}

// ID is service.Votequorum.
func (s *Service) ID() service.ID { return service.Votequorum }

// Name is "votequorum".
func (s *Service) Name() string { return "votequorum" }

// Requests lists what clients can ask. None is throttled: a quorum device must
// be able to vote while a synchronisation waits for it.
func (s *Service) Requests() []service.Request {
	row := func(name string, size int, f func(service.Conn, []byte) error) service.Request {
		return service.Request{Name: name, Size: size, Handle: func(c service.Conn, msg []byte) {
			if err := f(c, msg); err != nil {
				s.Counters.Malformed++
				s.log.Debug("refused request", "pid", c.PID(), "err", err)
				s.status(c, abi.InvalidParam)
			}
		}}
	}
	return []service.Request{
		abi.VoteGetInfoID:          row("getinfo", abi.VoteWordLen, s.getInfo),
		abi.VoteSetExpectedID:      row("setexpected", abi.VoteWordLen, s.setExpected),
		abi.VoteSetVotesID:         row("setvotes", abi.VoteSetVotesLen, s.setVotes),
		abi.VoteTrackStartID:       row("trackstart", abi.VoteTrackStartLen, s.trackStart),
		abi.VoteTrackStopID:        row("trackstop", abi.RequestLen, s.trackStop),
		abi.VoteDeviceRegisterID:   row("qdevice register", abi.VoteDeviceNameLen, s.deviceRegister),
		abi.VoteDeviceUnregisterID: row("qdevice unregister", abi.VoteDeviceNameLen, s.deviceUnregister),
		abi.VoteDeviceUpdateID:     row("qdevice update", abi.VoteDeviceUpdateLen, s.deviceUpdate),
		abi.VoteDevicePollID:       row("qdevice poll", abi.VoteDevicePollLen, s.devicePoll),
		abi.VoteDeviceMasterWinsID: row("qdevice master wins", abi.VoteMasterWinsLen, s.deviceMasterWins),
	}
}

// Messages lists what the services of the nodes say to each other.
func (s *Service) Messages() []service.Message {
	row := func(name string, size int, f func(from totem.NodeID, msg []byte) error) service.Message {
		return service.Message{Name: name, Size: size, Handle: func(from totem.NodeID, msg []byte) {
			if err := f(from, msg); err != nil {
				s.Counters.Malformed++
				s.log.Warn(fmt.Sprintf("node %d: %v", from, err))
			}
		}}
	}
	return []service.Message{
		exec.VoteNodeInfoFn:     row("nodeinfo", 32, s.nodeInfo),
		exec.VoteReconfigureFn:  row("reconfigure", 32, s.reconfigure),
		exec.VoteDeviceFn:       row("qdevice reg", 280, s.deviceOperation),
		exec.VoteDeviceRenameFn: row("qdevice reconfigure", 528, s.deviceRename),
	}
}

// Connected has nothing to do before a request.
func (s *Service) Connected(service.Conn) {}

// Closed ends c's tracking. A device that c was registering is not told any
// more: the reference answers into freed memory.
func (s *Service) Closed(c service.Conn) {
	s.untrack(c)
	if s.dev.registering == c {
		s.dev.registering = nil
	}
}

// Leaving says that this daemon stops in good order: with allow_downscale the
// other nodes expect fewer votes from then on (votequorum_exec_exit_fn).
func (s *Service) Leaving() {
	if s.cfg.allowDownscale {
		s.us.flags |= exec.VoteLeaving
		s.sendNodeInfo(s.us)
	}
	if err := s.tracked.Close(); err != nil {
		s.log.Warn(err.Error())
	}
}

// publish sets one of this service's keys.
func (s *Service) publish(key string, v cmap.Value) { s.m.Set("runtime.votequorum."+key, v) }

// flag is a switch as the map has it.
func flag(on bool) cmap.Value {
	if on {
		return cmap.U8(1)
	}
	return cmap.U8(0)
}
