package live

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// TestExitStatus starts daemons that cannot run, for every reason that can be had
// on one host (services.md 8.5), and holds their exit status against stock's.
func TestExitStatus(t *testing.T) {
	replace := func(old, now string) func(*cluster) error {
		return func(c *cluster) error {
			if !strings.Contains(c.conf, old) {
				return fmt.Errorf("no %q in the configuration", old)
			}
			c.conf = strings.Replace(c.conf, old, now, 1)
			return nil
		}
	}
	system := func(text string) func(*cluster) error {
		return replace("nodelist {", "system {\n"+text+"\n}\nnodelist {")
	}
	all := func(fs ...func(*cluster) error) func(*cluster) error {
		return func(c *cluster) error {
			for _, f := range fs {
				if err := f(c); err != nil {
					return err
				}
			}
			return nil
		}
	}
	directory := func(path ...string) func(*cluster) error {
		return func(c *cluster) error {
			return os.Mkdir(filepath.Join(append([]string{c.Hosts[0].Dir}, path...)...), 0o755)
		}
	}
	second := func(c *cluster) error { // the host's first daemon goes on running
		if err := c.grow(); err != nil {
			return err
		}
		c.Hosts[0].Forget()
		return nil
	}
	for _, c := range []struct {
		name   string
		spoil  func(*cluster) error
		status int
		logged bool // when the log is open; before, ours says nothing of the status
	}{
		{"grammar", replace("quorum {", "quorum {{"), 8, false},
		{"value", replace("transport: knet", "transport: none"), 8, false},
		{"no key", replace("transport: knet", "transport: knet\n  crypto_cipher: aes256\n  crypto_hash: sha1\n  keyfile: /nonexistent"), 8, false},
		{"logging value", replace("timestamp: hires", "timestamp: never"), 7, false},
		{"log file", replace("timestamp: hires", "to_logfile: yes\n  logfile: /nonexistent/log"), 7, false},
		{"state directory", system("state_dir: /nonexistent"), 16, false},
		{"state directory and transport", all(system("state_dir: /nonexistent"), replace("transport: knet", "transport: none")), 16, false},
		{"lock file", directory("run", "corosync.pid"), 17, true},
		{"running", second, 18, true},
		{"ring id", directory("lib", "ringid_1"), 21, true},
		{"provider", replace("corosync_votequorum", "corosync_ykd_2"), 20, false},
		{"two_node", replace("corosync_votequorum", "corosync_votequorum\n  two_node: 1\n  expected_votes: 3\n  device {\n  model: net\n  votes: 1\n  }"), 20, false},
		{"port", func(c *cluster) error {
			if err := replace("transport: knet", "transport: udpu")(c); err != nil {
				return err
			}
			return c.Hosts[0].Do(func() error { // the socket outlives the thread
				s, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(c.Hosts[0].Addr(0)), Port: 5405})
				if err == nil {
					t.Cleanup(func() { s.Close() })
				}
				return err
			})
		}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := pair(t, lab.Ring{Transport: "knet"})
			got := make([]end, len(both))
			each(t, both, func(i int, k *cluster) (err error) {
				if err := c.spoil(k); err != nil {
					return err
				}
				if err := k.start(1); err != nil {
					return err
				}
				got[i], err = k.ended(15 * time.Second)
				return err
			})
			for i, e := range got {
				if e.Status != c.status {
					t.Errorf("%s: status %d, not %d", both[i].cast, e.Status, c.status)
				}
			}
			if last := both[1].Hosts[0].Tail(1); !onlyStock() && c.logged &&
				!strings.HasSuffix(last, fmt.Sprintf("error   [MAIN  ] Corosync Cluster Engine exiting with status %d", c.status)) {
				t.Errorf("the last line is %q", last)
			}
		})
	}
}

// TestSignals sends the signals that do not end ours; two of them end stock.
func TestSignals(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet"})
	if onlyStock() {
		t.Skip("of ours")
	}
	c := both[1]
	if err := c.grow(); err != nil {
		t.Fatal(err)
	}
	h := c.Hosts[0]
	before, _, err := h.Ring()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGUSR2, syscall.SIGCHLD, syscall.SIGURG} {
		if err := h.Send(s); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond)
	if after, _, err := h.Ring(); err != nil || after != before {
		t.Errorf("ring %s, then %s, %v", before, after, err)
	}
	if log := h.Tail(20); !strings.Contains(log, "notice  [MAIN  ] state: operational, in service, ring "+before+" of nodes [1]") {
		t.Errorf("USR2 logged no state:\n%s", log)
	}
}

