package conf

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// twoFiles is the reference host with a file of two nodes each.
func twoFiles(a, b string) Env {
	e := referenceHost()
	e.ReadFile = func(path string, limit int) ([]byte, error) {
		switch path {
		case "a.conf":
			return []byte(a), nil
		case "b.conf":
			return []byte(b), nil
		}
		return nil, fs.ErrNotExist
	}
	e.TryLog = func(string) error { return fs.ErrNotExist }
	e.TryDir = e.TryLog
	return e
}

func differences(t *testing.T, a, b string) []string {
	t.Helper()
	found, open, err := CompareFiles("a.conf", "b.conf", twoFiles(a, b))
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, a, b)
	}
	var lines []string
	for _, d := range found {
		if d.Why == "" || d.A == d.B || d.A == "" || d.B == "" {
			t.Errorf("%+v", d)
		}
		lines = append(lines, fmt.Sprintf("%d %s %s: %s, %d %s", d.LineA, d.Name, d.What, d.A, d.LineB, d.B))
	}
	for _, o := range open {
		lines = append(lines, "open: "+o)
	}
	return lines
}

// TestCompare changes one thing in the file of another node.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		edit []string
		want string // what is found, and nothing else
	}{
		{nil, ""},
		// What may differ.
		{[]string{"to_syslog: yes=>to_syslog: no", "logging to_logfile: yes", "logging logfile: /no/such/file"}, ""},
		{[]string{"totem block_unlisted_ips: no", "totem link_mode: active", "totem token_warning: 0", "totem crypto_model: openssl",
			"totem knet_compression_model: zlib", "totem knet_mtu: 1400", "totem send_join: 80",
			"totem interface {; knet_link_priority: 7; knet_ping_interval: 200; }"}, ""},
		{[]string{"totem token: 3000", "totem transport: knet", "quorum wait_for_all: 0", "quorum last_man_standing_window: 10000"}, ""},
		{[]string{"ring0_addr: 192.0.2.2=>ring0_addr: node2"}, ""},
		{[]string{"quorum expected_votes: 3"}, ""},
		{[]string{"quorum device {; votes: 0; net {; host: q; }; }"}, ""}, // of no model
		// What may not.
		{[]string{"cluster_name: c=>cluster_name: d"}, "3 totem.cluster_name : c, 3 d"},
		{[]string{"-cluster_name"}, "3 totem.cluster_name : c, 2 none"},
		{[]string{"totem config_version: 4"}, ""},
		{[]string{"crypto_cipher: aes256=>crypto_cipher: aes128"}, "5 totem.crypto_cipher : aes256, 5 aes128"},
		{[]string{"crypto_hash: sha256=>crypto_hash: sha1"}, "6 totem.crypto_hash : sha256, 6 sha1"},
		{[]string{"totem join: 60"}, "2 totem.join the value in use: 50 ms, 7 60 ms"},
		{[]string{"totem token: 4000", "totem consensus: 4380"}, "2 totem.token the value in use: 3650 ms, 7 4650 ms"},
		{[]string{"totem token: 4000", "totem consensus: 4400"},
			"2 totem.token the value in use: 3650 ms, 7 4650 ms\n2 totem.consensus the value in use: 4380 ms, 8 4400 ms"},
		{[]string{"totem token_retransmits_before_loss_const: 5"}, "2 totem.token_retransmit the value in use: 869 ms, 2 701 ms"},
		{[]string{"totem window_size: 60"}, "2 totem.window_size the value in use: 50, 7 60"},
		{[]string{"totem interface {; mcastport: 5500; }"}, "2 totem.interface.0.mcastport : 5405, 8 5500"},
		{[]string{"name: node3=>name: nodeX"}, "22 nodelist.node.2.name of node 3: node3, 22 nodeX"},
		{[]string{"nodeid: 3=>nodeid: 3\nquorum_votes: 2"}, "22 nodelist.node.2.quorum_votes of node 3: 1, 24 2"},
		{[]string{"ring1_addr: 198.51.100.3=>ring1_addr: 198.51.100.33"},
			"25 nodelist.node.2.ring1_addr of node 3: 198.51.100.3, 25 198.51.100.33"},
		{[]string{"ring0_addr: 192.0.2.3=>ring0_addr: node2"}, "24 nodelist.node.2.ring0_addr of node 3: 192.0.2.3, 24 node2 (192.0.2.2)"},
		{[]string{"nodeid: 2=>nodeid: 7", "nodeid: 1=>nodeid: 2", "nodeid: 7=>nodeid: 1", "name: node1=>name: x", "name: node2=>name: node1",
			"name: x=>name: node2", "192.0.2.1=>x", "192.0.2.2=>192.0.2.1", "x=>192.0.2.2", "198.51.100.1=>x", "198.51.100.2=>198.51.100.1",
			"x=>198.51.100.2"}, "10 nodelist.node the order of the nodes: 1 2 3, 10 2 1 3"},
		{[]string{"nodeid: 3=>nodeid: 4"}, "23 nodelist.node.2.nodeid the node: 3, 23 none\n10 nodelist.node the node: none, 23 4"},
		{[]string{"quorum expected_votes: 5"}, "29 quorum.expected_votes the value in use: 3, 30 5"},
		{[]string{"quorum device {; model: net; votes: 1; net {; tls: on; }; }"},
			"29 quorum.device.model : none, 31 net\n29 quorum.device.votes : none, 32 1"},
		{[]string{"quorum device {; model: net; votes: 1; }", "quorum expected_votes: 4"},
			"29 quorum.expected_votes the value in use: 3, 34 4\n29 quorum.device.model : none, 31 net\n29 quorum.device.votes : none, 32 1"},
		{[]string{"quorum wait_for_all: 1"}, "29 quorum.wait_for_all : no, 30 yes"},
		{[]string{"-provider"}, "29 quorum.provider : corosync_votequorum, 0 none"},
		{[]string{"quorum auto_tie_breaker_node: highest"}, "29 quorum.auto_tie_breaker_node : lowest, 30 highest"},
	} {
		a, b := sane(3), sane(3, c.edit...)
		want := "open: the crypto key, which is in a file of its own"
		if c.want != "" {
			want = c.want + "\n" + want
		}
		if got := strings.Join(differences(t, a, b), "\n"); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", c.edit, got, want)
		}
	}
}

