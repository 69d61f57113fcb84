package conf

import (
	"errors"
	"strings"
	"testing"
)

// withNodes is a configuration of n nodes with more sections.
func withNodes(n int, more string) string {
	var b strings.Builder
	b.WriteString("totem {\nversion: 2\n}\nnodelist {\n")
	for i := range n {
		d := string(rune('1' + i))
		b.WriteString("node {\nname: node" + d + "\nnodeid: " + d + "\nring0_addr: 192.0.2." + d + "\n}\n")
	}
	return b.String() + "}\n" + more
}

// TestQuorumRules goes through services' rules one by one
// (votequorum_readconfig).
func TestQuorumRules(t *testing.T) {
	const prefix = "configuration error: "
	for _, c := range []struct {
		nodes             int
		quorum, want      string
		warning, warning2 string
	}{
		{nodes: 2, quorum: "two_node: 1"},
		{nodes: 2, quorum: "device {\nmodel: net\n}"},
		{nodes: 2, quorum: "two_node: 1\ndevice {\nmodel:\n}"},
		{nodes: 2, quorum: "two_node: 1\ndevice {\nmodel: net\n}",
			want: prefix + "two_node and quorum device cannot be configured at the same time!"},
		{nodes: 2, quorum: "last_man_standing: 1\ndevice {\nmodel: net\n}",
			want: prefix + "quorum.device is not compatible with last_man_standing"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\ndevice {\nmodel: net\n}",
			want: prefix + "quorum.device is not compatible with auto_tie_breaker"},
		{nodes: 3, quorum: "auto_tie_breaker: 1\ndevice {\nmodel: net\n}", // switched off before
			warning: "auto_tie_breaker is disabled"},
		{nodes: 2, quorum: "allow_downscale: 1\ndevice {\nmodel: net\n}",
			want: prefix + "quorum.device is not compatible with allow_downscale"},
		{nodes: 2, quorum: "expected_votes: 3\ndevice {\nmodel: net\n}",
			want: prefix + "quorum.device.votes must be specified when quorum.expected_votes is set"},
		{nodes: 2, quorum: "expected_votes: 3\ndevice {\nmodel: net\nvotes: 1\n}"},
		{nodes: 2, quorum: "expected_votes: 2\ndevice {\nmodel: net\nvotes: 1\n}",
			want: prefix + "quorum.device.votes is too high or expected_votes is too low"},
		{nodes: 2, quorum: "expected_votes: 1\ndevice {\nmodel: net\nvotes: 4294967295\n}"}, // the difference wraps to 2
		{nodes: 3, quorum: "auto_tie_breaker: 1\nlast_man_standing: 1",
			want: prefix + "auto_tie_breaker & last_man_standing not available in odd sized cluster"},
		{nodes: 3, quorum: "auto_tie_breaker: 1\nlast_man_standing: 1\nwait_for_all: 1"},
		{nodes: 3, quorum: "auto_tie_breaker: 1", warning: "auto_tie_breaker is disabled"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\ntwo_node: 1", warning: "two_node is disabled"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\nauto_tie_breaker_node: 1,2", warning: "ends before ',2'"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\nauto_tie_breaker_node: first", warning: "not 'first'"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\nauto_tie_breaker_node: 1 2"},
		{nodes: 2, quorum: "auto_tie_breaker: 1\nauto_tie_breaker_node: lowest"},
		{nodes: 3, quorum: "two_node: 1", warning: "two_node has no effect with 3 nodes"},
	} {
		text := withNodes(c.nodes, "quorum {\nprovider: corosync_votequorum\n"+c.quorum+"\n}\n")
		config, err := Load("node.toml", tomlHost(text))
		if c.want != "" {
			var e *Error
			if !errors.As(err, &e) || e.Stock() != c.want || e.Status != statusService || e.Line == 0 {
				t.Errorf("%q: %v, want %s", c.quorum, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.quorum, err)
			continue
		}
		var warnings []string
		for _, p := range config.Warnings {
			warnings = append(warnings, p.String())
		}
		all := strings.Join(warnings, "\n")
		if !strings.Contains(all, c.warning) || c.warning == "" && all != "" {
			t.Errorf("%q: warnings %q, want %q", c.quorum, all, c.warning)
		}
	}
}

// TestStartErrors: what passes `corosync -t` and cannot run.
func TestStartErrors(t *testing.T) {
	for _, c := range []struct {
		text, want string
		line       int
	}{
		{withNodes(2, "system {\npriority: urgent\n}\n"), "Priority value urgent is invalid", 17},
		{withNodes(2, "quorum {\nprovider: x\n}\n"), "Invalid quorum provider", 17},
		{withNodes(2, "quorum {\nprovider: corosync_ykd\n}\n"), "corosync_ykd is not supported", 17},
		{withNodes(2, "totem {\nnetmtu: 100\n}\n"), "netmtu 100 is out of range 256..65536", 17},
		{withNodes(2, "totem {\nwindow_size: 1000000\n}\n"), "window_size 1000000 is above 16384", 17},
		{withNodes(2, "totem {\ninterface {\nknet_transport: sctp\n}\n}\n"), "knet_transport sctp is not supported", 18},
		{"totem {\nversion: 2\n}\nnodelist {\nnode {\nnodeid: 1\n}\nnode {\nname: node1\nnodeid: 2\nring0_addr: 192.0.2.1\n}\n}\n",
			"no node id for this host", 0},
	} {
		if err := Test("node.toml", tomlHost(c.text)); err != nil {
			t.Errorf("%s: refused by the test: %v", c.want, err)
		}
		_, err := Load("node.toml", tomlHost(c.text))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, c.want) || e.Line != c.line {
			t.Errorf("%s: got %v", c.want, err)
		}
	}
}

func TestNice(t *testing.T) {
	for text, want := range map[string]int{"": 0, "max": -1 << 31, "min": 1<<31 - 1, "-5": -5, "+5": 5} {
		if n, ok := nice(text); n != want || !ok {
			t.Errorf("%q: %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{"urgent", "5 ", "2147483648", "Max"} {
		if _, ok := nice(text); ok {
			t.Errorf("%q is accepted", text)
		}
	}
}