// TestNotify listens as systemd does.
func TestNotify(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet"})
	got := make([][]string, len(both))
	each(t, both, func(i int, c *cluster) error {
		h := c.Hosts[0]
		name := filepath.Join(h.Dir, "notify")
		s, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
		if err != nil {
			return err
		}
		defer s.Close()
		if err := (lab.Admin{Host: h}).Install(c.conf, lab.Key()); err != nil {
			return err
		}
		argv := []string{"corosync", "-f"}
		if c.cast == "o" {
			argv[0] = daemonBinary // our command line, as a unit of stock's has it
		}
		if err := h.Launch(argv[0], append([]string{"env", "NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"}, argv...)...); err != nil {
			return err
		}
		hear := func() (string, error) {
			b := make([]byte, 100)
			s.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := s.Read(b)
			return string(b[:n]), err
		}
		for {
			state, err := hear()
			if err != nil {
				return err
			}
			got[i] = append(got[i], state)
			if state == "READY=1" {
				break
			}
		}
		if _, _, err := h.Ring(); err != nil {
			return fmt.Errorf("%s: ready, but no ring: %w", c.cast, err)
		}
		if c.cast == "o" {
			for range 4 {
				state, err := hear()
				if err != nil {
					return err
				}
				got[i] = append(got[i], state)
			}
		}
		if err := h.Stop(); err != nil {
			return err
		}
		for {
			s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			b := make([]byte, 100)
			n, err := s.Read(b)
			if err != nil {
				break
			}
			got[i] = append(got[i], string(b[:n]))
		}
		return nil
	})
	if d := cmp.Diff([]string{"READY=1"}, got[0]); d != "" {
		t.Errorf("stock: %s", d)
	}
	if onlyStock() {
		return
	}
	// Ours feeds a watchdog if there is one, and tells that it stops.
	if !slices.Contains(got[1], "WATCHDOG=1") || got[1][len(got[1])-1] != "STOPPING=1" {
		t.Errorf("ours: %q", got[1])
	}
	others := slices.DeleteFunc(slices.Clone(got[1]), func(s string) bool { return s == "WATCHDOG=1" })
	if d := cmp.Diff([]string{"READY=1", "STOPPING=1"}, others); d != "" {
		t.Errorf("ours: %s", d)
	}
}

// TestStockCommandLine calls our binary as scripts and services call corosync.
func TestStockCommandLine(t *testing.T) {
	if onlyStock() {
		t.Skip("of ours")
	}
	both := pair(t, lab.Ring{Transport: "knet"})
	bin := t.TempDir()
	if err := os.Symlink(daemonBinary, filepath.Join(bin, "corosync")); err != nil {
		t.Fatal(err)
	}
	type said struct{ Line, Out string }
	var got [2][]said
	stamp := regexp.MustCompile(`(?m)^\w{3} \d\d [\d:.]+ \w+ +\[MAIN  \] (Corosync Cluster Engine exiting.*\n)?`)
	each(t, both, func(i int, c *cluster) error {
		h := c.Hosts[0]
		a := lab.Admin{Host: h, Binary: "/usr/sbin/corosync"}
		if c.cast == "o" {
			a.Binary = filepath.Join(bin, "corosync")
		}
		bad := strings.Replace(c.conf, "version: 2", "version: two", 1)
		os.WriteFile(filepath.Join(h.Dir, "etc", "bad.conf"), []byte(bad), 0o644)
		if err := a.Install(c.conf, lab.Key()); err != nil {
			return err
		}
		for _, line := range []string{
			"corosync -t; echo $?", "corosync -tc/etc/corosync/bad.conf; echo $?", "corosync -t -c /nonexistent; echo $?",
			"corosync -z 2>/dev/null; echo $?", "corosync -v >/dev/null; echo $?",
			"corosync -v | sed -n '1s/ (.*//p; $p'",
			"corosync -c /etc/corosync/bad.conf; echo $?",
			"corosync >/dev/null 2>&1; echo $?", "sleep 1; corosync -f >/dev/null 2>&1; echo $?",
			"ps -o tty=,stat= -p $(cat /run/corosync.pid); readlink /proc/$(cat /run/corosync.pid)/fd/[012]",
			"kill $(cat /run/corosync.pid); for i in 1 2 3 4 5 6 7 8 9; do [ -e /run/corosync.pid ] && sleep 0.5; done; ls /run",
		} {
			out, err := a.Do(line)
			if err != nil {
				return err
			}
			got[i] = append(got[i], said{line, stamp.ReplaceAllString(out, "")})
		}
		return nil
	})
	if d := cmp.Diff(got[0], got[1]); d != "" {
		t.Errorf("stock (-), ours (+):\n%s", d)
	}
}
