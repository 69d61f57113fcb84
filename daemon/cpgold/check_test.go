package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/conf"
)

// write puts texts into files of one directory and returns their paths.
func write(t *testing.T, texts ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i, text := range texts {
		file := filepath.Join(dir, string(rune('a'+i))+".conf")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// TestCheckAgainst compares with another node's file, in text and statuses.
func TestCheckAgainst(t *testing.T) {
	other := strings.Replace(good, "version: 2", "version: 2\n  token: 5000", 1)
	for _, c := range []struct {
		name, a, b string
		status     int
		want       string
	}{
		{"same", good, good, 0, "A: accepted\nA: agrees with B in all that must be the same\n"},
		{"token", good, other, 4, "A: differs from B in 1 setting that must be the same\n"},
		{"where", good, other, 4, "difference: A:2: totem.token, the value in use: 3000 ms here, 5000 ms in B:3: "},
		{"other refused", good, "totem {", 4, "A: cannot be compared with B: B:1: Missing closing brace"},
		{"both refused", "totem {", "totem {", 1, "A: refused\nA: cannot be compared with B: A:1: Missing closing brace"},
		{"no other", good, "", 4, "cannot be compared with B: B: No interfaces defined"},
		{"would not start", good + "quorum {\n  provider: nobody\n}\n", good, 3, "A: differs from B in 1 setting that must be the same\n"},
	} {
		files := write(t, c.a, c.b)
		status, stdout, stderr := commandLine("check", files[0], "--against", files[1])
		got := strings.NewReplacer(files[0], "A", files[1], "B").Replace(stdout)
		if status != c.status || !strings.Contains(got, c.want) || stderr != "" {
			t.Errorf("%s: status %d, want %d; %q\n%s\nwant %s", c.name, status, c.status, stderr, got, c.want)
		}
	}
	if status, _, stderr := commandLine("check", "x", "--against"); status != 2 || !strings.Contains(stderr, checkUsage) {
		t.Errorf("no file: %d, %s", status, stderr)
	}
}

// TestCheckJSON: the document has the fields that its types say, and nothing of
// the text form.
func TestCheckJSON(t *testing.T) {
	files := write(t, strings.Replace(good, "version: 2", "version: 2\n  tokem: 1", 1), good, "format = 1\n[transprot]\n")
	status, stdout, _ := commandLine("check", "--json", files[0], "--against", files[1])
	var r checkReport
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || d.More() {
		t.Fatalf("%v\n%s", err, stdout)
	}
	want := checkReport{File: files[0], Format: "corosync.conf", Verdict: "accepted",
		Findings: []checkFinding{{"warning", files[0], 3, "totem.tokem", "has no effect: did you mean token?", ""}},
		Against:  &againstReport{File: files[1], Differences: []checkDifference{}, NotCompared: []string{}}}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(checkFinding{})); status != 0 || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	status, stdout, _ = commandLine("check", "--json", files[2])
	if status != 1 || !strings.Contains(stdout, `"format": "toml"`) || !strings.Contains(stdout, `"line": 2,`) ||
		!strings.Contains(stdout, `"verdict": "refused"`) || strings.Contains(stdout, "against") || strings.Contains(stdout, "live") {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

// TestCheckLive with a map that no daemon gave.
func TestCheckLive(t *testing.T) {
	files := write(t, good, strings.Replace(good, "version: 2", "version: 2\n  token: 5000\n  cluster_name: x", 1),
		strings.Replace(good, "version: 2", "version: 2\n  token: 20", 1), "totem {")
	c, err := conf.Load(files[0], conf.Host())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file    string
		err     error
		status  int
		summary string
		lines   string
	}{
		{files[0], nil, 0, "a reload would change nothing", ""},
		{files[1], nil, 5, "a reload would change 7 keys, and leave 1 key for the next start", "restart: F:4: totem.cluster_name: none -> x\n"},
		{files[1], nil, 5, "", "changes: F:3: totem.token: none -> 5000\n"},
		{files[2], nil, 1, "a reload would refuse it: Configuration is not valid: F:3: totem.token", ""},
		{files[3], nil, 1, "a reload would refuse it: Unable to reload config file: ", ""},
		{files[0], errors.New("no daemon"), 6, "cannot be compared with the running daemon: no daemon", ""},
	} {
		r := checkFile(tt.file, conf.Host())
		r.askDaemon(func() ([]conf.Key, error) { return c.Keys, tt.err }, conf.Host())
		var out strings.Builder
		r.print(&out)
		got := strings.ReplaceAll(out.String(), tt.file, "F")
		if r.status() != tt.status || !strings.Contains(got, tt.summary) || !strings.Contains(got, tt.lines) {
			t.Errorf("%s: status %d, want %d:\n%s\nwant %s\n%s", tt.file, r.status(), tt.status, got, tt.summary, tt.lines)
		}
	}
}

// TestCmapKey reads values as they lie in memory.
func TestCmapKey(t *testing.T) {
	for _, c := range []struct {
		t     conf.KeyType
		value []byte
		want  string
	}{
		{conf.TypeU8, []byte{200, 9, 9}, "200"}, {conf.TypeU16, []byte{1, 2}, "513"}, {conf.TypeU32, []byte{0, 0, 0, 128}, "2147483648"},
		{conf.TypeI32, []byte{0xff, 0xff, 0xff, 0xff}, "-1"}, {conf.TypeU64, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "18446744073709551615"},
		{conf.TypeString, []byte("text\x00rest"), "text"}, {conf.TypeString, []byte("text"), "text"}, {conf.TypeString, nil, ""}, {conf.TypeU32, nil, "0"},
	} {
		if k, ok := cmapKey("k", c.t, c.value); !ok || k.Value() != c.want || k.Type != c.t {
			t.Errorf("%v %v: %+v", c.t, c.value, k)
		}
	}
	if _, ok := cmapKey("k", 1, []byte{1}); ok {
		t.Error("a type that no configuration has")
	}
}

// TestSchemaAndExample: the example that is printed is one that check accepts.
func TestSchemaAndExample(t *testing.T) {
	status, stdout, stderr := commandLine("schema")
	if status != 0 || stderr != "" || !json.Valid([]byte(stdout)) {
		t.Errorf("schema: %d %q", status, stderr)
	}
	status, stdout, stderr = commandLine("example")
	if status != 0 || stderr != "" {
		t.Errorf("example: %d %q", status, stderr)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "authkey")
	if err := os.WriteFile(key, make([]byte, 256), 0o400); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("#key_file = \"/etc/corosync/authkey\"", "key_file = \""+key+"\"", "192.0.2.1\", 1 = \"198.51.100.1",
		"127.0.0.1\", 1 = \"127.0.0.2").Replace(stdout)
	file := filepath.Join(dir, "node.toml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, stdout, _ := commandLine("check", file); status != 0 {
		t.Errorf("check: %d %s", status, stdout)
	}
	for _, name := range []string{"schema", "example"} {
		if status, _, stderr := commandLine(name, "x"); status != 2 || !strings.Contains(stderr, "usage: cpgold "+name) {
			t.Errorf("%s x: %d %s", name, status, stderr)
		}
	}
}

// TestCheckKey: a key that others can read is told of, in a file of its own and
// in the configuration.
func TestCheckKey(t *testing.T) {
	crypto := "version: 2\n  crypto_cipher: aes256\n  crypto_hash: sha256\n  "
	for _, c := range []struct {
		name      string
		line      string // KEY is the key file
		mode, key os.FileMode
		owner     int
		want      string
	}{
		{"fine", "keyfile: KEY", 0o644, 0o400, 0, ""},
		{"readable", "keyfile: KEY", 0o644, 0o440, 0, "advice: KEY: others than the owner may read or change the crypto key (mode 0440): "},
		{"inline", "key: " + strings.Repeat("k", 200), 0o644, 0o400, 0, "advice: FILE: others than the owner may read or change the crypto key in it (mode 0644)"},
		{"inline, fine", "key: " + strings.Repeat("k", 200), 0o600, 0o400, 0, ""},
		{"owner", "keyfile: KEY", 0o600, 0o400, 65534, "advice: KEY: user 65534 owns the crypto key, not root"},
	} {
		if c.owner != 0 && os.Geteuid() != 0 {
			continue // nobody else can give files away
		}
		dir := t.TempDir()
		key, file := filepath.Join(dir, "authkey"), filepath.Join(dir, "corosync.conf")
		text := strings.Replace(good, "version: 2", crypto+strings.ReplaceAll(c.line, "KEY", key), 1)
		err := errors.Join(os.WriteFile(key, make([]byte, 256), 0o600), os.WriteFile(file, []byte(text), 0o600), os.Chmod(key, c.key),
			os.Chmod(file, c.mode), os.Chown(key, max(c.owner, os.Geteuid()), -1))
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, _ := commandLine("check", file)
		got := strings.NewReplacer(key, "KEY", file, "FILE").Replace(stdout)
		if os.Geteuid() != 0 { // whose files these are
			got = regexp.MustCompile("(?m)^.*, not root\n").ReplaceAllString(got, "")
		}
		if status != 0 || !strings.HasPrefix(got, c.want) || c.want == "" && got != "FILE: accepted\n" {
			t.Errorf("%s: status %d\n%s\nwant %s", c.name, status, got, c.want)
		}
	}
}
