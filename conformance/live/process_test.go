package live

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cpgol/conformance/lab"
)

// pair is a host for the reference and one for ours, in clusters of their own.
func pair(t *testing.T, ring lab.Ring) []*cluster {
	t.Helper()
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	var both []*cluster
	for _, cast := range asked("s", "o") {
		both = append(both, newCluster(t, cast, lab.Options{}, ring))
	}
	return both
}

// standing is what a host sees of its daemon's process.
type standing struct {
	LockFile    string // mode, owner and contents
	Dir, Umask  string
	In          string
	Policy      int
	Priority    int // of real-time scheduling
	Nice        int
	Locked      bool // memory
	MemoryLimit string
	OOM         string
	Ignores     []string // of the signals that a daemon may get
	Cgroup      string
	State       []string // files
	Peer        string   // whom a client finds at the other end: pacemakerd asks for root
}

// stand reads it from the kernel.
func stand(h *lab.Host) (s standing, err error) {
	pid := h.PID()
	proc := func(name string) string {
		b, e := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err == nil {
			err = e
		}
		return string(b)
	}
	link := func(name string) string {
		l, e := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err == nil {
			err = e
		}
		return l
	}
	s.LockFile = lockFile(h, pid)
	s.Dir, s.In = link("cwd"), link("fd/0")
	status := fields(proc("status"), ":")
	s.Umask = status["Umask"]
	s.Locked = status["VmLck"] != "0 kB"
	ignored, _ := strconv.ParseUint(status["SigIgn"], 16, 64)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE} {
		if ignored&(1<<(sig-1)) != 0 {
			s.Ignores = append(s.Ignores, unix.SignalName(sig))
		}
	}
	for line := range strings.Lines(proc("limits")) {
		if rest, ok := strings.CutPrefix(line, "Max locked memory"); ok {
			s.MemoryLimit = strings.Join(strings.Fields(rest), " ")
		}
	}
	_, rest, _ := strings.Cut(proc("stat"), ") ")
	stat := strings.Fields(rest) // from the third field on (proc(5))
	s.Nice, _ = strconv.Atoi(stat[16])
	s.Priority, _ = strconv.Atoi(stat[37])
	s.Policy, _ = strconv.Atoi(stat[38])
	s.OOM = strings.TrimSpace(proc("oom_score_adj"))
	s.Cgroup = strings.TrimSpace(proc("cgroup"))
	s.State = names(filepath.Join(h.Dir, "lib"))
	s.Peer = strings.ReplaceAll(peer(h), strconv.Itoa(pid), "PID")
	return s, err
}

// peer tells who listens for clients of cpg, as the kernel tells them (SO_PEERCRED).
func peer(h *lab.Host) (who string) {
	err := h.Do(func() error {
		// libqb's names fill the address (lib/ipc_setup.c:set_sock_addr).
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: "@cpg" + strings.Repeat("\x00", 104)})
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(fd uintptr) {
			if u, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				who = fmt.Sprintf("pid %d, user %d, group %d", u.Pid, u.Uid, u.Gid)
			}
		})
	})
	if err != nil {
		return err.Error()
	}
	return who
}

// lockFile tells of the file with the daemon's number.
func lockFile(h *lab.Host, pid int) string {
	name := filepath.Join(h.Dir, "run", "corosync.pid")
	info, err := os.Stat(name)
	if err != nil {
		return "none"
	}
	text, _ := os.ReadFile(name)
	owner := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%v %d:%d %q", info.Mode(), owner.Uid, owner.Gid, strings.Replace(string(text), strconv.Itoa(pid)+"\n", "PID\n", 1))
}

// names lists a directory.
func names(dir string) []string {
	list := []string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		list = append(list, fmt.Sprintf("%v %s", info.Mode(), e.Name()))
	}
	return list
}

// fields reads lines of a key and a value.
func fields(text, separator string) map[string]string {
	m := map[string]string{}
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), separator); ok {
			m[k] = strings.TrimSpace(v)
		}
	}
	return m
}

// TestStanding holds how our daemon's process stands on its host against how
// stock's does.
func TestStanding(t *testing.T) {
	for _, c := range []struct{ name, system string }{
		{"default", ""},
		{"nice", "sched_rr: no\npriority: 7\n"},
		{"most urgent", "sched_rr: no\npriority: max\n"},
		{"cgroup", "move_to_root_cgroup: yes\nsched_rr: no\n"},
		{"directory", "state_dir: /var/log/corosync\nmove_to_root_cgroup: no\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := pair(t, lab.Ring{Transport: "knet"})
			got := make([]standing, len(both))
			each(t, both, func(i int, k *cluster) (err error) {
				k.conf += "system {\n" + c.system + "}\n"
				// Stock gives its nice value to its process group, which would be this test's.
				argv := []string{"setsid", "corosync", "-f"}
				if k.cast == "o" {
					argv[1] = daemonBinary
				}
				if err := (lab.Admin{Host: k.Hosts[0]}).Install(k.conf, lab.Key()); err != nil {
					return err
				}
				if err := k.Hosts[0].Launch(filepath.Base(argv[1]), argv...); err != nil {
					return err
				}
				if err := k.WaitRing(20*time.Second, 1); err != nil {
					return err
				}
				got[i], err = stand(k.Hosts[0])
				return err
			})
			ours := &got[1]
			if !onlyStock() {
				// Signals that end stock by nobody's wish are ignored (daemon/cpgold/signals.go).
				if d := cmp.Diff([]string{"SIGHUP", "SIGUSR1", "SIGPIPE"}, ours.Ignores); d != "" {
					t.Error(d)
				}
			}
			for i := range got {
				got[i].Ignores = nil // stock's are what it was started with, as under nohup
			}
			if d := cmp.Diff(got[0], got[1]); d != "" {
				t.Errorf("stock (-), ours (+):\n%s", d)
			}
			t.Logf("%+v", got[1])
		})
	}
}

