package live

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// A plan is a cluster's configuration in a few words.
type plan struct {
	nodes        int
	links        []int // numbers
	other        bool  // link 1 has its other addresses
	cipher, hash string
	key          byte   // all of the key's bytes; 0: the lab's key
	totem        string // further lines of the totem section
	logging      string
	more         string // further sections
}

func (p plan) text(c *cluster) string {
	var b strings.Builder
	b.WriteString("totem {\n  version: 2\n  cluster_name: lab\n  transport: knet\n")
	if p.cipher != "" {
		fmt.Fprintf(&b, "  crypto_cipher: %s\n  crypto_hash: %s\n", p.cipher, p.hash)
	}
	b.WriteString(p.totem + "}\nlogging {\n  to_stderr: yes\n  to_syslog: no\n  timestamp: hires\n" + p.logging + "}\n")
	b.WriteString("quorum {\n  provider: corosync_votequorum\n}\nnodelist {\n")
	for id := 1; id <= p.nodes; id++ {
		fmt.Fprintf(&b, "  node {\n    nodeid: %d\n    name: n%d\n", id, id)
		for _, link := range p.links {
			addr := c.Addr(id, link)
			if link == 1 && p.other {
				addr = otherAddr(id)
			}
			fmt.Fprintf(&b, "    ring%d_addr: %s\n", link, addr)
		}
		b.WriteString("  }\n")
	}
	return b.String() + "}\n" + p.more
}

// otherAddr is a second address on link 1.
func otherAddr(id int) string { return fmt.Sprintf("10.78.0.%d", 100+id) }

func (p plan) authkey() []byte {
	if p.key == 0 {
		return lab.Key()
	}
	return bytes.Repeat([]byte{p.key}, 256)
}

// A changing is a cluster whose configuration changes while clients send.
type changing struct {
	*cluster
	plan    plan
	client  string        // the clients' program
	clients []*lab.Client // on the first three nodes
	talk    talk
}

// reloadCasts are two stock daemons and one of ours, which a fourth node joins.
func reloadCasts() []string {
	if onlyStock() {
		return []string{"ssss"}
	}
	return []string{"soso", "oooo"}
}

// TestReload changes everything that can change in a ring that runs and is in use:
// no client misses a message, and all are told the same order.
func TestReload(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, cast := range reloadCasts() {
		t.Run(cast, func(t *testing.T) {
			t.Parallel()
			c := newChanging(t, cast, 2)
			c.start3()
			c.talk.begin(c.clients)
			c.rekeys()
			c.links()
			c.fourth()
			c.timers()
			c.talk.end(t, c.clients)
		})
	}
}

// TestRekey changes the key again and again, from each node in turn.
func TestRekey(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, cast := range asked("sss", "sos", "oos", "ooo")[1:] {
		t.Run(cast, func(t *testing.T) {
			t.Parallel()
			c := newChanging(t, cast, 1)
			c.start3()
			c.talk.begin(c.clients)
			for i := range 8 * *repeat {
				c.stays(func() {
					c.reload(1+i%3, fmt.Sprintf("key %d", i), func(p *plan) { p.key = byte(1 + i%255) })
					c.settle()
				})
			}
			c.talk.end(t, c.clients)
		})
	}
}

func newChanging(t *testing.T, cast string, links int) *changing {
	return &changing{
		cluster: newCluster(t, cast, lab.Options{Links: links}, lab.Ring{Transport: "knet"}),
		client:  clientBinary, talk: talk{size: 200},
		plan: plan{nodes: 3, links: []int{0}, cipher: "aes256", hash: "sha256"},
	}
}

func (c *changing) must(err error, step string, args ...any) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", fmt.Sprintf(step, args...), err)
	}
}

// start3 starts the first three nodes with a client on each.
func (c *changing) start3() {
	for id := 1; id <= 3; id++ {
		c.must(c.startWith(id), "start node %d", id)
	}
	c.must(c.WaitRing(20*time.Second, 1, 2, 3), "ring")
	for id := 1; id <= 3; id++ {
		client, err := c.Hosts[id-1].StartClient(c.client, "reload")
		c.must(err, "client")
		c.clients = append(c.clients, client)
	}
	for _, client := range c.clients {
		c.must(client.Wait(15*time.Second, func(lines []string) bool { return members(lines) == 3 }), "clients see each other")
	}
}

func (c *changing) startWith(id int) error {
	h := c.Hosts[id-1]
	if c.cast[id-1] == 'o' {
		return h.StartOurs(daemonBinary, c.plan.text(c.cluster), c.plan.authkey())
	}
	return h.StartStock(c.plan.text(c.cluster), c.plan.authkey())
}

// file is where a host's daemon has its configuration.
func (c *changing) file(id int) string {
	name := "corosync.conf"
	if c.cast[id-1] == 'o' {
		name = "cpgold.conf"
	}
	return filepath.Join(c.Hosts[id-1].Dir, "etc", name)
}

