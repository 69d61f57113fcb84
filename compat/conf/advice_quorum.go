package conf

import (
	"fmt"
	"slices"
	"strings"
)

// votes judges the quorum section of a cluster with these nodes.
func (a *adviser) votes(t *totem, nodes []Node) {
	if provider, _ := t.keys.text("quorum.provider"); provider != "corosync_votequorum" {
		if provider == "" && len(nodes) > 1 {
			a.advise("quorum.provider", "no quorum provider: every part of a split cluster goes on as if it were all of it")
		}
		return
	}
	v := (&starter{t: t}).votes()
	a.twoNodes(v)
	a.expected(v)
	a.shrinking(v)
	for _, n := range nodes {
		if len(nodes) > 2 && uint64(n.Votes)*2 > uint64(v.sum) && v.sum > 0 {
			a.advise(nodeName(uint32(n.Pos), "quorum_votes"), "%d of %d votes: without this node there is no quorum", n.Votes, v.sum)
		}
	}
}

// twoNodes judges clusters of two nodes, and two_node in others.
func (a *adviser) twoNodes(v votes) {
	const key = "quorum.two_node"
	switch {
	case v.twoNode && v.nodes == 1 && v.expected != 2:
		a.advise(key, "two_node with one node: it has no effect before there are two")
	case v.nodes != 2 || v.device || v.atb:
	case !v.twoNode && v.sum == 2 && v.expected == 0:
		a.advise(key, "two nodes without two_node: when one fails, the other has no quorum either")
	case v.twoNode && !v.waitForAll:
		a.advise("quorum.wait_for_all", "two_node without wait_for_all: two nodes that start apart are both quorate, and shoot "+
			"each other in turn")
	}
}

// expected compares expected_votes with the nodelist.
func (a *adviser) expected(v votes) {
	const key = "quorum.expected_votes"
	all := v.sum
	if v.device {
		all += v.deviceVotes
		if !v.deviceGiven && v.sum > 0 {
			all += v.sum - 1
		}
	}
	switch {
	case v.sum == 0:
		a.add(key, "no node has a vote: there is never a quorum")
	case v.expected == 0 || v.expected == v.sum || v.expected == all:
	case v.expected < v.sum:
		a.add(key, "%d is less than the votes of the nodelist, %d: parts of a split cluster may both be quorate",
			v.expected, v.sum)
	default:
		a.add(key, "%d is more than the votes of the nodelist, %d: more than half of the nodes may be no quorum",
			v.expected, all)
	}
}

// shrinking judges what lowers the expected votes of a running cluster
// (votequorum.5).
func (a *adviser) shrinking(v votes) {
	const lms = "quorum.last_man_standing"
	if v.lms && !v.waitForAll {
		a.advise(lms, "last_man_standing without wait_for_all: when few nodes are left and the others start apart from them, "+
			"both are quorate")
	}
	if v.lms && v.sum != v.nodes {
		a.advise(lms, "last_man_standing wants nodes with 1 vote each: %d nodes have %d", v.nodes, v.sum)
	}
	if v.downscale {
		a.advise("quorum.allow_downscale", "stock calls allow_downscale incomplete and unsupported")
	}
}

// A deviceRule is what corosync-qdevice demands of one of its texts
// (qdevices/qdevice-net-instance.c, qdevice-instance.c). The daemon does not
// look at them.
type deviceRule struct {
	name     string
	words    []string // in any case
	min, max int64    // of a number, if max is not 0
}

var (
	deviceSwitch = []string{"yes", "on", "1", "no", "off", "0"}
	deviceRules  = []deviceRule{
		{name: "net.port", min: 1, max: 65535},
		{name: "net.tls", words: append([]string{"required"}, deviceSwitch...)},
		{name: "net.algorithm", words: []string{"ffsplit", "lms", "2nodelms"}},
		{name: "net.connect_timeout", min: 1000, max: 120000},
		{name: "net.force_ip_version", words: []string{"0", "4", "6"}},
		{name: "net.keep_active_partition_tie_breaker", words: deviceSwitch},
		{name: "heuristics.mode", words: append([]string{"sync"}, deviceSwitch...)},
		{name: "heuristics.timeout", min: 1000, max: 120000},
		{name: "heuristics.sync_timeout", min: 1000, max: 120000},
		{name: "heuristics.interval", min: 1000, max: 3600000},
	}
)

// device finds what corosync-qdevice will refuse.
func (a *adviser) device(t *totem) {
	const section = "quorum.device."
	model, _ := t.keys.text(section + "model")
	if model == "" {
		return
	}
	if model != "net" {
		a.add(section+"model", "'%s' is no model that corosync-qdevice knows: it knows net", model)
		return
	}
	if _, ok := t.keys.text("totem.cluster_name"); !ok {
		a.add("totem.cluster_name", "no cluster name: corosync-qdevice demands one")
	}
	if host, _ := t.keys.text(section + "net.host"); host == "" {
		a.add(section+"net.host", "no host: corosync-qdevice demands one")
	}
	for _, rule := range deviceRules {
		if text, ok := t.keys.text(section + rule.name); ok && !rule.allows(text) {
			a.add(section+rule.name, "'%s' will be refused by corosync-qdevice: want %s", text, rule.want())
		}
	}
	a.tieBreaker(t, section+"net.tie_breaker")
	algorithm, _ := t.keys.text(section + "net.algorithm")
	votes, _ := t.keys.u32(section + "votes")
	if (algorithm == "" || algorithm == "ffsplit") && votes != 1 {
		a.add(section+"votes", "algorithm ffsplit demands 1 vote for the device")
	}
}

// tieBreaker checks that a node id is one of the nodelist.
func (a *adviser) tieBreaker(t *totem, key string) {
	text, ok := t.keys.text(key)
	if !ok || text == "lowest" || text == "highest" {
		return
	}
	id, ok := parseRange(text, 1, 1<<32-1)
	if !ok || !slices.ContainsFunc(t.nodes(), func(n Node) bool { return int64(n.ID) == id }) {
		a.add(key, "'%s' is neither lowest nor highest nor a node's id", text)
	}
}

func (r *deviceRule) allows(text string) bool {
	if r.max > 0 {
		_, ok := parseRange(text, r.min, r.max)
		return ok
	}
	return slices.Contains(r.words, strings.ToLower(text))
}

func (r *deviceRule) want() string {
	if r.max > 0 {
		return fmt.Sprintf("%d..%d", r.min, r.max)
	}
	return orList(r.words)
}

// log judges where the log's lines go.
func (a *adviser) log() {
	top := a.r.log.Top
	switch {
	case top.ToFile && top.File == "":
		a.add("logging.to_logfile", "has no effect without a logfile")
	case !top.ToFile && !top.Syslog && !top.Stderr:
		a.add("logging.to_syslog", "the log goes nowhere: neither to syslog nor to a file nor to standard error")
	}
	if top.Debug == "trace" {
		a.advise("logging.debug", "trace writes lines for every message: not for long")
	}
}
