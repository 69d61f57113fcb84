package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// sane is a configuration of n nodes that leaves nothing to say. edit changes
// its lines: "text" adds one to the section that it begins with, "-text" takes
// lines with this text out.
func sane(n int, edit ...string) string {
	sections := map[string][]string{
		"totem":   {"version: 2", "cluster_name: c", "transport: knet", "crypto_cipher: aes256", "crypto_hash: sha256"},
		"quorum":  {"provider: corosync_votequorum"},
		"logging": {"to_syslog: yes"},
	}
	if n == 2 {
		sections["quorum"] = append(sections["quorum"], "two_node: 1")
	}
	for i := 1; i <= n; i++ {
		sections["nodelist"] = append(sections["nodelist"], "node {", fmt.Sprintf("name: node%d", i), fmt.Sprintf("nodeid: %d", i),
			fmt.Sprintf("ring0_addr: 192.0.2.%d", i), fmt.Sprintf("ring1_addr: 198.51.100.%d", i), "}")
	}
	for _, e := range edit {
		if out, ok := strings.CutPrefix(e, "-"); ok {
			for name, lines := range sections {
				sections[name] = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, out) })
			}
			continue
		}
		if old, new, ok := strings.Cut(e, "=>"); ok {
			for _, lines := range sections {
				for i, l := range lines {
					if before, ok := strings.CutSuffix(l, old); ok {
						lines[i] = before + new
					}
				}
			}
			continue
		}
		name, line, _ := strings.Cut(e, " ")
		sections[name] = append(sections[name], strings.ReplaceAll(line, "; ", "\n"))
	}
	var b strings.Builder
	for _, name := range []string{"totem", "nodelist", "quorum", "logging"} {
		fmt.Fprintf(&b, "%s {\n", name)
		for _, l := range sections[name] {
			b.WriteString(l + "\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// saneHost resolves one name to two addresses, and one to the host itself.
func saneHost(text string) Env {
	e := tomlHost(text)
	resolve := e.Resolve
	e.Resolve = func(name string) ([]netip.Addr, error) {
		switch name {
		case "two":
			return []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.2")}, nil
		case "self":
			return []netip.Addr{netip.MustParseAddr("127.0.1.1")}, nil
		}
		return resolve(name)
	}
	return e
}

func findings(text string) string {
	var found []string
	for _, p := range Check("node.toml", saneHost(text)) {
		found = append(found, p.String())
	}
	return strings.Join(found, "\n")
}

// TestCounsel: what works and could be better. Every case is a sane
// configuration with one thing changed, and gives one finding.
func TestCounsel(t *testing.T) {
	const device = "quorum device {; model: net; votes: 1; net {; host: q; algorithm: lms; VALUE; }; }"
	dev := func(value string) string { return strings.Replace(device, "VALUE", value, 1) }
	for _, c := range []struct {
		nodes int
		edit  []string
		want  string // "" if there is nothing to say
	}{
		{2, nil, ""},
		{2, []string{"-ring1"}, "advice: node.toml:12: nodelist.node.0.ring0_addr: the only link"},
		{2, []string{"transport: knet=>transport: udpu", "-crypto", "-ring1"}, "advice: node.toml:4: totem.transport: transport udpu has one link"},
		{2, []string{"-crypto"}, "totem.crypto_cipher: packets are neither encrypted nor signed"},
		{2, []string{"-crypto_cipher"}, "node.toml:5: totem.crypto_hash: packets are signed, but not encrypted"},
		{2, []string{"crypto_hash: sha256=>crypto_hash: md5"}, "node.toml:6: totem.crypto_hash: md5 is weak"},
		{2, []string{"totem secauth: on", "-crypto"}, ""},
		{1, []string{"-ring1", "-crypto", "-cluster"}, ""}, // not a cluster yet
		{2, []string{"ring0_addr: 192.0.2.2=>ring0_addr: node2"}, "advice: node.toml:18: nodelist.node.1.ring0_addr: node2 is a name: the ring"},
		{3, []string{"ring0_addr: 192.0.2.2=>ring0_addr: node2", "ring0_addr: 192.0.2.3=>ring0_addr: node3"},
			"node2 is a name (and so is another address): the ring"},
		{2, []string{"ring1_addr: 198.51.100.1=>ring1_addr: 192.0.2.1"}, "192.0.2.1 is this node's address on link 0, too"},
		{2, []string{"name: node2=>name: node1"}, "warning: node.toml:16: nodelist.node.1.name: node1 is also the name of nodelist.node.0.name"},
		{2, []string{"-cluster_name"}, "advice: node.toml:2: totem.cluster_name: no cluster name"},
		{3, []string{"totem token: 800", "totem token_coefficient: 0"}, "node.toml:7: totem.token: a token timeout of 800 ms is short for 3 nodes"},
		{2, []string{"totem token: 999"}, "999 ms is short for 2 nodes"},
		{2, []string{"totem token: 1000"}, ""},
		{16, []string{"totem token_coefficient: 0"}, "totem.token_coefficient: a token timeout of 3000 ms is short for 16 nodes"},
		{16, []string{"totem token: 10000", "totem token_coefficient: 0"}, ""},
		{2, []string{"totem token: 61000"}, "a dead node blocks the others"},
		{5, []string{"totem token: 3000", "totem consensus: 3600"}, "totem.consensus: 3600 ms is less than the token timeout of 4950 ms"},
		{2, []string{"totem consensus: 600"}, ""},
		{2, []string{"totem token_retransmit: 2000"}, "no time to send a lost token twice"},
		{2, []string{"totem hold: 714"}, "totem.hold: 714 ms is not less than token_retransmit, 714 ms"},
		{2, []string{"totem heartbeat_failures_allowed: 10"}, "warning: node.toml:7: totem.heartbeat_failures_allowed: has no effect"},
		{2, []string{"totem max_messages: 51"}, "51 is more than window_size, 50"},
		{2, []string{"totem interface {; knet_ping_interval: 1500; }"}, "totem.interface.0.knet_ping_interval: 1500 ms is not less than knet_ping_timeout, 1500 ms"},
		{2, []string{"totem interface {; linknumber: 1; knet_ping_timeout: 3000; }"}, "node.toml:9: totem.interface.1.knet_ping_timeout: 3000 ms is not less than the token timeout"},
		{2, []string{"totem interface {; knet_link_priority: 3; }", "totem link_mode: rr"}, "only link_mode passive looks at priorities, not rr"},
		{2, []string{"totem interface {; knet_link_priority: 3; }", "totem link_mode: passive"}, ""},

		{2, []string{"-provider"}, "no quorum provider: every part"},
		{1, []string{"-provider"}, ""},
		{2, []string{"-two_node"}, "quorum.two_node: two nodes without two_node"},
		{2, []string{"-two_node", dev("tls: on")}, ""},
		{2, []string{"quorum wait_for_all: 0"}, "quorum.wait_for_all: two_node without wait_for_all"},
		{1, []string{"quorum two_node: 1"}, "two_node with one node"},
		{1, []string{"quorum two_node: 1", "quorum expected_votes: 2"}, "warning: node.toml:19: quorum.expected_votes: 2 is more than the votes of the nodelist, 1"},
		{3, []string{"quorum two_node: 1"}, "two_node has no effect with 3 nodes"},
		{3, []string{"quorum expected_votes: 2"}, "2 is less than the votes of the nodelist, 3"},
		{3, []string{"quorum expected_votes: 3"}, ""},
		{3, []string{"nodeid: 3=>nodeid: 3\nquorum_votes: 3"}, "nodelist.node.2.quorum_votes: 3 of 5 votes: without this node"},
		{3, []string{"nodeid: 3=>nodeid: 3\nquorum_votes: 2", "quorum last_man_standing: 1", "quorum wait_for_all: 1"},
			"wants nodes with 1 vote each: 3 nodes have 4"},
		{4, []string{"quorum last_man_standing: 1"}, "last_man_standing without wait_for_all"},
		{4, []string{"quorum allow_downscale: 1"}, "allow_downscale incomplete"},
		{3, []string{dev("port: 0")}, "quorum.device.net.port: '0' will be refused by corosync-qdevice: want 1..65535"},
		{3, []string{dev("tls: Required")}, ""},
		{3, []string{dev("tls: maybe")}, "quorum.device.net.tls: 'maybe' will be refused"},
		{3, []string{dev("tie_breaker: 3")}, ""},
		{3, []string{dev("tie_breaker: 4")}, "'4' is neither lowest nor highest nor a node's id"},
		{3, []string{strings.Replace(dev("x: y"), "lms", "ffsplit", 1)}, ""},
		{3, []string{"quorum device {; model: net; votes: 2; net {; host: q; }; }"}, "ffsplit demands 1 vote"},
		{3, []string{"quorum device {; model: disk; votes: 1; }"}, "quorum.device.model: 'disk' is no model"},
		{3, []string{"quorum device {; model: net; votes: 1; }"}, "no host: corosync-qdevice demands one"},

		{2, []string{"logging to_logfile: yes"}, "logging.to_logfile: has no effect without a logfile"},
		{2, []string{"to_syslog: yes=>to_syslog: no", "logging to_stderr: no"}, "the log goes nowhere"},
		{2, []string{"logging debug: trace"}, "logging.debug: trace writes lines"},
	} {
		text := sane(c.nodes, c.edit...)
		got := findings(text)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%d nodes, %q:\n%s\nwant %s\n%s", c.nodes, c.edit, got, c.want, text)
		}
	}
}

// TestCounselOfSeveral: changes that have more than one consequence.
func TestCounselOfSeveral(t *testing.T) {
	for _, c := range []struct {
		edit []string
		want []string
	}{
		{[]string{"totem block_unlisted_ips: no", "-crypto"}, []string{"neither encrypted", "unsigned as they are"}},
		{[]string{"ring0_addr: 192.0.2.2=>ring0_addr: two"}, []string{"two is a name", "two has the addresses 192.0.2.7, 192.0.2.2: 192.0.2.7 is taken here"}},
		{[]string{"ring0_addr: 192.0.2.2=>ring0_addr: self"}, []string{"self is a name", "self is 127.0.1.1: other nodes cannot reach that"}},
		{[]string{"transport: knet=>transport: udpu", "-crypto", "-ring1", "-nodeid"},
			[]string{"has one link", "no nodeid (nor has another node): it is made of the address, here 3221225985, and changes with it"}},
		{[]string{"nodeid: 1=>nodeid: 1\nquorum_votes: 0", "nodeid: 2=>nodeid: 2\nquorum_votes: 0"}, []string{"never a quorum"}},
		{[]string{"-ring1", "-name: node"}, []string{"the only link", "advice: node.toml:10: nodelist.node.0.name: no name (nor has another node): Pacemaker"}},
		{[]string{"-two_node", "-cluster_name", "quorum device {; model: net; votes: 1; net {; host: q; }; }"},
			[]string{"corosync-qdevice demands one", "DLM"}},
	} {
		got := findings(sane(2, c.edit...))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q:\n%s\nwant %s", c.edit, got, want)
			}
		}
		if n := strings.Count(got, "\n") + 1; n != len(c.want) {
			t.Errorf("%q: %d findings, want %d:\n%s", c.edit, n, len(c.want), got)
		}
	}
}

// TestSaneSizes: defaults fit rings of every size.
func TestSaneSizes(t *testing.T) {
	for n := 1; n <= 32; n++ {
		if got := findings(sane(n)); got != "" {
			t.Errorf("%d nodes: %s", n, got)
		}
	}
}

// TestNoAdvice: files as the usual tools write them give no reason to complain
// but for what their authors know.
func TestNoAdvice(t *testing.T) {
	for file, known := range map[string]string{
		"rhel-pcs-3node-2links":   "",
		"proxmox-2links-priority": "",
		"rhel-pcs-2node":          "the only link",
		"rhel-pcs-qdevice-lms":    "the only link",
		"proxmox-3node":           "the only link",
		"proxmox-qdevice":         "the only link",
		"suse-knet-3node":         "the only link",
		"suse-udpu-2node":         "has one link",
		"debian-default":          "",
	} {
		for _, p := range Check("accept/"+file+".conf", referenceHost()) {
			if p.Key != "totem.interface.ringnumber" && (known == "" || !strings.Contains(p.Text, known)) {
				t.Errorf("%s: %v", file, p)
			}
		}
	}
}