// write edits the files on all hosts as an administrator does.
func (c *changing) write(change func(*plan)) {
	c.t.Helper()
	change(&c.plan)
	for id := range c.cast {
		c.must(c.Hosts[id].Edit(filepath.Base(c.file(id+1)), []byte(c.plan.text(c.cluster)), 0o644), "edit")
		c.must(c.Hosts[id].Edit("authkey", c.plan.authkey(), 0o400), "edit the key")
	}
}

// reload edits the files and has the daemon of a node tell all to read them.
func (c *changing) reload(by int, what string, change func(*plan)) {
	c.t.Helper()
	c.t.Logf("%s: -- %s, from node %d", c.cast, what, by)
	c.write(change)
	out := c.tool(by, "corosync-cfgtool", "-R")
	if !strings.HasSuffix(out, "Done\nexit status 0\n") {
		c.t.Fatalf("%s: %s", what, out)
	}
	c.all(3, "config.reload_in_progress", "0")
	c.all(3, "config.reload_status", "1")
}

// all waits until a key has this value on the first n nodes; "" means that it is
// not there.
func (c *changing) all(n int, key, want string) {
	c.t.Helper()
	for id := 1; id <= n; id++ {
		got := ""
		for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			out, err := c.Hosts[id-1].Tool("corosync-cmapctl", "-q", "-g", key)
			if got = strings.TrimSpace(out); err != nil {
				got = ""
			}
			if got == want {
				break
			}
			if time.Since(begin) > 10*time.Second {
				c.t.Fatalf("%s: %s is %q on node %d, not %q", c.cast, key, got, id, want)
			}
		}
	}
}

// stays runs f and expects the ring of the first three nodes to be the same after
// it. A ring may also be lost because a busy machine let it wait: that is told.
func (c *changing) stays(f func()) {
	c.t.Helper()
	before, _, err := c.Hosts[0].Ring()
	c.must(err, "ring")
	f()
	time.Sleep(500 * time.Millisecond)
	after, _, err := c.Hosts[0].Ring()
	c.must(err, "ring")
	switch {
	case before == after:
	case onlyStock():
		// A stock node that misses a message while keys change falls out.
		c.t.Skipf("ring %s became %s: stock alone can lose it", before, after)
	default:
		c.t.Errorf("%s: ring %s became %s", c.cast, before, after)
		for _, h := range c.Hosts[:3] {
			c.t.Logf("node %d (%s):\n%s", h.ID, h.Kind, h.Tail(400))
		}
	}
}

// rekeys changes key, cipher and hash, switches encryption off and on, from stock
// nodes and ours.
func (c *changing) rekeys() {
	c.stays(func() {
		c.reload(1, "another key", func(p *plan) { p.key = 'a' })
		c.settle()
		c.reload(2, "another key and cipher", func(p *plan) { p.key, p.cipher, p.hash = 'b', "aes128", "sha1" })
		c.settle()
		c.all(3, "totem.crypto_cipher", "aes128")
		c.reload(3, "no encryption", func(p *plan) { p.cipher, p.hash = "", "" })
		c.settle()
		c.all(3, "totem.crypto_cipher", "")
		c.reload(2, "encryption again", func(p *plan) { p.key, p.cipher, p.hash = 'c', "aes256", "sha512" })
		c.settle()
	})
}

// settle lets the phases of a change of keys pass while clients send.
func (c *changing) settle() {
	c.t.Helper()
	time.Sleep(2500 * time.Millisecond)
	c.talk.heard(c.t, c.clients)
}

// links adds a second link, on which the ring then lives while the first is away,
// takes it back, and lets it come at other addresses.
func (c *changing) links() {
	for id := 1; id <= 3; id++ {
		c.must(c.Hosts[id-1].AddAddr(1, otherAddr(id)), "another address")
	}
	c.stays(func() {
		c.reload(2, "a second link", func(p *plan) { p.links = []int{0, 1} })
		c.connected(1)
		for _, state := range []string{"down", "up"} {
			for id := 1; id <= 3; id++ {
				c.must(c.Hosts[id-1].SetLink(0, state), "link 0 %s", state)
			}
			time.Sleep(3 * time.Second)
			c.talk.heard(c.t, c.clients)
		}
		c.connected(0)
		c.reload(1, "no second link", func(p *plan) { p.links = []int{0} })
		c.talk.heard(c.t, c.clients)
		c.all(3, "nodelist.node.1.ring1_addr", "")
		c.reload(3, "the second link at other addresses", func(p *plan) { p.links, p.other = []int{0, 1}, true })
		c.connected(1)
		c.all(3, "nodelist.node.1.ring1_addr", otherAddr(2))
		c.reload(2, "one link", func(p *plan) { p.links = []int{0} })
		c.talk.heard(c.t, c.clients)
	})
}

