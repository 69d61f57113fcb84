package conf

import (
	"strings"
	"testing"
)

// TestAdvice: what is accepted and does not do what it says.
func TestAdvice(t *testing.T) {
	for _, c := range []struct{ more, want string }{
		{"totem {\ntokem: 5\n}\n", "node.toml:17: totem.tokem: has no effect: did you mean token?"},
		{"nodelist {\nnode {\nnodid: 1\n}\n}\n", "node.toml:18: nodelist.node.0.nodid: has no effect: did you mean nodeid?"},
		{"quorum {\nexpectedvotes: 2\n}\n", "did you mean expected_votes?"},
		{"totem.token: 5\n", "node.toml:16: totem.token: is text here and has no effect"},
		{"totem {\nsecauth: yes\n}\n", "totem.secauth: 'yes' is neither on nor off and means off"},
		{"totem {\nblock_unlisted_ips: 0\n}\n", "'0' is neither yes nor no and means yes"},
		{"totem {\ntoken: 5000\ntoken: 6000\n}\n", "node.toml:17: totem.token: has no effect: the value on line 18 counts"},
		{"totem {\ninterface {\nknet_ping_timeout: 3000000000\n}\n}\n", "values above 2147483647 are dropped"},
		{"totem {\ninterface {\nringnumber: 1\n}\n}\n", "totem.interface.ringnumber: has no effect: no link has such a key"},
		{"totem {\ninterface {\nknet_pong_count: 256\n}\n}\n", "knet_pong_count 256 is 0 in libknet's 8 bits"},
		{"totem {\nnodeid: 5\n}\n", "nodeid in totem section is deprecated and ignored."},
		{"totem {\ninterface {\nbindnetaddr: 192.0.2.0\n}\n}\n", "bindnetaddr is used together with nodelist"},
		{"totem {\ninterface {\nmember {\nmemberaddr: 192.0.2.9\n}\n}\n}\n", "Members ignored."},
		{"resources {\nsystem {\nx {\npoll_period: 5\n}\n}\n}\n", "monitor overwrites it"},
		{"pload {\ncount: 5\n}\n", "pload.count: has no effect from a file"},
		{"logging {\ndebug: on\nlogger_subsys {\nsubsys: CPG\n}\n}\n", "turns debug off for this subsystem"},
		{"logging {\nsyslog_facility: local3\nlogger_subsys {\nsubsys: CPG\n}\n}\n", "back to daemon for all"},
		{"nodelist.node.1.ring0_addr: 192.0.2.1\n", "192.0.2.1 is also the address of nodelist.node.0.ring0_addr"},
	} {
		var found []string
		for _, p := range Check("node.toml", tomlHost(withNodes(2, c.more))) {
			if p.Severity > Warning {
				t.Errorf("%q: %v", c.more, p)
			}
			found = append(found, p.String())
		}
		if !strings.Contains(strings.Join(found, "\n"), c.want) {
			t.Errorf("%q: %q, want %s", c.more, found, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"token", "tokem", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s %s: %d", c.a, c.b, got)
		}
	}
}
