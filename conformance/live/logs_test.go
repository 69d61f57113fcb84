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

// logDifferences are lines that only one of the daemons has, and why. The others
// must be the same on both, at the same event.
var logDifferences = []struct{ line, reason string }{
	{`\[MAIN  \] Corosync (Cluster Engine .* starting up|built-in features:)`, "each names itself; ours has no features that are built in or not"},
	{`\[MAIN  \] Corosync Cluster Engine exiting with status -1 at `, "ours tells the status as the parent sees it, 255, and no line of C"},
	{`\[MAIN  \] Corosync Cluster Engine exiting with status 255`, "the same"},
	{`\[TOTEM \] totemknet initialized`, "a plug-in that ours does not load"},
	{`\[KNET  \] pmtud: `, "paths are probed at times of their own"},
	{`\[KNET  \] link: Resetting MTU for link`, "a step within libknet"},
	{`\[KNET  \] host: host: \d+ (\(passive\) best link|has no active links)`, "libknet also tells when it is configured, and of the link that it would take if it were up"},
	{`\[WD    \]`, "told by the services themselves, at most once a second"},
	{`\[TOTEM \] Configur(ing|ed) link`, "after a reload ours tells of links that changed only"},
	{`\[TOTEM \] Token has not been received`, "comes or not as the token was lost a little sooner or later"},
	{`\[TOTEM \] Retransmit List`, "packets are lost by chance"},
}

// logged is what a daemon has logged since mark, without what is not comparable,
// sorted: two daemons need not do in the same order what has none.
func (c *cluster) logged(mark int) (lines []string, next int, err error) {
	b, err := os.ReadFile(c.Hosts[0].LogFile())
	if err != nil {
		return nil, 0, err
	}
	for line := range strings.Lines(string(b[mark:])) {
		if line = logNumbers.ReplaceAllString(logStamp.ReplaceAllString(strings.TrimSpace(line), ""), "N ms"); line == "" {
			continue
		}
		known := slices.ContainsFunc(logDifferences, func(d struct{ line, reason string }) bool { return regexp.MustCompile(d.line).MatchString(line) })
		if !known && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines, len(b), nil
}

var (
	logStamp   = regexp.MustCompile(`^\w{3} \d\d \d\d:\d\d:\d\d\.\d{3} `)
	logNumbers = regexp.MustCompile(`\d+ ms`)
)

// TestLogLines lets the same things befall a node of stock's and one of ours, and
// compares what they log of it: subsystem, level and text.
func TestLogLines(t *testing.T) {
	life := []string{
		"start", "stop 3,ring 1 2", "start 3,ring 1 2 3", "kill 2,ring 1 3", "start 2,ring 1 2 3", "cut 1,ring 1", "join 1,ring 1 2 3",
		"corosync-cfgtool -R", "corosync-cfgtool -L", "corosync-cmapctl -s runtime.force_gather str yes,sleep,ring 1 2 3",
		"2 corosync-cfgtool -k 1,ended 1", "cut 1,start 1,ring 1", "join 1,ring 1 2 3", "corosync-cfgtool -H,ended 1",
	}
	for _, c := range []struct {
		ring lab.Ring
		life []string
	}{
		{lab.Ring{Transport: "knet", Token: 1000}, life},
		{lab.Ring{Transport: "udpu", Token: 1000}, []string{"start", "kill 2,ring 1 3", "start 2,ring 1 2 3", "corosync-cfgtool -H,ended 1"}},
		{lab.Ring{Transport: "udp", Token: 1000}, []string{"start", "stop 2,ring 1 3"}},
	} {
		t.Run(c.ring.Transport, func(t *testing.T) {
			if err := lab.Available(); err != nil {
				t.Skip(err)
			}
			t.Parallel()
			both := []*cluster{}
			for _, cast := range asked("sss", "oss") {
				both = append(both, newCluster(t, cast, lab.Options{}, c.ring))
			}
			compareLogs(t, both, c.life)
		})
	}
}

// compareLogs plays events and compares the lines that belong to each.
func compareLogs(t *testing.T, both []*cluster, life []string) {
	got := make([][][]string, len(both))
	each(t, both, func(i int, c *cluster) error {
		mark := 0
		for _, event := range life {
			for _, step := range strings.Split(event, ",") {
				if err := c.befall(step); err != nil {
					return fmt.Errorf("%s: %s: %w", c.cast, step, err)
				}
			}
			time.Sleep(300 * time.Millisecond) // what follows a membership
			lines, next, err := c.logged(mark)
			if err != nil {
				return err
			}
			mark = next
			if strings.HasPrefix(event, "kill") { // the others may have lost the token sooner, and tell this one
				lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "A processor failed") })
			}
			got[i] = append(got[i], lines)
		}
		return nil
	})
	count := 0
	for i, lines := range got[0] {
		count += len(lines)
		if d := cmp.Diff(lines, got[1][i]); d != "" {
			t.Errorf("%s, stock (-), ours (+):\n%s", life[i], d)
		}
	}
	t.Logf("%d lines of %d events", count, len(life))
}

