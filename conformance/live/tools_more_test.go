package live

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// misuse gives the tools what they cannot use, and asks for their help.
func (b *bench) misuse() {
	for tool, lines := range map[string][]string{
		"corosync-quorumtool": {"-h", "-o a -l", "-o x -l", "-o", "-n 2", "-n x", "-v x", "-v -1", "-e x", "-e -1", "-e 70000", "-e 3 -v 1", "-s -l -i", "-s -p -H", "-p -a", "-l -o i -H -i", "-v 1 -n 0", "more"},
		"corosync-cfgtool":    {"", "-h", "-z", "-a", "-a x", "-k", "-k x", "-k 0", "-i", "-i x -s", "-i 10.77.0.99 -s", "-b", "-n -i 0", "-n -b", "-s -n", "more"},
		"corosync-cpgtool":    {"-z", "-d", "-d :: -e", "-d TAB -n -e", "more"},
		"corosync-cmapctl":    {"-h", "-z", "-s", "-s a.b", "-s a.b u8", "-d", "-D", "-g", "-t", "-T", "-p", "-p /none", "-C", "-m", "-b -s a.b u8 1", "-m icmap -C knet", "-g a.b -q", "-q"},
	} {
		for _, args := range lines {
			b.same("", tool, strings.Fields(args)...)
		}
	}
}

// eventCounts are the events that a client was sent when it ended: its own leave
// is among them or not.
var eventCounts = regexp.MustCompile(`(\.(?:sent|dispatched) \(u\d\d\) =) \d+`)

// moreTracking follows statistics, which come and go with clients, and binary keys.
func (b *bench) moreTracking() {
	dir := b.t.TempDir()
	binary := filepath.Join(dir, "binary")
	b.write(binary, "\x00\x01three\xff")
	told := make([][]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		var trackers []*lab.Client
		for _, args := range []string{"-m stats -T stats.ipcs.service2.", "-m stats -t stats.knet.node1.link0.enabled", "-b -T bin.", "-T bin."} {
			p, err := c.Hosts[1].StartClient("stdbuf", append([]string{"-oL", "corosync-cmapctl"}, strings.Fields(args)...)...)
			if err != nil {
				return err
			}
			trackers = append(trackers, p)
		}
		time.Sleep(300 * time.Millisecond)
		client, err := c.Hosts[1].StartClient(clientBinary, "tracked")
		if err != nil {
			return err
		}
		if err := client.WaitCount(10*time.Second, "confchg", 1); err != nil {
			return err
		}
		if err := client.Quit(); err != nil {
			return err
		}
		for _, args := range []string{"-s bin.key bin " + binary, "-s bin.key u8 3", "-s bin.key bin " + binary, "-d bin.key"} {
			c.tool(2, "corosync-cmapctl", strings.Fields(args)...)
		}
		time.Sleep(300 * time.Millisecond)
		for n, p := range trackers {
			if err := p.Quit(); err != nil {
				return fmt.Errorf("%s: tracker %d: %w", c.cast, n, err)
			}
			told[i] = append(told[i], fmt.Sprint("tracker ", n))
			lines := clientKeys.ReplaceAllString(strings.Join(p.Lines(), "\n"), ".client.")
			told[i] = append(told[i], strings.Split(eventCounts.ReplaceAllString(lines, "$1 some"), "\n")...)
		}
		return nil
	})
	if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
		b.t.Errorf("trackers beside stock (-), beside ours (+):\n%s", d)
	}
	if n := len(told[0]); n < 30 {
		b.t.Errorf("only %d lines: %q", n, told[0])
	}
}

var clientKeys = regexp.MustCompile(`\.\d+\.0x[0-9a-f]+\.`)

