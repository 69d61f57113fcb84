package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cpgol/compat/abi"
	ipc "cpgol/compat/ipc/client"
	"cpgol/conformance/lab"
)

// alone is a ring of one, stock's or ours.
type alone struct {
	*ring
	transport string // of libqb
}

func newAlone(t *testing.T, stock bool, transport string) *alone {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	l, err := lab.New(lab.Options{Prefix: "at", Nodes: 1, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	a := &alone{&ring{Lab: l, t: t, victim: l.Hosts[0]}, transport}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said last:\n%s", a.victim.Kind, a.victim.Tail(30))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	a.conf = l.Conf(lab.Ring{Transport: "knet", Token: 1000}) + "system {\n  qb_ipc_type: " + transport + "\n}\n"
	a.start(stock)
	return a
}

func (a *alone) start(stock bool) {
	a.t.Helper()
	var err error
	if stock {
		err = a.victim.StartStock(a.conf, lab.Key())
	} else {
		err = a.victim.StartOurs(daemonBinary, a.conf, lab.Key())
	}
	if err == nil {
		err = a.WaitRing(20*time.Second, 1)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.pid = a.victim.PID()
}

// held is what a daemon holds besides memory.
type held struct {
	Descriptors, Goroutines int
	Shared                  int // names in /dev/shm
	Mapped                  int // of them
}

func (a *alone) holds() (h held) {
	a.t.Helper()
	count := func(path string) int {
		list, err := os.ReadDir(path)
		if err != nil {
			a.t.Fatal(err)
		}
		return len(list)
	}
	h.Descriptors, h.Shared = count(fmt.Sprintf("/proc/%d/fd", a.pid)), count(a.victim.Shm())
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", a.pid))
	if err != nil {
		a.t.Fatal(err)
	}
	h.Mapped = strings.Count(string(maps), "/dev/shm/")
	h.Goroutines = a.goroutines()
	return h
}

var goroutineLine = regexp.MustCompile(`state: (\d+) goroutines`)

// goroutines asks a daemon of ours by a signal for how many it has.
func (a *alone) goroutines() int {
	a.t.Helper()
	log := func() [][]string {
		b, err := os.ReadFile(a.victim.LogFile())
		if err != nil {
			a.t.Fatal(err)
		}
		return goroutineLine.FindAllStringSubmatch(string(b), -1)
	}
	before := len(log())
	if err := a.victim.Send(syscall.SIGUSR2); err != nil {
		a.t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if now := log(); len(now) > before {
			n, _ := strconv.Atoi(now[len(now)-1][1])
			return n
		}
	}
	a.t.Fatal("no answer to USR2")
	return 0
}

// hold opens n connections, to each service in turn, and asks something on each.
func (a *alone) hold(n int) (list []*ipc.Conn) {
	a.t.Helper()
	err := a.victim.Do(func() error {
		for i := range n {
			c, err := ipc.Dial(sockets[i%len(sockets)], ipc.Options{Timeout: 10 * time.Second})
			if err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			list = append(list, c)
		}
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// TestClientsLeaveNothing: 1,000 clients that come and go, and 200 that stay, of
// which one half dies, leave no file, descriptor, mapping or goroutine in a running
// daemon; while they are there each costs no more memory than beside stock.
func TestClientsLeaveNothing(t *testing.T) {
	for _, transport := range []string{"shm", "socket"} {
		t.Run(transport, func(t *testing.T) {
			if *stockVictim {
				t.Skip("of ours")
			}
			ours, stock := newAlone(t, false, transport), newAlone(t, true, transport)
			cost := map[*alone]int{}
			for _, a := range []*alone{stock, ours} {
				close := func(list []*ipc.Conn) {
					for _, c := range list {
						c.Close()
					}
				}
				close(a.hold(100)) // what is there to stay is there now
				time.Sleep(300 * time.Millisecond)
				before := a.status("VmRSS")
				list := a.hold(200)
				time.Sleep(300 * time.Millisecond)
				cost[a] = (a.status("VmRSS") - before) * 1024 / 200
				close(list)
			}
			t.Logf("resident memory of an idle connection: stock %d bytes, ours %d", cost[stock], cost[ours])
			if cost[ours] > cost[stock]*11/10 {
				t.Errorf("%d bytes resident for an idle connection, %d with stock", cost[ours], cost[stock])
			}

			a := ours
			time.Sleep(300 * time.Millisecond)
			before := a.holds()
			begin := time.Now()
			for range 10 {
				list := a.hold(100)
				for i, c := range list {
					if i%2 == 0 {
						c.Send(abi.AppendRequest(nil, int32(i%8), 16), nil)
					}
					c.Close()
				}
			}
			t.Logf("1000 connections in %v", time.Since(begin).Round(time.Millisecond))
			a.dieHolding(20)
			var after held
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				if after = a.holds(); after == before {
					break
				}
			}
			if after != before {
				t.Errorf("%+v before, %+v after", before, after)
			}
			t.Logf("%+v", after)
		})
	}
}

// dieHolding starts programs that hold a connection each and kills them.
func (a *alone) dieHolding(n int) {
	a.t.Helper()
	for _, c := range a.programs(n) {
		c.Kill()
	}
}

func (a *alone) programs(n int) (list []*lab.Client) {
	a.t.Helper()
	for range n {
		c, err := a.victim.StartClient(clientBinary, "short")
		if err != nil {
			a.t.Fatal(err)
		}
		list = append(list, c)
	}
	for _, c := range list {
		if err := c.WaitCount(10*time.Second, "confchg", 1); err != nil {
			a.t.Fatal(err)
		}
	}
	return list
}

// TestCrashLeavesNothing: what a killed daemon, of either kind, and its clients left
// behind the next start takes away, and nothing of anybody else's.
func TestCrashLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name, transport string
		stock           bool
	}{{"ours", "shm", false}, {"ours with sockets", "socket", false}, {"stock", "shm", true}} {
		t.Run(c.name, func(t *testing.T) {
			if *stockVictim {
				t.Skip("of ours")
			}
			t.Parallel()
			a := newAlone(t, c.stock, c.transport)
			clients := a.programs(3)
			if err := a.victim.Kill(); err != nil {
				t.Fatal(err)
			}
			for _, p := range clients {
				syscall.Kill(p.PID(), syscall.SIGKILL) // together: no time to clean up
			}
			time.Sleep(200 * time.Millisecond)
			shm := a.victim.Shm()
			left, _ := filepath.Glob(filepath.Join(shm, "qb-*-*-*-*"))
			dead := fmt.Sprintf("qb-%d-", a.pid)
			mine := 0
			for _, name := range left {
				if strings.HasPrefix(filepath.Base(name), dead) {
					mine++
				}
			}
			if mine == 0 {
				t.Fatalf("the test proves nothing: %q", left)
			}
			// Of another dead server, as Pacemaker's are, and of a running one.
			other := filepath.Join(shm, dead+"1-17-abcdef")
			running := filepath.Join(shm, fmt.Sprintf("qb-%d-1-17-abcdef", os.Getpid()))
			for dir, file := range map[string]string{other: "qb-request-cib_rw-header", running: "qb-request-cpg-header"} {
				if err := os.Mkdir(dir, 0o770); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				left = append(left, dir)
			}
			old := time.Now().Add(-time.Minute)
			for _, name := range left {
				os.Chtimes(name, old, old)
			}
			a.start(false)
			time.Sleep(200 * time.Millisecond)
			after, _ := filepath.Glob(filepath.Join(shm, dead+"*"))
			if len(after) != 1 || after[0] != other {
				t.Errorf("left: %q", after)
			}
			if _, err := os.Stat(filepath.Join(running, "qb-request-cpg-header")); err != nil {
				t.Errorf("a running server's file: %v", err)
			}
			t.Logf("%d directories of the dead daemon's, all swept", mine)
		})
	}
}
