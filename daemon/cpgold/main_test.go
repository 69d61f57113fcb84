package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs one command line as main would.
func commandLine(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		stdout string // contained
		stderr string
	}{
		{nil, 2, "", "usage: cpgold"},
		{[]string{"help"}, 0, "run --config FILE", ""},
		{[]string{"frobnicate"}, 2, "", `"frobnicate" is no command`},
		{[]string{"run"}, 2, "", "usage: cpgold run --config FILE"},
		{[]string{"run", "--config"}, 2, "", `unexpected argument "--config"`},
		{[]string{"run", "--config", "/nonexistent/file"}, 8, "", "/nonexistent/file"},
		{[]string{"check"}, 2, "", "usage: cpgold check FILE"},
		{[]string{"replay", "--json"}, 2, "", "usage: cpgold replay"},
		{[]string{"version"}, 0, "cpgold ", ""},
		{[]string{"--version"}, 0, "cpgold ", ""},
		{[]string{"-v"}, 0, "Corosync Cluster Engine, version '3.1.", ""},
		{[]string{"-x"}, 1, "", "usage:\n        -c "},
		{[]string{"-fc"}, 1, "", "usage:\n        -c "},
		{[]string{"-tc", "/nonexistent/file"}, 8, "", "Can't read file /nonexistent/file: No such file or directory"},
		{[]string{"-t", "-c/nonexistent/file"}, 8, "", "Can't read file /nonexistent/file: No such file or directory"},
		{[]string{"-f", "-c", "/nonexistent/file"}, 8, "", "/nonexistent/file"},
	} {
		status, stdout, stderr := commandLine(c.args...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: status %d, stdout %q, stderr %q", c.args, status, stdout, stderr)
		}
	}
}

const good = `totem {
  version: 2
  transport: knet
}
nodelist {
  node {
    ring0_addr: 127.0.0.1
    nodeid: 1
    name: a
  }
}
`

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, file string
		status     int
		want       []string
	}{
		{"good", good, 0, []string{": accepted\n"}},
		{"bad number", strings.Replace(good, "version: 2", "version: two", 1), 1, []string{":2: ", "totem.version", ": refused\n"}},
		{"no brace", good + "quorum {\n", 1, []string{"Missing closing brace"}},
		{"start", good + "quorum {\n  provider: nobody\n}\n", 3, []string{":13: quorum.provider", "would not start"}},
	} {
		file := filepath.Join(t.TempDir(), "corosync.conf")
		if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := commandLine("check", file)
		for _, w := range c.want {
			if !strings.Contains(stdout, w) {
				t.Errorf("%s: %q is not in %q", c.name, w, stdout)
			}
		}
		if status != c.status || stderr != "" {
			t.Errorf("%s: status %d, want %d; stdout %q, stderr %q", c.name, status, c.status, stdout, stderr)
		}
	}
}