// befall is cluster.do with tools, which run beside node 1 or the one that is named.
func (c *cluster) befall(step string) error {
	words := strings.Fields(step)
	id := 1
	if words[0] == "2" {
		id, words = 2, words[1:]
	}
	switch {
	case step == "start":
		return c.grow()
	case step == "sleep":
		time.Sleep(500 * time.Millisecond)
		return nil
	case strings.HasPrefix(words[0], "corosync-"):
		c.tool(id, words[0], words[1:]...)
		return nil
	}
	return c.do(step)
}

// TestLogForms compares which lines go where, and what they look like, for
// what can be said in the logging section.
func TestLogForms(t *testing.T) {
	const file, own = "/var/log/corosync/all.log", "/var/log/corosync/own.log"
	for _, c := range []struct {
		name, logging string
		difference    string // that is known; empty: none
	}{
		{"time on", "to_stderr: yes\ntimestamp: on\n", ""},
		{"time off", "to_stderr: yes\ntimestamp: off\n", ""},
		{"file", "to_stderr: yes\nto_logfile: yes\nlogfile: " + file + "\n", ""},
		{"file alone", "to_stderr: no\nto_logfile: yes\nlogfile: " + file + "\nlogfile_priority: notice\n", ""},
		{"file off", "to_logfile: no\nlogfile: " + file + "\n", ""},
		{"place", "fileline: on\nfunction_name: on\nto_logfile: yes\nlogfile: " + file + "\n", ""},
		{"function", "function_name: on\n", ""},
		{"line", "fileline: on\ntimestamp: off\nto_logfile: yes\nlogfile: " + file + "\n", ""},
		{"warnings", "logfile_priority: warning\n", ""},
		{"subsystem's file", "to_logfile: yes\nlogfile: " + file + "\nlogger_subsys {\nsubsys: QUORUM\nlogfile: " + own + "\n}\n", ""},
		{"subsystem's file alone", "to_logfile: no\nlogger_subsys {\nsubsys: QUORUM\nto_logfile: yes\nlogfile: " + own + "\n}\n", ""},
		{"subsystem's level", "logfile_priority: crit\nlogger_subsys {\nsubsys: QUORUM\nlogfile_priority: notice\n}\n", ""},
		{"subsystem without", "to_logfile: yes\nlogfile: " + file + "\nlogger_subsys {\nsubsys: QUORUM\nto_logfile: no\nto_stderr: no\n}\n",
			"stock closes the file for all subsystems"},
		{"subsystem in the file", "to_logfile: no\nlogfile: " + file + "\nlogger_subsys {\nsubsys: QUORUM\nto_logfile: yes\n}\n",
			"stock closes the file, because all others want none"},
		{"debug", "debug: on\n", ""},
		{"subsystem's debug", "to_logfile: yes\nlogfile: " + file + "\nlogger_subsys {\nsubsys: TOTEM\ndebug: on\n}\n", ""},
		{"trace", "logger_subsys {\nsubsys: TOTEM\ndebug: trace\n}\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := pair(t, lab.Ring{Transport: "knet"})
			got := make([]map[string][]string, len(both))
			each(t, both, func(i int, k *cluster) error {
				before, rest, _ := strings.Cut(k.conf, "logging {")
				_, after, _ := strings.Cut(rest, "}\n")
				k.conf = before + "logging {\nto_syslog: no\n" + c.logging + "}\n" + after
				if err := k.grow(); err != nil {
					return err
				}
				if err := k.Hosts[0].Stop(); err != nil {
					return err
				}
				got[i] = map[string][]string{}
				for name, path := range map[string]string{
					"stderr": k.Hosts[0].LogFile(), file: filepath.Join(k.Hosts[0].Dir, "log", "all.log"), own: filepath.Join(k.Hosts[0].Dir, "log", "own.log"),
				} {
					b, err := os.ReadFile(path)
					if err == nil && len(b) > 0 { // stock creates files that it does not use
						got[i][name] = shapes(string(b))
					}
				}
				return nil
			})
			d := cmp.Diff(got[0], got[1])
			switch {
			case d != "" && c.difference == "":
				t.Errorf("stock (-), ours (+):\n%s", d)
			case d == "" && c.difference != "" && !onlyStock():
				t.Errorf("the known difference is gone: %s", c.difference)
			}
			t.Logf("%q; known difference %s:\n%s", got[1], c.difference, d)
		})
	}
}

// common are lines that both daemons have of every life, at each level that a life
// has lines of.
var common = regexp.MustCompile(`Members\[|Sync members|Completed service|exiting normally|Node was shut down|A new membership|` +
	`Service engine unloaded: corosync (vote|conf)|server name|entering \w+ state|RLIMIT_MEMLOCK`)