// connected waits until all of the first three nodes see each other over a link.
func (c *changing) connected(link int) {
	c.t.Helper()
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		missing := ""
		for id := 1; id <= 3; id++ {
			for peer := 1; peer <= 3; peer++ {
				key := fmt.Sprintf("stats.knet.node%d.link%d.connected", peer, link)
				if out, _ := c.Hosts[id-1].Tool("corosync-cmapctl", "-q", "-m", "stats", "-g", key); peer != id && strings.TrimSpace(out) != "1" {
					missing = fmt.Sprintf("node %d: %s", id, key)
				}
			}
		}
		if missing == "" {
			return
		}
		if time.Since(begin) > 15*time.Second {
			c.t.Fatalf("%s: not connected: %s", c.cast, missing)
		}
	}
}

// fourth adds a node, which joins with the last key, and takes it out again.
func (c *changing) fourth() {
	c.stays(func() { c.reload(1, "a fourth node", func(p *plan) { p.nodes = 4 }) })
	c.all(3, "nodelist.node.3.nodeid", "4")
	c.expect("4")
	c.must(c.startWith(4), "start node 4")
	c.must(c.WaitRing(20*time.Second, 1, 2, 3, 4), "ring of four")
	client, err := c.Hosts[3].StartClient(clientBinary, "reload")
	c.must(err, "client on node 4")
	c.must(client.WaitCount(15*time.Second, "deliver", 50), "the fourth node hears the others")
	got, want := client.Lines("deliver"), c.clients[0].Lines("deliver")
	if at := slices.Index(want, got[0]); at < 0 {
		c.t.Errorf("%s: the fourth node's first message is unknown: %s", c.cast, got[0])
	}
	c.must(client.Quit(), "client on node 4 leaves")
	c.must(c.Hosts[3].Stop(), "stop node 4")
	c.must(c.WaitRing(20*time.Second, 1, 2, 3), "ring of three")
	c.stays(func() { c.reload(2, "three nodes", func(p *plan) { p.nodes = 3 }) })
	c.all(3, "nodelist.node.3.nodeid", "")
	c.expect("3")
}

// expect waits until all nodes expect so many votes.
func (c *changing) expect(votes string) {
	c.t.Helper()
	line := regexp.MustCompile(`Expected votes:\s+` + votes + `\n`)
	for id := 1; id <= 3; id++ {
		out := ""
		for begin := time.Now(); !line.MatchString(out); time.Sleep(50 * time.Millisecond) {
			if time.Since(begin) > 5*time.Second {
				c.t.Fatalf("%s: node %d does not expect %s votes:\n%s", c.cast, id, votes, out)
			}
			out, _ = c.Hosts[id-1].Tool("corosync-quorumtool", "-s", "-i")
		}
	}
}

// timers changes what the ring goes by, twice.
func (c *changing) timers() {
	c.stays(func() {
		c.reload(3, "timers", func(p *plan) {
			p.totem, p.logging = "  token: 5000\n  window_size: 40\n  join: 60\n", "  debug: on\n"
		})
		c.all(3, "runtime.config.totem.token", "5650")
		c.all(3, "runtime.config.totem.join", "60")
		c.talk.heard(c.t, c.clients)
		c.reload(2, "no timers", func(p *plan) { p.totem, p.logging = "", "" })
		c.all(3, "runtime.config.totem.token", "3650")
		c.all(3, "totem.window_size", "")
	})
}

// A talk is clients that send messages all the time.
type talk struct {
	size int
	stop chan struct{}
	done sync.WaitGroup
	sent atomic.Int64
}

func (k *talk) begin(clients []*lab.Client) {
	k.stop = make(chan struct{})
	for _, c := range clients {
		k.done.Go(func() {
			for tick := time.NewTicker(50 * time.Millisecond); ; {
				select {
				case <-k.stop:
					tick.Stop()
					return
				case <-tick.C:
					if c.Send(5, k.size) != nil {
						return
					}
					k.sent.Add(5)
				}
			}
		})
	}
}

// heard expects all clients to be told of what was sent so far.
func (k *talk) heard(t *testing.T, clients []*lab.Client) {
	t.Helper()
	for i, c := range clients {
		if err := c.WaitCount(60*time.Second, "deliver", int(k.sent.Load())); err != nil {
			t.Fatalf("the client of node %d misses messages: %v", i+1, err)
		}
	}
}

// end stops the talk and holds what the clients were told against each other.
func (k *talk) end(t *testing.T, clients []*lab.Client) {
	t.Helper()
	close(k.stop)
	k.done.Wait()
	k.heard(t, clients)
	time.Sleep(300 * time.Millisecond)
	first := clients[0].Lines("deliver")
	if len(first) != int(k.sent.Load()) {
		t.Errorf("%d messages were sent, %d arrived", k.sent.Load(), len(first))
	}
	for i, c := range clients[1:] {
		if got := c.Lines("deliver"); !slices.Equal(first, got) {
			t.Errorf("nodes 1 and %d were told different orders: %s", i+2, difference(first, got))
		}
	}
	t.Logf("%d messages in one order", len(first))
}

