package live

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// TestLogReload rotates, reloads and sets keys of logs while daemons run, and
// compares what each file gets afterwards, which a forced membership fills.
func TestLogReload(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet"})
	const rotated = "/var/log/corosync/all.log /var/log/corosync/all.log.1"
	got := make([][]map[string][]string, len(both))
	each(t, both, func(i int, c *cluster) error {
		h := c.Hosts[0]
		a := lab.Admin{Host: h, Binary: daemonBinary}
		file := "corosync.conf"
		if h.Kind = "corosync"; c.cast == "o" {
			file = "cpgold.conf"
		}
		const plain = "  to_logfile: yes\n  logfile: /var/log/corosync/all.log\n  timestamp: on\n"
		c.conf = strings.Replace(c.conf, "  timestamp: hires\n", plain, 1)
		if err := c.grow(); err != nil {
			return err
		}
		edit := func(logging string) func() error {
			return func() error { return h.Edit(file, []byte(strings.Replace(c.conf, plain, logging, 1)), 0o644) }
		}
		do := func(line string) func() error {
			return func() error {
				_, err := a.Do(line)
				return err
			}
		}
		for _, step := range []struct {
			name string
			do   []func() error
		}{
			{"rotated", []func() error{do("mv " + rotated)}},
			{"reopened", []func() error{do("corosync-cfgtool -L")}},
			{"a file for a subsystem", []func() error{
				edit(plain + "  logger_subsys {\n    subsys: QUORUM\n    logfile: /var/log/corosync/own.log\n  }\n"), do("corosync-cfgtool -R")}},
			{"levels", []func() error{
				edit(plain + "  logfile_priority: error\n  logger_subsys {\n    subsys: TOTEM\n    logfile_priority: notice\n  }\n"), do("corosync-cfgtool -R")}},
			{"without time", []func() error{edit(strings.Replace(plain, "timestamp: on", "timestamp: off", 1)), do("corosync-cfgtool -R")}},
			{"debug", []func() error{do("corosync-cmapctl -s logging.debug str on")}},
		} {
			marks := logSizes(h)
			for _, f := range step.do {
				if err := f(); err != nil {
					return fmt.Errorf("%s: %s: %w", c.cast, step.name, err)
				}
			}
			if err := do("corosync-cmapctl -s runtime.force_gather str yes")(); err != nil {
				return err
			}
			time.Sleep(700 * time.Millisecond)
			got[i] = append(got[i], logsSince(h, marks))
		}
		return nil
	})
	for i := range got[0] {
		if d := cmp.Diff(got[0][i], got[1][i]); d != "" {
			t.Errorf("step %d, stock (-), ours (+):\n%s", i, d)
		}
	}
	t.Logf("%q", got[1])
}

// logSizes are those of a host's logs, by name.
func logSizes(h *lab.Host) map[string]int {
	sizes := map[string]int{}
	for name, text := range logTexts(h) {
		sizes[name] = len(text)
	}
	return sizes
}

// logsSince is what has been added to each, of lines that are comparable and no
// errors' or reloads' own.
func logsSince(h *lab.Host, sizes map[string]int) map[string][]string {
	added := map[string][]string{}
	for name, text := range logTexts(h) {
		if lines := shapes(text[min(sizes[name], len(text)):]); len(lines) > 0 {
			added[name] = lines
		}
	}
	return added
}

func logTexts(h *lab.Host) map[string]string {
	texts := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(h.Dir, "log", "*"))
	for _, f := range append(files, h.LogFile()) {
		b, _ := os.ReadFile(f)
		texts[filepath.Base(f)] = string(b)
	}
	return texts
}
