package conf

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// liveHost is the reference host with a file in it.
func liveHost(text string) Env {
	e := twoFiles(text, "")
	e.TryLog, e.TryDir = nil, nil
	read := e.ReadFile
	e.ReadFile = func(path string, limit int) ([]byte, error) {
		if path == defaultKeyFile {
			return make([]byte, 256), nil
		}
		return read(path, limit)
	}
	return e
}

// TestCompareLive changes a file under a daemon that runs. What a running daemon
// has in its map is what Load says (TestLiveKeys compares it with stock's).
func TestCompareLive(t *testing.T) {
	running, err := Load("a.conf", liveHost(sane(3)))
	if err != nil {
		t.Fatal(err)
	}
	live := append(running.Keys, Key{Name: "runtime.members.1.ip", Type: TypeString, Text: "r(0) ip(192.0.2.1)"},
		Key{Name: "config.reload_status", Type: TypeI32, Num: 1}, Key{Name: "resources.system.load_15min.state", Type: TypeString, Text: "stopped"})
	for _, c := range []struct {
		edit []string
		want string
	}{
		{nil, ""},
		{[]string{"totem token: 5000"}, "changes totem.token: none, 7 5000 | changes runtime.config.totem.token: 3650, 0 5650"},
		{[]string{"totem window_size: 60", "totem token_coefficient: 650"}, "changes totem.window_size: none, 7 60 | changes totem.token_coefficient: none, 8 650"},
		{[]string{"cluster_name: c=>cluster_name: d"}, "restart totem.cluster_name: c, 3 d"},
		{[]string{"-cluster_name"}, "restart totem.cluster_name: c, 0 none"},
		{[]string{"-transport"}, "restart totem.transport: knet, 0 none"},
		{[]string{"totem netmtu: 1500"}, "restart totem.netmtu: none, 7 1500"},
		{[]string{"totem link_mode: active"}, "restart totem.link_mode: none, 7 active"},
		{[]string{"quorum wait_for_all: 1"}, "restart quorum.wait_for_all: none, 30 1"},
		{[]string{"quorum expected_votes: 3"}, "changes quorum.expected_votes: none, 30 3"},
		{[]string{"totem interface {; mcastport: 5555; knet_link_priority: 2; }"},
			"restart totem.interface.0.mcastport: none, 8 5555 | changes totem.interface.0.knet_link_priority: none, 9 2"},
		{[]string{"totem interface {; linknumber: 2; mcastport: 5555; }", "192.0.2.1=>192.0.2.1\nring2_addr: 2001:db8:1::1",
			"192.0.2.2=>192.0.2.2\nring2_addr: 2001:db8:1::2", "192.0.2.3=>192.0.2.3\nring2_addr: 2001:db8:1::3"},
			"changes totem.interface.2.mcastport: none, 9 5555 | changes nodelist.node.1.ring2_addr: none, 24 2001:db8:1::2"},
		{[]string{"totem cluster_uuid: x", "totem rrp_mode: none"}, "stored totem.cluster_uuid: none, 7 x"},
		{[]string{"logging debug: on", "to_syslog: yes=>to_syslog: no"}, "changes logging.debug: none, 33 on | changes logging.to_syslog: yes, 32 no"},
		{[]string{"name: node3=>name: other"}, "changes nodelist.node.2.name: node3, 22 other"},
		{[]string{"totem key: " + strings.Repeat("s", 200)}, "changes totem.key: none, 7 a key"},
		{[]string{"crypto_hash: sha256=>crypto_hash: sha1"}, "changes totem.crypto_hash: sha256, 6 sha1"},
		{[]string{"192.0.2.3=>192.0.2.33"}, "refused: Cannot configure new interface definitions: a.conf:24: nodelist.node.2.ring0_addr"},
		{[]string{"version: 2=>version: two"}, "refused: Unable to reload config file: a.conf:2"},
		{[]string{"totem token: 20", "totem token_coefficient: 0"}, "refused: Configuration is not valid: a.conf:7"},
		{[]string{"nodeid: 1=>nodeid: 9"}, "refused: Cannot configure"},
	} {
		changes, refused, err := CompareLive("a.conf", live, liveHost(sane(3, c.edit...)))
		if err != nil {
			t.Errorf("%q: %v", c.edit, err)
		}
		var lines []string
		if refused != nil {
			lines = append(lines, "refused: "+refused.Error())
		}
		for _, ch := range changes {
			lines = append(lines, fmt.Sprintf("%s %s: %s, %d %s", ch.Fate, ch.Name, ch.Live, ch.Line, ch.New))
		}
		got := strings.Join(lines, " | ")
		if (c.want == "") != (got == "") {
			t.Errorf("%q: %s, want %s", c.edit, got, c.want)
		}
		for want := range strings.SplitSeq(c.want, " | ") {
			if !strings.Contains(got, want) {
				t.Errorf("%q: %s, want %s", c.edit, got, want)
			}
		}
		if n := strings.Count(got, " | "); n > 0 && !strings.Contains(c.want, " | ") && c.want != "" && !strings.Contains(got, "cluster_uuid") {
			t.Errorf("%q: %s, want only %s", c.edit, got, c.want)
		}
	}
	if _, _, err := CompareLive("a.conf", nil, liveHost(sane(3))); err == nil {
		t.Error("an empty map is that of a daemon")
	}
}

// TestCompareLiveSame: a file that has not changed since it was loaded changes
// nothing, whatever is in it.
func TestCompareLiveSame(t *testing.T) {
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	n := 0
	for _, file := range files {
		name := "accept/" + filepath.Base(file)
		c, err := Load(name, referenceHost())
		if err != nil {
			continue // does not start
		}
		changes, refused, err := CompareLive(name, c.Keys, referenceHost())
		if len(changes) > 0 || refused != nil || err != nil {
			t.Errorf("%s: %v, %v, %v", name, changes, refused, err)
		}
		n++
	}
	if n < 60 {
		t.Errorf("only %d files", n)
	}
}
