package live

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// buildGo compiles a program of conformance's in Go.
func buildGo(t *testing.T, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", binary, "cpgol/conformance/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", name, err, out)
	}
	return binary
}

// newOffload is three nodes on an encrypted ring, of which some are ours, with
// conformance/gocpg, which is cpgclient through libcpg, for their clients.
func newOffload(t *testing.T, c cast) *ring {
	t.Helper()
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	r := newRing(t, c, kind{ring: lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"}})
	r.binary, r.group = buildGo(t, "gocpg"), "offload"
	for i := range r.Hosts {
		r.start(i)
	}
	r.form(1, 2, 3)
	return r
}

// offloaded waits until a client's group is offloaded.
func (r *ring) offloaded(hosts ...int) {
	r.t.Helper()
	for _, i := range hosts {
		r.must(r.clients[i].Wait(20*time.Second, func(lines []string) bool {
			for _, l := range slices.Backward(lines) {
				if rest, ok := strings.CutPrefix(l, "offload "); ok {
					return rest == "on"
				}
			}
			return false
		}), "client of node %d offloads", i+1)
	}
}

// history is what a client was told of its group, from its first configuration
// with n members on.
func history(c *lab.Client, n int) (all []string) {
	for _, l := range c.Lines("deliver", "confchg") {
		if all != nil || strings.HasPrefix(l, "confchg") && members([]string{l}) == n {
			all = append(all, l)
		}
	}
	return all
}

// agree wants clients to have been told the same since all were there.
func (r *ring) agree(n int, hosts ...int) {
	r.t.Helper()
	first := history(r.clients[hosts[0]], n)
	for _, i := range hosts[1:] {
		if got := history(r.clients[i], n); !slices.Equal(first, got) {
			r.t.Fatalf("nodes %d and %d were told otherwise: %s", hosts[0]+1, i+1, difference(first, got))
		}
	}
}

// deliveries counts the messages of a process.
func deliveries(c *lab.Client, node, pid int) (n int) {
	prefix := fmt.Sprintf("deliver %d %d ", node, pid)
	for _, l := range c.Lines("deliver") {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// TestOffloadMixed: a group of Go clients on two nodes of ours offloads; a stock
// client joins it on a third, stock node under full load, and leaves; all were
// told the same, and nothing was lost.
func TestOffloadMixed(t *testing.T) {
	t.Parallel()
	r := newOffload(t, cast{"two of ours, one stock", [3]bool{true, true, false}})
	for _, i := range []int{0, 1} {
		c, err := r.Hosts[i].StartClient(r.binary, r.group)
		r.must(err, "client")
		r.clients[i] = c
	}
	r.everybodySees(2, 0, 1)
	r.offloaded(0, 1)
	const count, size = 1500, 64_000
	for _, i := range []int{0, 1} {
		r.must(r.clients[i].Send(count, size), "send")
	}
	r.must(r.clients[0].WaitCount(60*time.Second, "deliver", 300), "messages")
	c, err := r.Hosts[2].StartClient(clientBinary, r.group)
	r.must(err, "stock client")
	r.clients[2] = c
	r.everybodySees(3)
	r.must(c.Send(100, 1000), "send")
	r.must(c.WaitCount(60*time.Second, "sent", 1), "the stock client sends")
	r.must(c.WaitCount(60*time.Second, "deliver", 120), "the stock client is told")
	r.must(c.Quit(), "quit")
	stock := c.PID()
	r.everybodySees(2, 0, 1)
	for _, i := range []int{0, 1} {
		r.must(r.clients[i].WaitCount(120*time.Second, "sent", 1), "client of node %d has sent all", i+1)
	}
	r.offloaded(0, 1)
	r.must(r.clients[0].Send(50, 1_000_000), "send")
	r.must(r.clients[0].WaitCount(60*time.Second, "sent", 2), "offloads again")
	for _, i := range []int{0, 1} {
		r.must(r.clients[i].WaitCount(60*time.Second, "deliver", 2*count+100+50), "messages")
	}
	r.agree(2, 0, 1)
	for node, want := range map[int]int{0: count + 50, 1: count} {
		if n := deliveries(r.clients[0], node+1, r.clients[node].PID()); n != want {
			t.Errorf("%d messages of node %d, want %d", n, node+1, want)
		}
	}
	if n := deliveries(r.clients[0], 3, stock); n != 100 {
		t.Errorf("%d messages of the stock client, want 100", n)
	}
	// What the stock client was told is a stretch of what the others were.
	all, some := history(r.clients[0], 2), history(c, 3)
	at := slices.IndexFunc(all, func(l string) bool { return l == some[0] })
	if at < 0 || len(all) < at+len(some) || !slices.Equal(all[at:at+len(some)], some) {
		t.Errorf("the stock client was told otherwise")
	}
	offs := len(r.clients[0].Lines("offload"))
	t.Logf("the stock client was told %d events among %d; %d changes between ring and offload", len(some), len(all), offs)
	r.silent(2)
}

// silent wants a stock daemon not to have said anything of messages that it does
// not know.
func (r *ring) silent(i int) {
	r.t.Helper()
	log, err := os.ReadFile(r.Hosts[i].LogFile())
	r.must(err, "log")
	for line := range strings.Lines(string(log)) {
		for _, word := range []string{"cpgol", "nknown", "invalid", "Invalid", "malformed"} {
			if strings.Contains(line, word) {
				r.t.Errorf("node %d said: %s", i+1, line)
			}
		}
	}
}

// TestOffloadFaults takes a group that offloads through what befalls processes,
// while each sends as fast as it can.
func TestOffloadFaults(t *testing.T) {
	t.Parallel()
	r := newOffload(t, cast{"ours", [3]bool{true, true, true}})
	r.join(0, 1, 2)
	r.offloaded(0, 1, 2)
	for round := range *repeat {
		for _, f := range []struct {
			name string
			do   func(i int) (survivors []int)
		}{
			{"a sender is killed", r.killSender},
			{"a receiver is killed", r.killReceiver},
			{"a receiver stops for a while", r.stopReceiver},
			{"a node is cut off and put back", r.cutOff},
			{"a daemon is restarted", r.restart},
		} {
			i := (round + 2) % 3
			r.t.Logf("-- round %d: %s, node %d", round+1, f.name, i+1)
			begin := time.Now()
			survivors := f.do(i)
			r.agree(3, survivors...)
			r.t.Logf("nodes %v agree, %v", nodes(survivors), time.Since(begin).Round(10*time.Millisecond))
			r.anew()
		}
	}
}

// anew replaces all clients, so that each fault's histories are short.
func (r *ring) anew() {
	r.t.Helper()
	for i, c := range r.clients {
		if c != nil {
			c.Kill()
			r.clients[i] = nil
		}
	}
	r.serial++
	r.group = fmt.Sprintf("offload%d", r.serial)
	r.join(0, 1, 2)
	r.offloaded(0, 1, 2)
}

const (
	loadCount = 400
	loadSize  = 64_000
)

// load has clients send and waits until the transfer is well under way.
func (r *ring) load(hosts ...int) {
	r.t.Helper()
	for _, i := range hosts {
		r.must(r.clients[i].Send(loadCount, loadSize), "send")
	}
	r.must(r.clients[hosts[0]].WaitCount(30*time.Second, "deliver", 20), "the transfer begins")
}

// finish waits until clients have sent all and been told of each other's messages.
func (r *ring) finish(told int, hosts ...int) {
	r.t.Helper()
	for _, i := range hosts {
		r.must(r.clients[i].WaitCount(60*time.Second, "sent", 1), "client of node %d has sent all", i+1)
	}
	for _, i := range hosts {
		for _, j := range hosts {
			pid := r.clients[j].PID()
			r.must(r.clients[i].Wait(60*time.Second, func([]string) bool { return deliveries(r.clients[i], j+1, pid) >= told }),
				"client of node %d is told all of node %d's", i+1, j+1)
		}
	}
}

func others(i int) (hosts []int) {
	for j := range 3 {
		if j != i {
			hosts = append(hosts, j)
		}
	}
	return hosts
}

func (r *ring) killSender(i int) []int {
	r.t.Helper()
	r.load(0, 1, 2)
	r.clients[i].Kill()
	r.everybodySees(2, others(i)...)
	r.finish(loadCount, others(i)...)
	return others(i)
}

func (r *ring) killReceiver(i int) []int {
	r.t.Helper()
	r.load(others(i)...)
	r.clients[i].Kill()
	r.everybodySees(2, others(i)...)
	r.finish(loadCount, others(i)...)
	return others(i)
}

// stopReceiver: the group must go on without it, and have it back.
func (r *ring) stopReceiver(i int) []int {
	r.t.Helper()
	r.load(others(i)...)
	pid := r.clients[i].PID()
	r.must(syscall.Kill(pid, syscall.SIGSTOP), "SIGSTOP")
	begin := time.Now()
	r.finish(loadCount, others(i)...)
	r.t.Logf("the others had finished after %v", time.Since(begin).Round(10*time.Millisecond))
	time.Sleep(stopFor - time.Since(begin))
	r.must(syscall.Kill(pid, syscall.SIGCONT), "SIGCONT")
	r.must(r.clients[i].WaitCount(30*time.Second, "deliver", 2*loadCount), "it catches up")
	r.offloaded(0, 1, 2)
	return []int{0, 1, 2}
}

const stopFor = 10 * time.Second

// cutOff: the two halves go on by themselves, and agree from their merger on.
func (r *ring) cutOff(i int) []int {
	r.t.Helper()
	r.load(0, 1, 2)
	r.must(r.Hosts[i].Cut(), "cut")
	r.everybodySees(2, others(i)...)
	r.finish(loadCount, others(i)...)
	r.must(r.WaitRing(20*time.Second, i+1), "node %d alone", i+1)
	r.must(r.clients[i].WaitCount(60*time.Second, "sent", 1), "the one cut off sends to itself")
	r.must(r.Hosts[i].Join(), "join")
	r.form(1, 2, 3)
	r.everybodySees(3)
	r.offloaded(0, 1, 2)
	r.order(50, 0, 1, 2)
	return others(i)
}

func (r *ring) restart(i int) []int {
	r.t.Helper()
	r.load(0, 1, 2)
	r.must(r.Hosts[i].Kill(), "kill")
	r.clients[i].Kill()
	r.everybodySees(2, others(i)...)
	r.finish(loadCount, others(i)...)
	survivors := others(i)
	r.start(i)
	r.form(1, 2, 3)
	return survivors
}