// TestReloadRefused: files that are no configuration, or one that a running ring
// cannot take, change nothing but the key that says so.
func TestReloadRefused(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if onlyStock() {
		t.Skip("stock has taken half of such a file by the time that it refuses it")
	}
	t.Parallel()
	c := newChanging(t, "so", 1)
	c.plan.nodes = 2
	c.must(c.startWith(1), "start")
	c.must(c.startWith(2), "start")
	c.must(c.WaitRing(20*time.Second, 1, 2), "ring")
	if out := c.tool(2, "corosync-cfgtool", "-R"); !strings.HasSuffix(out, "Done\nexit status 0\n") {
		t.Fatal(out)
	}
	good := c.plan.text(c.cluster)
	change := func(old, new string) func() error {
		return func() error { return os.WriteFile(c.file(2), []byte(strings.Replace(good, old, new, 1)), 0o644) }
	}
	key := filepath.Join(c.Hosts[1].Dir, "etc", "authkey")
	for _, tt := range []struct {
		name, says string
		spoil      func() error
	}{
		{"garbage", "Unable to reload config file: /etc/corosync/cpgold.conf:7: Unexpected closing brace", change("totem {", "\x00\xff}{ {")},
		{"gone", "Can't read file /etc/corosync/cpgold.conf: No such file", func() error { return os.Remove(c.file(2)) }},
		{"a folder", "Configuration is not valid: ", func() error { os.Remove(c.file(2)); return os.Mkdir(c.file(2), 0o755) }},
		{"a gigabyte", "file is larger than 16 MiB", func() error { return os.Truncate(c.file(2), 1<<30) }},
		{"never answers", "could not be read in time", func() error {
			os.Remove(c.file(2))
			return mkfifo(c.file(2))
		}},
		{"another address", "new config has different address for link 0", change(c.Addr(1, 0), "10.77.0.99")},
		{"another number", "cannot be changed at run-time (from 2 to 7)", change("nodeid: 2", "nodeid: 7")},
		{"no such host", "Configuration is not valid: ", change("name: n2", "name: other\n    ring1_addr: 10.0.0.1")},
		{"impossible timer", "may not be less than", change("transport", "join: 1\n  transport")},
		{"short key", "Crypto configuration is not valid: ", func() error { return os.WriteFile(key, []byte("short"), 0o400) }},
	} {
		before := c.dump(2)
		if err := tt.spoil(); err != nil {
			t.Fatal(tt.name, err)
		}
		begin := time.Now()
		out := c.tool(2, "corosync-cfgtool", "-R")
		if !strings.HasSuffix(out, "exit status 7\n") || !strings.Contains(out, "Could not reload configuration. Error CS_ERR_INVALID_PARAM") {
			t.Errorf("%s: %s", tt.name, out)
		}
		t.Logf("%s: %v", tt.name, time.Since(begin).Round(time.Millisecond))
		if d := cmp.Diff(before, c.dump(2)); d != "" {
			t.Errorf("%s: the map changed:\n%s", tt.name, d)
		}
		said, _ := c.Hosts[1].Tool("corosync-cmapctl", "-q", "-g", "config.reload_error_message")
		if !strings.Contains(said, tt.says) {
			t.Errorf("%s: %q, want %q", tt.name, said, tt.says)
		}
		if strings.TrimSpace(said) == "" || !strings.Contains(c.Hosts[1].Tail(20), strings.TrimSpace(said)) {
			t.Errorf("%s: the log lacks it:\n%s", tt.name, c.Hosts[1].Tail(20))
		}
		if tt.name == "never answers" { // let the reader go
			if f, err := os.OpenFile(c.file(2), os.O_WRONLY, 0); err == nil {
				f.Close()
			}
		}
		os.Remove(c.file(2))
		c.write(func(*plan) {})
	}
	c.must(c.WaitRing(time.Second, 1, 2), "ring")
	if out := c.tool(2, "corosync-cfgtool", "-R"); !strings.HasSuffix(out, "Done\nexit status 0\n") {
		t.Fatal(out)
	}
}

// dump is a node's map but for counters and what tells of the last reload.
func (c *changing) dump(id int) string {
	out, err := c.Hosts[id-1].Tool("corosync-cmapctl")
	c.must(err, "dump")
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "config.reload_status") && !strings.HasPrefix(line, "config.reload_error_message") &&
			!strings.HasPrefix(line, "runtime.services.") {
			b.WriteString(line)
		}
	}
	return b.String()
}
