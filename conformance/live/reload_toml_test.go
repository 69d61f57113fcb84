package live

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cpgol/compat/conf"
	"cpgol/conformance/lab"
)

// TestReloadTOML: a node that runs from TOML takes changes of that file over and
// says, at start and reload, that a corosync.conf beside it means something else.
// The ring is one of udpu, to which a node is added that then joins.
func TestReloadTOML(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if onlyStock() {
		t.Skip("stock knows no TOML")
	}
	t.Parallel()
	c := newChanging(t, "os", 1)
	text := func(nodes int, more string) string {
		c.plan.nodes = nodes
		return strings.Replace(c.plan.text(c.cluster), "transport: knet", "transport: udpu\n"+more, 1)
	}
	c.plan.cipher = ""
	toml := func(text string) string {
		keys, err := conf.ParseCorosync(strings.NewReader(text), "corosync.conf")
		c.must(err, "parse")
		out, err := conf.ToTOML(keys)
		c.must(err, "write TOML")
		return string(out)
	}
	h := c.Hosts[0]
	warned := func(times int, keys string) {
		t.Helper()
		want := fmt.Sprintf("this node runs from /etc/corosync/cpgold.conf; /etc/corosync/corosync.conf, which is not read, means something else: %s", keys)
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			b, err := os.ReadFile(h.LogFile())
			c.must(err, "log")
			if strings.Count(string(b), want) == times {
				return
			}
			if time.Since(begin) > 5*time.Second {
				t.Fatalf("the log does not say %d times %q:\n%s", times, want, b)
			}
		}
	}
	c.must(h.Edit("corosync.conf", []byte(text(1, "  token: 4000\n")), 0o644), "edit")
	c.must(h.StartOurs(daemonBinary, toml(text(1, "")), lab.Key()), "start")
	c.must(c.WaitRing(20*time.Second, 1), "ring")
	warned(1, "totem.token\n")
	c.must(h.Edit("cpgold.conf", []byte(toml(text(2, ""))), 0o644), "edit")
	if out := c.tool(1, "corosync-cfgtool", "-R"); !strings.HasSuffix(out, "Done\nexit status 0\n") {
		t.Fatal(out)
	}
	c.all(1, "nodelist.node.1.nodeid", "2")
	warned(1, "nodelist.node.1.name, nodelist.node.1.nodeid, nodelist.node.1.ring0_addr, totem.token\n")
	c.must(c.Hosts[1].StartStock(text(2, ""), lab.Key()), "start node 2")
	c.must(c.WaitRing(20*time.Second, 1, 2), "ring of two")
	c.must(h.Edit("cpgold.conf", []byte("[timers]\ntoken = \"soon\"\n"), 0o644), "edit")
	if out := c.tool(1, "corosync-cfgtool", "-R"); !strings.HasSuffix(out, "exit status 7\n") {
		t.Error(out)
	}
	said, _ := h.Tool("corosync-cmapctl", "-q", "-g", "config.reload_error_message")
	if !strings.Contains(said, "cpgold.conf:2: ") {
		t.Error(said)
	}
}
