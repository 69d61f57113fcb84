package hostile

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

var (
	attackFor   = flag.Duration("attack", time.Second, "how long each attack on a live daemon lasts")
	stockVictim = flag.Bool("stock", false, "attack a stock daemon instead of ours and only tell what happens")
	packetRate  = flag.Int("rate", 10_000, "packets a second of an attack on a live daemon")

	clientBinary, daemonBinary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if lab.Available() != nil {
			return m.Run() // live tests tell the reason when they skip
		}
		dir, err := os.MkdirTemp("", "cpgol-hostile-")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		if clientBinary, err = lab.BuildClient(dir, "cpgclient"); err == nil {
			daemonBinary, err = lab.BuildDaemon(dir)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return m.Run()
	}())
}

// A ring is a running cluster: the victim on the first host, stock daemons on
// two others, and a fourth host that belongs to nobody.
type ring struct {
	*lab.Lab
	t       *testing.T
	victim  *lab.Host
	pid     int // of the victim
	started int // lines its log had when the attack began
	conf    string
}

func newRing(t *testing.T, r lab.Ring) *ring {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	l, err := lab.New(lab.Options{Prefix: "at", Nodes: 4, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	r.Nodes, r.Token = 3, 1000
	x := &ring{Lab: l, t: t, victim: l.Hosts[0]}
	t.Cleanup(func() {
		if t.Failed() {
			for _, h := range l.Hosts[:3] {
				t.Logf("node %d (%s) said last:\n%s", h.ID, h.Kind, h.Tail(30))
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	x.conf = l.Conf(r)
	for _, h := range l.Hosts[:3] {
		if h == x.victim && !*stockVictim {
			err = h.StartOurs(daemonBinary, x.conf, lab.Key())
		} else {
			err = h.StartStock(x.conf, lab.Key())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	x.form()
	x.pid = x.victim.PID()
	return x
}

func (x *ring) form() {
	x.t.Helper()
	if err := x.WaitRing(30*time.Second, 1, 2, 3); err != nil {
		x.t.Fatal(err)
	}
}

// addr is where a host's daemon receives.
func (x *ring) addr(host int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(x.Hosts[host-1].Addr(0)), 5405)
}

// A sender floods one address from a host, at most at a rate and for a time.
type sender struct {
	conn *net.UDPConn
	to   netip.AddrPort
	sent int
}

func (x *ring) sender(host int, to netip.AddrPort) *sender {
	s := &sender{to: to}
	err := x.Hosts[host-1].Do(func() (err error) {
		s.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(x.addr(host).Addr(), 0)))
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *sender) send(b []byte) {
	if len(b) > 0 && len(b) <= 65507 {
		s.conn.WriteToUDPAddrPort(b, s.to) // a full queue loses it, as a network may
		s.sent++
	}
}

// paced calls f at the attack's rate until its time is over.
func paced(f func()) {
	begin := time.Now()
	for n := 0; time.Since(begin) < *attackFor; {
		for due := int(time.Since(begin).Seconds() * float64(*packetRate)); n < due; n++ {
			f()
		}
		time.Sleep(time.Millisecond)
	}
}

// status reads a number in kB from the victim's status.
func (x *ring) status(key string) (kB int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", x.pid))
	if err != nil {
		x.t.Fatalf("the daemon is gone: %v", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), key+":"); ok {
			kB, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return kB
}

// cpu is the processor time that the victim has used so far.
func (x *ring) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", x.pid))
	if err != nil {
		x.t.Fatalf("the daemon is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// lines are the victim's log lines since the attack began.
func (x *ring) lines() []string {
	b, err := os.ReadFile(x.victim.LogFile())
	if err != nil {
		x.t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	if x.started > len(all) {
		return nil
	}
	return all[x.started:]
}

// begin notes where things stand before an attack.
func (x *ring) begin() (ringID string) {
	x.started = 0
	x.started = len(x.lines())
	id, _, err := x.victim.Ring()
	if err != nil {
		x.t.Fatal(err)
	}
	return id
}

// Bounds of a daemon under attack. The memory is the daemon's at rest, what a
// window of the longest messages may hold, and as much again for the collector.
const (
	maxResident = 700 << 10 // kB
	maxIdle     = 0.06      // of a core, once the attack is over
)

// whole waits for the ring of all three. Stock daemons may end themselves until
// the last forged packet's traces are gone, long after the attack: they are
// started again whenever they do.
func (x *ring) whole(name string) {
	x.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; {
		x.revive(name)
		err := x.WaitRing(2*time.Second, 1, 2, 3)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			x.t.Fatalf("%s: %v", name, err)
		}
	}
}

// revive starts stock daemons again that ended themselves. The victim passes on
// what only stock can tell to be wrong, or cannot, as a stock node would.
func (x *ring) revive(name string) {
	for _, h := range x.Hosts[:3] {
		if h != x.victim && !h.Running() {
			x.t.Logf("%s: the stock daemon of node %d is gone: %s", name, h.ID, h.Tail(1))
			if err := h.StartStock(x.conf, lab.Key()); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// judge checks what an attack did: the daemon lives within its bounds, it has not
// filled its log, it is idle again, and the ring is whole.
func (x *ring) judge(name, before string) {
	x.t.Helper()
	form := time.Now()
	x.whole(name)
	healed := time.Since(form)
	after, _, _ := x.victim.Ring()
	time.Sleep(300 * time.Millisecond)
	used, begin := x.cpu(), time.Now()
	time.Sleep(time.Second)
	idle := float64(x.cpu()-used) / float64(time.Since(begin))
	peak, now := x.status("VmHWM"), x.status("VmRSS")
	lines := x.lines()
	x.t.Logf("%s: %d MB resident, %d MB at most; %.1f%% of a core afterwards; ring %s, was %s, whole after %v; %d lines",
		name, now>>10, peak>>10, 100*idle, after, before, healed.Round(10*time.Millisecond), len(lines))
	if *stockVictim {
		return
	}
	if peak > maxResident {
		x.t.Errorf("%s: %d MB resident", name, peak>>10)
	}
	if idle > maxIdle {
		x.t.Errorf("%s: still busy: %.1f%% of a core", name, 100*idle)
	}
	if x.victim.PID() != x.pid {
		x.t.Errorf("%s: the daemon is another process", name)
	}
	for _, worst := range tooMany(lines) {
		x.t.Errorf("%s: %s", name, worst)
	}
}

// tooMany finds causes that were logged more often than once a second.
func tooMany(lines []string) (worst []string) {
	type key struct{ second, cause string }
	counts := map[key]int{}
	for _, l := range lines {
		stamp, rest, ok := strings.Cut(l, ".") // Jan 02 15:04:05.000 level [PART  ] text
		_, text, ok2 := strings.Cut(rest, "] ")
		if !ok || !ok2 {
			continue
		}
		limit := maxLines
		if slices.ContainsFunc(memberships, func(m string) bool { return strings.HasPrefix(text, m) }) {
			limit = maxMemberships
		}
		k := key{stamp, causeOf(text)}
		if counts[k]++; counts[k] == limit+1 {
			worst = append(worst, fmt.Sprintf("more than %d lines in a second: %s", limit, text))
		}
	}
	return worst
}
