package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatusOfConfigurations: a configuration that is refused gives the status
// that the C daemon ends with.
func TestStatusOfConfigurations(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"nothing":            {"", exitConfig},
		"no state directory": {"system {\n state_dir: " + missing + "\n}\n", exitState},
		"no log":             {"logging {\n to_logfile: yes\n logfile: " + missing + "/log\n}\n", exitLogging},
		"no facility":        {"logging {\n syslog_facility: nowhere\n}\n", exitLogging},
	} {
		file := filepath.Join(dir, "corosync.conf")
		sound := "totem {\n version: 2\n transport: udpu\n}\nnodelist {\n node {\n  nodeid: 1\n  ring0_addr: 127.0.0.1\n }\n}\n"
		if tt.text == "" {
			sound = ""
		}
		if err := os.WriteFile(file, []byte(sound+tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if got := run([]string{"run", "--config", file}, &out, &errs); got != tt.status || !strings.HasPrefix(errs.String(), "cpgold: ") {
			t.Errorf("%s: status %d, want %d: %s", name, got, tt.status, errs.String())
		}
	}
}

// TestRulingPath: the file of a daemon that was started by either command line.
func TestRulingPath(t *testing.T) {
	for line, want := range map[string]string{
		"cpgold run --config /a.toml":   "/a.toml",
		"/usr/sbin/cpgold run -c /a":    "/a",
		"cpgold run --cpu-profile x":    "",
		"cpgold -f":                     stockFile,
		"corosync -f":                   stockFile,
		"corosync":                      stockFile,
		"/x/corosync -fc /etc/b.conf":   "/etc/b.conf",
		"corosync -c/etc/b.conf -f":     "/etc/b.conf",
		"cpgold -f -c relative/to/what": "relative/to/what",
	} {
		if got := rulingPath(strings.Fields(line)); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
