package votequorum

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cpgol/daemon/cmap"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Who breaks a tie (atb_type).
const (
	breakerNone    = 0
	breakerLowest  = 1
	breakerHighest = 2
	breakerList    = 3
)

// maxBreakerList bounds auto_tie_breaker_node (PROCESSOR_COUNT_MAX).
const maxBreakerList = 384

// startKeys are the quorum. keys that count at the start only.
var startKeys = []string{
	"allow_downscale", "wait_for_all", "last_man_standing", "last_man_standing_window",
	"expected_votes_tracking", "auto_tie_breaker", "auto_tie_breaker_node",
}

// settings are the configuration in force.
type settings struct {
	twoNode        bool
	waitForAll     bool
	waitFollows    bool // wait_for_all was not given: it is what two_node is
	allowDownscale bool
	tracking       bool // expected_votes_tracking
	lastMan        bool
	window         time.Duration // of last_man_standing
	breaker        uint32
	startBreaker   uint32 // as read at the start; a later odd cluster may switch it off for a while
	breakerList    []totem.NodeID
	deviceTimeout  time.Duration
	deviceSync     time.Duration
}

const (
	defaultWindow        = 10 * time.Second
	defaultDeviceTimeout = 10 * time.Second
	defaultDeviceSync    = 30 * time.Second
)

type occasion bool

const (
	atStart   occasion = false
	atRuntime occasion = true
)

// unset is the device's votes when nobody gave any (qdevice_votes -1).
const unset = math.MaxUint32

// votes is what one reading of the configuration finds.
type votes struct {
	haveList   bool
	nodes      uint32 // in the node list
	own        uint32
	listed     uint32 // sum over the node list, device included if its votes are computed
	expected   uint32 // quorum.expected_votes; 0 without
	haveDevice bool
	device     uint32 // or unset
}

// readConfig reads the quorum. and nodelist. keys into force. At the start an
// error says why the daemon cannot run; at run time what contradicts itself is
// logged and switched off (votequorum_readconfig).
func (s *Service) readConfig(when occasion) error {
	if when == atRuntime {
		s.cfg.twoNode = false
		s.cfg.breaker = s.cfg.startBreaker
		s.publish("atb_type", cmap.U32(s.cfg.breaker))
	}
	v := votes{}
	v.expected, _ = s.m.U32("quorum.expected_votes")
	s.readNodeList(&v)
	s.readDevice(&v)
	if on, ok := s.m.U8("quorum.two_node"); ok {
		s.cfg.twoNode = on != 0
	}

	if !v.haveList && v.expected == 0 {
		const text = "configuration error: nodelist or quorum.expected_votes must be configured!"
		if when == atStart {
			return errors.New(text)
		}
		s.log.Error(text)
		s.log.Error("will continue with current runtime data")
		return nil
	}
	if err := s.twoNodeOrDevice(when, &v); err != nil {
		return err
	}
	if when == atStart {
		if err := s.readStartKeys(); err != nil {
			return err
		}
	}
	if s.cfg.waitFollows {
		s.cfg.waitForAll = s.cfg.twoNode
	}
	if ok, err := s.breakerFits(when, &v); !ok {
		return err
	}
	if err := s.deviceFits(when, &v); err != nil {
		return err
	}
	s.apply(when, &v)
	return nil
}

// readNodeList counts the votes of the node list; without the local node's place
// in it there is none (votequorum_read_nodelist_configuration).
func (s *Service) readNodeList(v *votes) {
	our, ok := s.m.U32("nodelist.local_node_pos")
	if !ok {
		return
	}
	v.haveList = true
	last := int64(-1)
	for key := range s.m.All("nodelist.node.") {
		at, name, _ := strings.Cut(strings.TrimPrefix(key, "nodelist.node."), ".")
		pos, err := strconv.ParseUint(at, 10, 32)
		if err != nil || name == "" || int64(pos) == last {
			continue
		}
		last = int64(pos)
		n, ok := s.m.U32(fmt.Sprintf("nodelist.node.%d.quorum_votes", pos))
		if !ok {
			n = 1
		}
		v.nodes++
		v.listed += n
		if uint32(pos) == our {
			v.own = n
		}
	}
}

