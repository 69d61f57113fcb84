package live

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// mapSteps are configurations that follow each other.
var mapSteps = []struct {
	name   string
	change func(p *plan)
}{
	{name: "nothing", change: func(*plan) {}},
	{name: "timers, logging, users, sections of others", change: func(p *plan) {
		p.totem = "  token: 4000\n  token_retransmits_before_loss_const: 10\n  join: 60\n  max_messages: 20\n  config_version: 7\n"
		p.logging = "  debug: on\n  logger_subsys {\n    subsys: QUORUM\n    debug: off\n  }\n"
		p.more = "uidgid {\n  uid: 1234\n}\nresources {\n  mine: 1\n}\nothers {\n  a: b\n}\n"
	}},
	{name: "other values", change: func(p *plan) {
		p.totem = "  token: 5000\n  knet_pmtud_interval: 20\n  knet_compression_model: zlib\n  block_unlisted_ips: no\n  interface {\n    linknumber: 0\n    knet_link_priority: 3\n    knet_ping_interval: 300\n  }\n"
		p.logging = ""
		p.more = "uidgid {\n  gid: 99\n}\nothers {\n  a: c\n}\n"
	}},
	{name: "quorum", change: func(p *plan) {
		p.totem, p.more = "", "quorum {\n  expected_votes: 5\n  wait_for_all: 1\n}\n"
	}},
	{name: "a second link and a fourth node", change: func(p *plan) { p.more, p.links, p.nodes = "", []int{0, 1}, 4 }},
	{name: "back", change: func(p *plan) { p.links, p.nodes = []int{0}, 3 }},
	{name: "what cannot change", change: func(p *plan) {
		p.totem = "  netmtu: 1500\n  ip_version: ipv4\n  transport: udpu\n"
		p.more = "system {\n  sched_rr: no\n}\n"
	}},
}

// TestReloadKeys holds the whole map of a node of ours against stock's, reload for
// reload.
func TestReloadKeys(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	var both []*changing
	var clusters []*cluster
	for _, cast := range asked("sss", "sos") {
		c := newChanging(t, cast, 2)
		c.start3()
		both, clusters = append(both, c), append(clusters, c.cluster)
	}
	for _, step := range mapSteps {
		maps := make([]map[string]keyValue, len(both))
		for _, c := range both {
			c.reload(2, step.name, step.change)
		}
		time.Sleep(time.Second)
		each(t, clusters, func(i int, c *cluster) error {
			out, err := c.Hosts[1].Tool("corosync-cmapctl")
			maps[i] = keyLines(out)
			return err
		})
		for key, want := range maps[0] {
			if got := maps[1][key]; got != want && !known(key) {
				t.Errorf("%s: %s is %q with stock, %q with ours", step.name, key, want, got)
			}
		}
		for key, got := range maps[1] {
			if _, ok := maps[0][key]; !ok && !known(key) {
				t.Errorf("%s: %s is %q with ours only", step.name, key, got)
			}
		}
	}
}

// reloadDifferences are the keys that are not as with stock after a reload, and why.
var reloadDifferences = []struct{ key, reason string }{
	{`^totem\.interface\.\d\.bindnetaddr$`, "stock's goes with the first reload, though the address is still in use"},
	{`^runtime\.config\.totem\.interface\.\d\.knet_ping_`, "stock's follow the token's timeout one reload late"},
	{`^runtime\.(services|members)\.`, "counts of messages and joins"},
}

func known(key string) bool {
	if onlyStock() {
		return strings.HasPrefix(key, "runtime.services.")
	}
	return slices.ContainsFunc(reloadDifferences, func(d struct{ key, reason string }) bool {
		return regexp.MustCompile(d.key).MatchString(key)
	})
}