// TestCompareCrypto: inline keys are compared and never shown; without crypto
// none is missed.
func TestCompareCrypto(t *testing.T) {
	key := func(c string) string { return "totem key: " + strings.Repeat(c, 200) }
	for _, c := range []struct {
		a, b []string
		want string
	}{
		{[]string{"-crypto"}, []string{"-crypto"}, ""},
		{[]string{key("k")}, []string{key("k")}, ""},
		{[]string{key("k")}, []string{key("q")}, "7 totem.key : a key of 201 bytes, 7 another of 201"},
		{[]string{key("k")}, []string{"totem keyfile: /k"}, "open: the crypto key, which is in a file of its own"},
		{[]string{"-crypto"}, []string{"-crypto", "totem secauth: on"},
			"2 totem.crypto_cipher : none, 2 aes256\n2 totem.crypto_hash : none, 2 sha256"},
	} {
		if got := strings.Join(differences(t, sane(2, c.a...), sane(2, c.b...)), "\n"); got != c.want {
			t.Errorf("%q:\n%s\nwant\n%s", c.b, got, c.want)
		}
	}
}

// TestCompareOthers: more nodes change the timers in use; udp has groups; a node
// that this host is not in can be read all the same.
func TestCompareOthers(t *testing.T) {
	if got := differences(t, sane(3), sane(4)); len(got) != 3 || !strings.HasPrefix(got[0], "2 totem.token the value in use: 3650 ms, 2 4300 ms") {
		t.Errorf("three and four nodes: %q", got)
	}
	udp := []string{"transport: knet=>transport: udp", "-crypto", "-ring1"}
	got := differences(t, sane(2, udp...), sane(2, append(udp, "totem interface {; mcastaddr: 239.1.2.3; }")...))
	if want := "2 totem.interface.0.mcastaddr : 239.192.0.99, 6 239.1.2.3"; len(got) != 1 || got[0] != want {
		t.Errorf("groups: %q, want %s", got, want)
	}
	toml := "format = 1\n[cluster]\nname = \"d\"\n[crypto]\ncipher = \"aes256\"\nhash = \"sha256\"\n" +
		"[[node]]\nid = 1\nname = \"far\"\naddresses = { 0 = \"203.0.113.1\" }\n[quorum]\nprovider = \"corosync_votequorum\"\n"
	far := sane(1, "name: node1=>name: far", "192.0.2.1=>203.0.113.1", "-ring1")
	if got := differences(t, toml, far); len(got) != 2 || got[0] != "3 cluster.name : d, 3 c" {
		t.Errorf("formats: %q", got)
	}
	got = differences(t, toml, strings.Replace(far, "cluster_name: c", "cluster_name: d\ninterface {\nmcastport: 6000\n}", 1))
	if len(got) != 2 || got[0] != "1 link[number=0].port : 5405, 5 6000" {
		t.Errorf("a link of TOML that is not there: %q", got)
	}
	for _, c := range []struct{ a, b, want string }{
		{sane(2), "totem {", "b.conf:1: Missing closing brace"},
		{"totem {\nversion: 2\n}\n", sane(2), "a.conf: No interfaces defined"},
	} {
		if _, _, err := CompareFiles("a.conf", "b.conf", twoFiles(c.a, c.b)); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