// veto lets a client say no to cfgtool -H, be silent for longer than is waited for,
// and be overruled.
func (b *bench) veto() {
	binary, err := lab.BuildClient(b.t.TempDir(), "libapi", "quorum", "votequorum", "cfg")
	if err != nil {
		b.t.Fatal(err)
	}
	told := make([]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		p, err := c.Hosts[1].StartClient(binary)
		if err != nil {
			return err
		}
		answers := 0
		tell := func(line string) error {
			answers++
			if err := p.Tell(line); err != nil {
				return err
			}
			return p.WaitCount(10*time.Second, ".", answers)
		}
		for _, step := range []struct{ flags, reply string }{{"-H", "reply 0"}, {"-H", "quiet 3000"}, {"-H --force", "reply 0"}} {
			if err := tell(map[bool]string{true: "cfg 0", false: "quiet 1"}[answers == 0]); err != nil {
				return err
			}
			c.tool(2, "corosync-cmapctl", "-s", "cfg.shutdown_timeout", "u32", "2000")
			done, begin := make(chan string), time.Now()
			go func() { done <- c.tool(2, "corosync-cfgtool", strings.Fields(step.flags)...) }()
			if err := tell("quiet 700"); err != nil {
				return err
			}
			if err := tell(step.reply); err != nil {
				return err
			}
			told[i] += <-done
			if took := time.Since(begin); took > 5*time.Second {
				return fmt.Errorf("%s: cfgtool %s took %v", c.cast, step.flags, took)
			}
		}
		told[i] += strings.Join(p.Lines(), "\n")
		if _, ended := c.Hosts[1].Ended(10 * time.Second); !ended {
			return fmt.Errorf("%s: node 2 runs still", c.cast)
		}
		if err := c.do("ring 1 3"); err != nil {
			return err
		}
		if err := c.do("start 2"); err != nil {
			return err
		}
		return c.do("ring 1 2 3")
	})
	if d := cmp.Diff(lines(told[0]), lines(told[len(told)-1])); d != "" {
		b.t.Errorf("beside stock (-), beside ours (+):\n%s", d)
	}
	for _, want := range []string{"Could not shutdown", "Shutting down corosync", "cfg shutdown 1"} {
		if !strings.Contains(told[0], want) {
			b.t.Errorf("nobody says %q:\n%s", want, told[0])
		}
	}
}

// flightData has stock's tool show the recorder of what the daemon did last, which
// both daemons write on demand. What is in it is each daemon's own, but both tell
// of their start and of the ring.
func (b *bench) flightData() {
	each(b.t, b.both, func(i int, c *cluster) error {
		out, err := c.Hosts[1].Among("corosync-blackbox")
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", c.cast, err, out)
		}
		for _, want := range []string{"\nRingbuffer: \n ->NORMAL\n", "\nDumping the contents of /var/lib/corosync/fdata\n", "\nnotice  ", " Members[3]: 1 2 3\n", "Corosync Cluster Engine "} {
			if !strings.Contains(out, want) {
				b.t.Errorf("%s: no %q in the recorder:\n%.3000s", c.cast, want, out)
			}
		}
		return nil
	})
}

// alone runs the tools where no daemon runs any more.
func (b *bench) alone() {
	for _, line := range []string{"corosync-quorumtool -s", "corosync-quorumtool -m", "corosync-quorumtool -e 1", "corosync-cfgtool -s", "corosync-cfgtool -n",
		"corosync-cfgtool -R", "corosync-cfgtool -H", "corosync-cfgtool -k 1", "corosync-cpgtool", "corosync-cmapctl", "corosync-cmapctl -m stats", "corosync-cmapctl -t a.b"} {
		words := strings.Fields(line)
		b.same("", words[0], words[1:]...)
	}
}

// TestToolsWithoutQuorum holds what the tools say where no provider of a quorum is
// configured.
func TestToolsWithoutQuorum(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	b := &bench{t: t, names: []map[string]string{{}, {}}}
	for _, cast := range asked("ss", "so") {
		c := newCluster(t, cast, lab.Options{}, lab.Ring{Transport: "udpu", Token: 1000})
		c.conf = strings.Replace(c.conf, "  provider: corosync_votequorum\n", "", 1)
		b.both = append(b.both, c)
	}
	each(t, b.both, func(_ int, c *cluster) error {
		for id := 1; id <= 2; id++ {
			if err := c.start(id); err != nil {
				return err
			}
		}
		for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
			if strings.Contains(c.tool(2, "corosync-cmapctl", "runtime.members.1.status"), "joined") {
				return nil
			}
			if time.Since(begin) > 20*time.Second {
				return fmt.Errorf("%s: no ring", c.cast)
			}
		}
	})
	for _, args := range []string{"-s", "-l", "", "-p", "-i -l", "-a", "-e 1", "-v 1", "-f"} {
		b.same("", "corosync-quorumtool", strings.Fields(args)...)
	}
	for _, args := range []string{"-s", "-n"} {
		b.same("", "corosync-cfgtool", args)
	}
	b.same("", "corosync-cpgtool")
	b.keys()
	b.statNames()
}
