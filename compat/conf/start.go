package conf

import (
	"math"
	"strings"
)

// A starter looks for what keeps a configuration that passed all tests from
// running. Stock finds these only by starting.
type starter struct {
	t     *totem
	found []Problem
}

// startProblems returns every reason not to start, and what the reference logs
// as critical and goes on with, in the order in which a start meets them.
func startProblems(t *totem) []Problem {
	s := &starter{t: t}
	s.priority()
	s.totem()
	s.ids()
	s.quorum()
	return s.found
}

func (s *starter) add(sev Severity, status int, key, text string, args ...any) {
	e := refuse(roundStart, key, text, args...)
	e.Status = status
	s.found = append(s.found, Problem{sev, e})
}

func (s *starter) refuse(status int, key, text string, args ...any) {
	s.add(StartError, status, key, text, args...)
}

// priority checks system.priority (exec/main.c:main).
func (s *starter) priority() {
	text, ok := s.t.keys.text("system.priority")
	if _, valid := nice(text); ok && !valid {
		s.refuse(statusConfig, "system.priority", "Priority value %s is invalid", text)
	}
}

// nice turns system.priority into a process priority; the kernel cuts it to
// its range. Empty text is 0.
func nice(text string) (int, bool) {
	switch text {
	case "":
		return 0, true
	case "max":
		return math.MinInt32, true
	case "min":
		return math.MaxInt32, true
	}
	n, ok := parseRange(text, math.MinInt32, math.MaxInt32)
	return int(n), ok
}

// Bounds within which the protocol works. The reference fails an assertion or
// an allocation outside.
const (
	minNetMTU = 256
	maxWindow = 16384 // QUEUE_RTR_ITEMS_SIZE_MAX
)

// totem checks what the totem layer needs to run.
func (s *starter) totem() {
	t := s.t
	if t.nodeID == 0 {
		s.refuse(statusFatal, "", "no node id for this host: the first node has neither name nor ring0_addr, "+
			"so that the nodelist is not looked at")
		return
	}
	for _, n := range t.configured() {
		l := &t.links[n]
		key := linkKey(uint32(n), "knet_transport")
		switch {
		case !l.local.IsValid():
			s.refuse(statusFatal, ringName(n), "this host has no address on link %d", n)
		case t.transport == transportKnet && l.transport != "udp":
			s.refuse(statusFatal, key, "knet_transport %s is not supported: only udp is", l.transport)
		case t.transport == transportKnet && l.pongCount&math.MaxUint8 == 0:
			s.add(Warning, 0, linkKey(uint32(n), "knet_pong_count"),
				"knet_pong_count %d is 0 in libknet's 8 bits: its default 5 is used", l.pongCount)
		}
	}
	if t.netMTU < minNetMTU || t.netMTU > knetMTU {
		s.refuse(statusFatal, "totem.netmtu", "netmtu %d is out of range %d..%d", t.netMTU, minNetMTU, knetMTU)
	}
	if w := t.timers.windowSize; w > maxWindow {
		s.refuse(statusFatal, "totem.window_size", "window_size %d is above %d", w, maxWindow)
	}
}

// ids finds every node id that is given twice. The reference overlooks most
// of them in lists of eleven and more nodes.
func (s *starter) ids() {
	first := make(map[uint32]uint32) // id to position
	reported := make(map[uint32]bool)
	for _, k := range s.t.keys.nodeKeys() {
		id, _, ok := s.t.idAt(k.position)
		if !ok || id == 0 {
			continue
		}
		if other, known := first[id]; known {
			if other == k.position || reported[k.position] {
				continue
			}
			reported[k.position] = true
			s.refuse(statusConfig, nodeName(k.position, "nodeid"),
				"nodeid %d is also that of %s (stock overlooks this)", id, nodeName(other, "nodeid"))
			continue
		}
		first[id] = k.position
	}
}

// A votes is the part of a configuration that the quorum rules look at.
type votes struct {
	expected       uint32 // quorum.expected_votes
	nodes, sum     uint32 // of the nodelist
	device         bool
	deviceVotes    uint32
	deviceGiven    bool
	twoNode, lms   bool
	atb, downscale bool
	waitForAll     bool
}

