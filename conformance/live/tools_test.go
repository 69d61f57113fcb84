package live

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// A bench is a cluster of stock daemons and one in which node 2 is ours, with
// the same history and the same clients: what a stock tool says beside node 2
// must be the same in both.
type bench struct {
	t     *testing.T
	both  []*cluster
	names []map[string]string // of client processes, by PID
}

func newBench(t *testing.T, opt lab.Options, ring lab.Ring) *bench {
	t.Helper()
	b := &bench{t: t, both: grown(t, opt, ring, asked("sss", "sos")...)}
	b.names = make([]map[string]string, len(b.both))
	each(t, b.both, func(i int, c *cluster) error {
		b.names[i] = map[string]string{strconv.Itoa(c.Hosts[1].PID()): "daemon"}
		return nil
	})
	return b
}

// join starts a client of a group beside node id in both clusters.
func (b *bench) join(id int, group, name string) {
	b.t.Helper()
	each(b.t, b.both, func(i int, c *cluster) error {
		p, err := c.Hosts[id-1].StartClient(clientBinary, group)
		if err != nil {
			return err
		}
		b.names[i][strconv.Itoa(p.PID())] = name
		return p.WaitCount(10*time.Second, "confchg", 1)
	})
}

// outputs runs a tool beside node 2 in both clusters.
func (b *bench) outputs(name string, args ...string) []string {
	out := make([]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		out[i] = b.normal(i, c.tool(2, name, args...))
		return nil
	})
	return out
}

var (
	dateLine    = regexp.MustCompile(`(?m)^Date: .*$`)
	ringID      = regexp.MustCompile(`(?m)^Ring ID: .*$`)
	pointer     = regexp.MustCompile(`\.0x[0-9a-f]+\.`)
	paddedPID   = regexp.MustCompile(` *\b\d+\b`)
	scope       = regexp.MustCompile(`(:[0-9a-f]+)%\d+`)
	oneToolsPID = regexp.MustCompile(`\.service0\.\d+\.`)
)

// normal takes out of a tool's output what differs between any two clusters:
// process numbers, the time, the ring's number and pointers; and the scopes of
// IPv6 addresses, for which stock's daemon gives a 2 that means nothing and
// quorumtool what its stack holds.
func (b *bench) normal(i int, out string) string {
	out = dateLine.ReplaceAllString(out, "Date: now")
	out = ringID.ReplaceAllString(out, "Ring ID: this")
	out = oneToolsPID.ReplaceAllString(out, ".service0.tool.")
	out = scope.ReplaceAllString(out, "$1")
	out = pointer.ReplaceAllString(out, ".pointer.")
	return paddedPID.ReplaceAllStringFunc(out, func(n string) string {
		if name, ok := b.names[i][strings.TrimSpace(n)]; ok {
			return " " + name // cpgtool pads numbers to a width
		}
		return n
	})
}