// readDevice reads the quorum device's part (votequorum_qdevice_is_configured).
func (s *Service) readDevice(v *votes) {
	model, _ := s.m.Text("quorum.device.model")
	if model == "" {
		return
	}
	v.haveDevice, v.device = true, unset
	if n, ok := s.m.U32("quorum.device.votes"); ok {
		v.device = n
	}
	s.cfg.deviceTimeout = s.milliseconds("quorum.device.timeout", defaultDeviceTimeout)
	s.cfg.deviceSync = s.milliseconds("quorum.device.sync_timeout", defaultDeviceSync)
	s.setCanOperate(true)
}

func (s *Service) milliseconds(key string, otherwise time.Duration) time.Duration {
	if ms, ok := s.m.U32(key); ok {
		return time.Duration(ms) * time.Millisecond
	}
	return otherwise
}

// twoNodeOrDevice: they exclude each other. At run time the device wins if it is
// registered.
func (s *Service) twoNodeOrDevice(when occasion, v *votes) error {
	if !s.cfg.twoNode || !v.haveDevice {
		return nil
	}
	const text = "configuration error: two_node and quorum device cannot be configured at the same time!"
	if when == atStart {
		return errors.New(text)
	}
	s.log.Error(text)
	if s.us.has(exec.VoteDeviceRegistered) {
		s.log.Error("quorum device is registered, disabling two_node")
		s.cfg.twoNode = false
	} else {
		s.log.Error("quorum device is not registered, allowing two_node")
		s.setCanOperate(false)
	}
	return nil
}

// readStartKeys reads what cannot change while the daemon runs.
func (s *Service) readStartKeys() error {
	on := func(key string) bool {
		v, _ := s.m.U8("quorum." + key)
		return v != 0
	}
	c := &s.cfg
	c.allowDownscale = on("allow_downscale")
	c.waitForAll = on("wait_for_all")
	_, given := s.m.U8("quorum.wait_for_all")
	c.waitFollows = !given
	c.lastMan = on("last_man_standing")
	c.window = s.milliseconds("quorum.last_man_standing_window", defaultWindow)
	s.readBreaker(on("auto_tie_breaker"))
	c.startBreaker = c.breaker
	c.tracking = on("expected_votes_tracking") || c.allowDownscale
	if c.tracking {
		barrier, err := s.tracked.Load()
		if err != nil {
			s.log.Warn(err.Error())
			return errors.New("Unable to load ev_tracking file!")
		}
		s.setTrackingBarrier(barrier)
	}
	return nil
}

// readBreaker finds out who breaks ties (parse_atb_string).
func (s *Service) readBreaker(on bool) {
	text, given := s.m.Text("quorum.auto_tie_breaker_node")
	if !on {
		if given {
			s.log.Warn("auto_tie_breaker_node: is meaningless if auto_tie_breaker is set to 0")
		}
		return
	}
	s.cfg.breaker = breakerLowest
	if given {
		s.cfg.breaker, s.cfg.breakerList = parseBreaker(text)
	}
	s.publish("atb_type", cmap.U32(s.cfg.breaker))
	if s.cfg.breaker == breakerNone {
		s.log.Warn("auto_tie_breaker_nodes is not valid. It must be 'lowest', 'highest' or a " +
			"space-separated list of node IDs. auto_tie_breaker is disabled")
	}
}

// parseBreaker reads "lowest", "highest" or numbers separated by blanks. The
// first thing that is no number, and the number 0, end the list.
func parseBreaker(text string) (kind uint32, list []totem.NodeID) {
	switch text {
	case "lowest":
		return breakerLowest, nil
	case "highest":
		return breakerHighest, nil
	}
	for len(list) < maxBreakerList {
		text = strings.TrimLeft(text, " \t\n\v\f\r")
		end := 0
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '+' || text[0] == '-')) {
			end++
		}
		n, err := strconv.ParseInt(text[:end], 10, 64)
		if n == 0 || err != nil {
			break
		}
		list = append(list, totem.NodeID(n))
		text = text[end:]
	}
	if len(list) == 0 {
		return breakerNone, nil
	}
	return breakerList, list
}