var lineParts = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`^\w{3} \d\d \d\d:\d\d:\d\d\.\d{3} `), "MILLISECONDS "},
	{regexp.MustCompile(`^\w{3} \d\d \d\d:\d\d:\d\d `), "SECONDS "},
	// Without a time in front stock leaves the blank behind its name out.
	{regexp.MustCompile(`\[\d+\] \S+ (corosync|cpgold) ?`), "[PID] HOST PROGRAM "},
	{regexp.MustCompile(`\] \w+\.(c|go):\w+:\d+ `), "] FILE:FUNCTION:LINE "},
	{regexp.MustCompile(`\] \w+\.(c|go):\d+ `), "] FILE:LINE "},
	{regexp.MustCompile(`\] _?[A-Za-z]\w+ (Members\[|Sync|Completed|Corosync|Node|A new|Service|server|entering|Could)`), "] FUNCTION $1"},
}

// shapes are the lines of a log that are comparable, without what differs between
// any two daemons.
func shapes(log string) (list []string) {
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		if !common.MatchString(line) {
			continue
		}
		for _, p := range lineParts {
			line = p.find.ReplaceAllString(line, p.put)
		}
		if !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return list
}

// devLog gives a daemon a /dev of its own with a syslog in it, which is a socket of
// the test's. It becomes "$@".
const devLog = `set -e
mkdir -p "$LAB/dev/shm"
for n in null zero full random urandom; do : > "$LAB/dev/$n"; mount --bind /dev/$n "$LAB/dev/$n"; done
mount --bind /dev/shm "$LAB/dev/shm"
mount --rbind "$LAB/dev" /dev
exec "$@"`

// TestSyslog listens as syslog does.
func TestSyslog(t *testing.T) {
	for _, c := range []struct{ name, logging string }{
		{"default", ""},
		{"facility", "syslog_facility: local3\n"},
		{"priority", "syslog_priority: notice\ntimestamp: on\n"},
		{"subsystem", "syslog_priority: err\nfunction_name: on\nlogger_subsys {\nsubsys: QUORUM\nsyslog_priority: info\n}\n"},
		{"no time", "timestamp: off\n"},
		{"off", "to_syslog: no\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := pair(t, lab.Ring{Transport: "knet"})
			got := make([][]string, len(both))
			each(t, both, func(i int, k *cluster) error {
				h := k.Hosts[0]
				os.Mkdir(filepath.Join(h.Dir, "dev"), 0o755)
				s, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(h.Dir, "dev", "log")})
				if err != nil {
					return err
				}
				defer s.Close()
				k.conf = strings.Replace(k.conf, "  to_syslog: no\n  timestamp: hires\n", c.logging, 1)
				if err := (lab.Admin{Host: h}).Install(k.conf, lab.Key()); err != nil {
					return err
				}
				argv := []string{"corosync", "-f"}
				if k.cast == "o" {
					argv[0] = daemonBinary
				}
				lines := make(chan string)
				go func() {
					var all strings.Builder
					b := make([]byte, 4096)
					for {
						n, err := s.Read(b)
						if err != nil {
							break
						}
						all.WriteString(strings.TrimRight(string(b[:n]), "\n\x00") + "\n")
					}
					lines <- all.String()
				}()
				if err := h.Launch(argv[0], append([]string{"sh", "-c", devLog, "sh"}, argv...)...); err != nil {
					return err
				}
				if err := k.WaitRing(10*time.Second, 1); err != nil {
					return err
				}
				if err := h.Stop(); err != nil {
					return err
				}
				time.Sleep(100 * time.Millisecond)
				s.Close()
				got[i] = shapes(syslogStamp.ReplaceAllString(<-lines, "$1 PROGRAM[PID]: "))
				return nil
			})
			if d := cmp.Diff(got[0], got[1]); d != "" {
				t.Errorf("stock (-), ours (+):\n%s", d)
			}
			t.Logf("%q", got[1])
		})
	}
}

var syslogStamp = regexp.MustCompile(`(?m)^(<\d+>)\w{3} [ \d]\d \d\d:\d\d:\d\d (?:corosync|cpgold)\[\d+\]: `)

// TestBlackbox asks for the flight recorder as administrators do, and kills daemons
// so that they write it themselves.
func TestBlackbox(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet"})
	entry := regexp.MustCompile(`(?m)^(notice |debug  ) \w{3} \d\d \d\d:\d\d:\d\d\.\d{3} \w+\(\d+\):\d+: .*(Completed service synchronization|entering OPERATIONAL state)`)
	each(t, both, func(i int, c *cluster) error {
		if err := c.grow(); err != nil {
			return err
		}
		a := lab.Admin{Host: c.Hosts[0], Binary: daemonBinary}
		check := func(line string) error {
			out, err := a.Do(line)
			if found := entry.FindAllString(out, -1); len(found) != 2 {
				return fmt.Errorf("%s: %s: %v, found %q in\n%s", c.cast, line, err, found, out)
			}
			return nil
		}
		if err := check("corosync-blackbox"); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(a.Dir, "lib", "fdata")); err != nil {
			return err
		}
		if err := a.Send(syscall.SIGABRT); err != nil {
			return err
		}
		e, err := c.ended(10 * time.Second)
		if err != nil {
			return err
		}
		if e.Signal != "SIGABRT" {
			return fmt.Errorf("%s: after SIGABRT: %+v", c.cast, e)
		}
		return check("qb-blackbox /var/lib/corosync/fdata")
	})
}