// An end is how a daemon went.
type end struct {
	Status   int    // -1 if a signal did it
	Signal   string // that did it
	LockFile string
	State    []string
	Shared   []string
}

// ended waits for a host's daemon to go.
func (c *cluster) ended(limit time.Duration) (e end, err error) {
	h := c.Hosts[0]
	var ok bool
	if e.Status, ok = h.Ended(limit); !ok {
		return e, fmt.Errorf("%s: runs still after %v", c.cast, limit)
	}
	if s := h.EndedBy(); s != 0 {
		e.Signal = unix.SignalName(s)
	}
	e.LockFile, e.State, e.Shared = lockFile(h, 0), names(filepath.Join(h.Dir, "lib")), names(h.Shm())
	return e, nil
}

// TestEnds ends daemons in each way that does not take a second node.
func TestEnds(t *testing.T) {
	signal := func(s syscall.Signal) func(*cluster) error {
		return func(c *cluster) error { return c.Hosts[0].Send(s) }
	}
	tool := func(args ...string) func(*cluster) error {
		return func(c *cluster) error {
			if out := c.tool(1, "corosync-cfgtool", args...); !strings.HasSuffix(out, "\nexit status 0\n") {
				return fmt.Errorf("%s: cfgtool %v: %s", c.cast, args, out)
			}
			return nil
		}
	}
	for _, c := range []struct {
		name string
		do   func(*cluster) error
	}{
		{"TERM", signal(syscall.SIGTERM)}, {"INT", signal(syscall.SIGINT)}, {"QUIT", signal(syscall.SIGQUIT)},
		{"cfgtool -H", tool("-H")}, {"cfgtool -H --force", tool("-H", "--force")},
		{"KILL", signal(syscall.SIGKILL)},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := pair(t, lab.Ring{Transport: "knet"})
			got := make([]end, len(both))
			each(t, both, func(i int, k *cluster) (err error) {
				if err := k.grow(); err != nil {
					return err
				}
				pid := k.Hosts[0].PID()
				if err := c.do(k); err != nil {
					return err
				}
				if got[i], err = k.ended(10 * time.Second); got[i].LockFile != "none" {
					got[i].LockFile = lockFile(k.Hosts[0], pid)
				}
				return err
			})
			if c.name == "KILL" { // conformance/hostile (TestCrashLeavesNothing) looks at what is left of clients
				got[0].Shared, got[1].Shared = nil, nil
			}
			if d := cmp.Diff(got[0], got[1]); d != "" {
				t.Errorf("stock (-), ours (+):\n%s", d)
			}
			t.Logf("%+v", got[1])
		})
	}
}

// TestSchedulerMiss stops daemons for longer than they may be: both tell of it.
func TestSchedulerMiss(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet", Token: 1000})
	numbers := regexp.MustCompile(`= \d+(\.\d+)?|@\d+|for \d+\.\d{4} ms`)
	got := make([][]string, len(both))
	each(t, both, func(i int, c *cluster) error {
		if err := c.grow(); err != nil {
			return err
		}
		h := c.Hosts[0]
		for range 2 {
			time.Sleep(500 * time.Millisecond) // it looks every third of a second
			if err := h.Send(syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(1500 * time.Millisecond)
			if err := h.Send(syscall.SIGCONT); err != nil {
				return err
			}
		}
		time.Sleep(500 * time.Millisecond)
		say := func(text string) {
			got[i] = append(got[i], strings.Split(numbers.ReplaceAllString(text, "N"), "\n")...)
		}
		say(c.tool(1, "corosync-cmapctl", "-m", "stats", "stats.schedmiss."))
		say(c.tool(1, "corosync-cmapctl", "-C", "schedmiss"))
		say(c.tool(1, "corosync-cmapctl", "-m", "stats", "stats.schedmiss."))
		b, err := os.ReadFile(h.LogFile())
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "was not scheduled") {
				say(logStamp.ReplaceAllString(line, ""))
			}
		}
		return err
	})
	if d := cmp.Diff(got[0], got[1]); d != "" || !strings.Contains(strings.Join(got[1], "\n"), "stats.schedmiss.1.delay (flt) N") {
		t.Errorf("stock (-), ours (+):\n%s", d)
	}
	t.Log(strings.Join(got[1], "\n"))
}