// breakerFits switches two_node off if there is a tie breaker, and the tie
// breaker if the cluster is odd and does not wait for all: then half of it plus
// one could start without the node that decides. ok is false if the rest of the
// configuration is not to be applied.
func (s *Service) breakerFits(when occasion, v *votes) (ok bool, err error) {
	if s.cfg.breaker == breakerNone {
		return true, nil
	}
	if s.cfg.twoNode {
		s.log.Error("two_node and auto_tie_breaker are both specified but are not compatible.")
		s.log.Error("two_node has been disabled, please fix your corosync.conf")
		s.cfg.twoNode = false
	}
	if v.listed%2 == 0 || s.cfg.waitForAll {
		return true, nil
	}
	if s.cfg.lastMan {
		const text = "configuration error: auto_tie_breaker & last_man_standing not available in odd sized cluster"
		s.log.Error(text + "; enable wait_for_all and disable last_man_standing")
		if when == atStart {
			return false, errors.New(text)
		}
		return false, nil
	}
	s.log.Error("auto_tie_breaker is set and the cluster has an odd number of nodes.")
	s.log.Error("wait_for_all needs to be set for this configuration but it is missing")
	s.log.Error("Therefore auto_tie_breaker has been disabled. Please fix your corosync.conf")
	s.cfg.breaker = breakerNone
	s.publish("atb_type", cmap.U32(breakerNone))
	return true, nil
}

// deviceFits holds the quorum device against the rest. At run time a device that
// does not fit may not operate.
func (s *Service) deviceFits(when occasion, v *votes) error {
	const prefix = "configuration error: quorum.device"
	for _, c := range []struct {
		wrong bool
		text  string
	}{
		{v.haveDevice && s.cfg.lastMan, " is not compatible with last_man_standing"},
		{v.haveDevice && s.cfg.breaker != breakerNone, " is not compatible with auto_tie_breaker"},
		{v.haveDevice && s.cfg.allowDownscale, " is not compatible with allow_downscale"},
		{v.haveDevice && v.device == unset && v.expected > 0,
			".votes must be specified when quorum.expected_votes is set"},
		{v.haveDevice && v.device == unset && v.haveList && v.nodes != v.listed,
			".votes must be specified when not all nodes votes 1"},
		{v.device > 0 && v.expected > 0 && int32(v.expected-v.device) < 2,
			".votes is too high or expected_votes is too low"},
	} {
		if !c.wrong {
			continue
		}
		if when == atStart {
			return errors.New(prefix + c.text)
		}
		s.log.Error(prefix + c.text)
		s.log.Error("disabling quorum device operations")
		s.setCanOperate(false)
	}
	return nil
}

// apply puts what was read into force.
func (s *Service) apply(when occasion, v *votes) {
	if v.haveDevice && v.device == unset && v.expected == 0 && v.haveList && v.nodes == v.listed {
		v.device = v.listed - 1
		v.listed += v.device
	}
	if s.cfg.tracking {
		v.expected = s.trackingBarrier
	}
	if v.haveList {
		s.us.votes, s.us.expected = v.own, v.listed
	} else {
		s.us.votes = 1
		if n, ok := s.m.U32("quorum.votes"); ok {
			s.us.votes = n
		}
	}
	if v.expected > 0 {
		s.us.expected = v.expected
	}
	if v.device != unset {
		s.device.votes = v.device // 0 without a device
	}
	s.setBarrier(s.us.expected)
	s.publish("two_node", flag(s.cfg.twoNode))
	switch {
	case s.cfg.waitForAll && when == atStart:
		s.setWaiting(true)
	case !s.cfg.waitForAll && s.cfg.waitFollows && s.waiting:
		s.setWaiting(false) // two_node went, and wait_for_all with it
	}
}