func (s *starter) votes() votes {
	k := s.t.keys
	flag := func(key string) bool { n, _ := k.u8("quorum." + key); return n != 0 }
	v := votes{twoNode: flag("two_node"), lms: flag("last_man_standing"), downscale: flag("allow_downscale"),
		atb: flag("auto_tie_breaker"), waitForAll: flag("wait_for_all")}
	if _, given := k.u8("quorum.wait_for_all"); !given {
		v.waitForAll = v.twoNode
	}
	v.expected, _ = k.u32("quorum.expected_votes")
	last := int64(-1)
	for _, n := range k.nodeKeys() { // votequorum_read_nodelist_configuration
		if int64(n.position) == last {
			continue
		}
		last = int64(n.position)
		v.nodes++
		own, ok := k.u32(nodeName(n.position, "quorum_votes"))
		if !ok {
			own = 1
		}
		v.sum += own
	}
	model, _ := k.text("quorum.device.model")
	v.device = model != ""
	if v.device {
		v.deviceVotes, v.deviceGiven = k.u32("quorum.device.votes")
	}
	return v
}

// quorum applies the rules of votequorum_readconfig at start. A nodelist there
// is always: the tests before demand it.
func (s *starter) quorum() {
	provider, ok := s.t.keys.text("quorum.provider")
	switch {
	case !ok:
		return
	case provider == "corosync_ykd":
		s.refuse(statusService, "quorum.provider", "quorum provider corosync_ykd is not supported")
		return
	case provider != "corosync_votequorum":
		s.refuse(statusService, "quorum.provider", "Invalid quorum provider")
		return
	}
	if key, text := s.quorumRules(s.votes()); text != "" {
		s.refuse(statusService, key, "configuration error: %s", text)
	}
}

func (s *starter) quorumRules(v votes) (key, text string) {
	if v.twoNode && v.device {
		return "quorum.two_node", "two_node and quorum device cannot be configured at the same time!"
	}
	if v.atb {
		s.tieBreakerNodes()
	}
	if v.twoNode && v.atb {
		s.add(Warning, 0, "quorum.two_node", "two_node and auto_tie_breaker are both specified but are not compatible: "+
			"two_node is disabled")
	}
	if v.atb && v.sum%2 == 1 && !v.waitForAll {
		if v.lms {
			return "quorum.auto_tie_breaker",
				"auto_tie_breaker & last_man_standing not available in odd sized cluster"
		}
		v.atb = false
		s.add(Warning, 0, "quorum.auto_tie_breaker", "auto_tie_breaker needs wait_for_all when the sum of votes is odd: "+
			"auto_tie_breaker is disabled")
	}
	if !v.device {
		return "", ""
	}
	const model = "quorum.device.model"
	switch {
	case v.lms:
		return model, "quorum.device is not compatible with last_man_standing"
	case v.atb:
		return model, "quorum.device is not compatible with auto_tie_breaker"
	case v.downscale:
		return model, "quorum.device is not compatible with allow_downscale"
	case v.expected != 0 && !v.deviceGiven:
		return model, "quorum.device.votes must be specified when quorum.expected_votes is set"
	case !v.deviceGiven && v.nodes != v.sum:
		return model, "quorum.device.votes must be specified when not all nodes votes 1"
	case v.deviceVotes > 0 && v.expected != 0 && int32(v.expected-v.deviceVotes) < 2:
		return "quorum.device.votes", "quorum.device.votes is too high or expected_votes is too low"
	}
	return "", ""
}

// tieBreakerNodes checks auto_tie_breaker_node (parse_atb_string): a list ends
// at the first thing that is no number.
func (s *starter) tieBreakerNodes() {
	text, ok := s.t.keys.text("quorum.auto_tie_breaker_node")
	if !ok || text == "lowest" || text == "highest" {
		return
	}
	const key = "quorum.auto_tie_breaker_node"
	_, _, _, rest, ok := cutNumber(text)
	for n := ok; n; _, _, _, rest, n = cutNumber(rest) {
	}
	switch {
	case !ok:
		s.add(Warning, 0, key, "it must be 'lowest', 'highest' or a space-separated list of node IDs, not '%s'", text)
	case strings.Trim(rest, blanks) != "":
		s.add(Warning, 0, key, "the list of node IDs ends before '%s'", rest)
	}
}