// same runs a tool and compares what it says, unless a difference is known.
func (b *bench) same(difference string, name string, args ...string) {
	b.t.Helper()
	if onlyStock() {
		difference = ""
	}
	out := b.outputs(name, args...)
	for i := range out[1:] {
		d := cmp.Diff(lines(out[0]), lines(out[i+1]))
		switch {
		case d != "" && difference == "":
			b.t.Errorf("%s %s, beside stock (-), beside ours (+):\n%s", name, strings.Join(args, " "), d)
		case d == "" && difference != "":
			b.t.Errorf("%s %s: the known difference is gone: %s", name, strings.Join(args, " "), difference)
		}
	}
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// TestTools holds what stock's tools say beside our daemon against what they say
// beside stock's.
func TestTools(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	b := newBench(t, lab.Options{}, lab.Ring{Transport: "knet", Token: 1000, Totem: map[string]string{"config_version": "3"}})
	b.join(1, "first", "client1")
	b.join(2, "first", "client2")
	b.join(3, "second group", "client3")
	b.join(2, "odd\x01\xffname", "client4")
	for _, part := range []struct {
		name string
		run  func(*bench)
	}{
		{"quorumtool", (*bench).quorumtool}, {"cpgtool", (*bench).cpgtool}, {"cfgtool", (*bench).cfgtool},
		{"keys", (*bench).keys}, {"stats", (*bench).stats}, {"set and get", (*bench).setAndGet},
		{"read-only", (*bench).readOnly}, {"track", (*bench).track}, {"monitor", (*bench).monitor},
		{"misuse", (*bench).misuse}, {"more tracking", (*bench).moreTracking}, {"flight data", (*bench).flightData}, {"veto", (*bench).veto},
		{"kill and stop", (*bench).killAndStop}, {"without a daemon", (*bench).alone},
	} {
		t.Run(part.name, func(t *testing.T) {
			b := *b
			b.t = t
			part.run(&b)
		})
	}
}

func (b *bench) quorumtool() {
	for _, args := range []string{"-s", "-l", "", "-p", "-p -l", "-p -s", "-i", "-i -s", "-a", "-a -l", "-H", "-o n -l", "-o i -l", "-V",
		"-e 1", "-e 2", "-e 9", "-e 0", "-e 3", "-v 2 -n 9", "-v 50 -n 1", "-v 1 -n 3", "-v 1", "-f", "-z"} {
		b.same("", "corosync-quorumtool", strings.Fields(args)...)
	}
}

func (b *bench) cpgtool() {
	for _, args := range []string{"", "-n", "-e", "-e -n", "-d ;", "-n -d ;", "-h"} {
		b.same("", "corosync-cpgtool", strings.Fields(args)...)
	}
}

func (b *bench) cfgtool() {
	for _, args := range []string{"-s", "-n", "-b -s", "-a 1", "-a 2", "-a 3", "-a 9", "-a 0", "-i 0 -s", "-i 10.77.0.2 -s", "-i 10.77.0.2", "-i 5 -s",
		"-k 9", "-L"} {
		b.same("", "corosync-cfgtool", strings.Fields(args)...)
	}
	// On other nodes too, who are told by ours.
	out := make([]string, len(b.both))
	each(b.t, b.both, func(i int, c *cluster) error {
		out[i] = c.tool(1, "corosync-cfgtool", "-s") + c.tool(3, "corosync-cfgtool", "-n") + b.normal(i, c.tool(3, "corosync-cpgtool"))
		return nil
	})
	if d := cmp.Diff(out[0], out[len(out)-1]); d != "" {
		b.t.Errorf("beside the other nodes, with stock (-), with ours (+):\n%s", d)
	}
}

// reload reads the same file again: nothing changes, at once.
func (b *bench) reload() {
	begin := time.Now()
	b.same("", "corosync-cfgtool", "-R")
	if took := time.Since(begin); took > 5*time.Second {
		b.t.Errorf("cfgtool -R took %v", took)
	}
}

// counted are the keys of which only the type is stock's.
var counted = regexp.MustCompile(`^runtime\.services\.\w+\.\d+\.[rt]x$`)

// keys compares the whole map: each of stock's keys must be there beside ours
// with its type and value.
func (b *bench) keys() {
	out := b.outputs("corosync-cmapctl")
	want, got := keyLines(out[0]), keyLines(out[len(out)-1])
	for key, value := range want {
		mine, ok := got[key]
		delete(got, key)
		switch {
		case !ok:
			b.t.Errorf("%s is not there", key)
		case mine.kind != value.kind || mine.text != value.text && !counted.MatchString(key):
			b.t.Errorf("%s %v, beside stock %v", key, mine, value)
		}
	}
	for key, value := range got {
		b.t.Errorf("%s %v, which stock does not have", key, value)
	}
	b.t.Logf("%d keys", len(want))
}

type keyValue struct{ kind, text string }

func (v keyValue) String() string { return fmt.Sprintf("(%s) = %q", v.kind, v.text) }

var keyLine = regexp.MustCompile(`^(\S+) \((\w+)\)(?: = (.*))?$`)

func keyLines(out string) map[string]keyValue {
	m := map[string]keyValue{}
	for _, l := range lines(out) {
		if f := keyLine.FindStringSubmatch(l); f != nil {
			m[f[1]] = keyValue{f[2], f[3]}
		}
	}
	return m
}

// statNames compares names and types of all statistics, in their order, and the
// values of those that say how things are rather than how many there were.
func (b *bench) statNames() {
	settled := regexp.MustCompile(`\.(enabled|connected|mtu|procname|firewall_enabled_or_nic_failure|continuous_gather)$`)
	var shown [][]string
	for _, out := range b.outputs("corosync-cmapctl", "-m", "stats") {
		var list []string
		for _, l := range lines(out) {
			f := keyLine.FindStringSubmatch(l)
			switch {
			case f == nil:
				list = append(list, l)
			case strings.HasPrefix(f[1], "stats.dropped."), strings.HasPrefix(f[1], "stats.token."):
				// what was refused, and how fast the token goes: stock does not tell
			case settled.MatchString(f[1]):
				list = append(list, fmt.Sprintf("%s (%s) = %s", f[1], f[2], f[3]))
			default:
				list = append(list, fmt.Sprintf("%s (%s)", f[1], f[2]))
			}
		}
		shown = append(shown, list)
	}
	if d := cmp.Diff(shown[0], shown[len(shown)-1]); d != "" {
		b.t.Errorf("statistics, beside stock (-), beside ours (+):\n%s", d)
	}
	b.t.Logf("%d statistics", len(shown[0]))
}

// stats compares statistics and what can be asked of them.
func (b *bench) stats() {
	b.statNames()
	for _, args := range []string{"-s stats.pg.msg_reserved u32 1", "-d stats.pg.msg_reserved", "-D stats.pg", "-g stats.none", "-s stats.clear.x u8 1",
		"-s stats.new u8 1", "-t stats.none"} {
		b.same("", "corosync-cmapctl", append([]string{"-m", "stats"}, strings.Fields(args)...)...)
	}
	for _, what := range []string{"knet", "ipc", "totem", "schedmiss", "all", "more"} {
		b.same("", "corosync-cmapctl", "-C", what)
	}
}
