package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// put writes a file into a new directory.
func put(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const goodTOML = `format = 1

[transport]
type = "knet"

[[node]]
id = 1
name = "a"
addresses = { 0 = "127.0.0.1" }
`

func TestMigrate(t *testing.T) {
	file := put(t, "corosync.conf", good, 0o640)
	dir := filepath.Dir(file)
	status, stdout, stderr := commandLine("migrate", file)
	if status != 0 || stdout != goodTOML || !strings.Contains(stderr, "key: none is read: the ring is neither encrypted nor signed") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}

	toml := filepath.Join(dir, "node.toml")
	status, stdout, stderr = commandLine("migrate", file, "-o", toml)
	if status != 0 || stdout != "" || read(t, toml) != goodTOML || !strings.Contains(stderr, toml+": written from "+file) {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
	if info, err := os.Stat(toml); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v %v: not the mode of the source", info.Mode(), err)
	}
	if err := os.WriteFile(toml, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, stderr = commandLine("migrate", file, "-o", toml)
	if status != 1 || read(t, toml) != "mine" || !strings.Contains(stderr, toml+": exists: --force replaces it") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("node.toml", link); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr = commandLine("migrate", "--force", "-o="+link, file); status != 0 || read(t, toml) != goodTOML {
		t.Errorf("status %d\n%s", status, stderr)
	}

	status, stdout, _ = commandLine("migrate", "--reverse", toml)
	if status != 0 || !strings.HasPrefix(stdout, "totem {\n    version: 2\n    transport: knet\n}\n\nnodelist {\n    node {\n") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*cpgold*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestMigrateDiff(t *testing.T) {
	file := put(t, "corosync.conf", good, 0o644)
	status, stdout, _ := commandLine("migrate", "--diff", file)
	want := "--- " + file + "\n+++ " + file + `, translated
  nodelist.node.0.name (str) = a
  nodelist.node.0.nodeid (u32) = 1
  nodelist.node.0.ring0_addr (str) = 127.0.0.1
  totem.transport (str) = knet
  totem.version (u32) = 2
`
	if status != 0 || stdout != want {
		t.Errorf("status %d\n%s", status, stdout)
	}
	other := put(t, "node.toml", strings.Replace(goodTOML, `"a"`, `"b\u0001"`, 1)+"[timers]\ntoken = \"1s\"\n", 0o644)
	status, stdout, _ = commandLine("migrate", "--diff", file, "-o", other)
	for _, line := range []string{"- nodelist.node.0.name (str) = a", `+ nodelist.node.0.name (str) = "b\x01"`, "+ totem.token (u32) = 1000"} {
		if !strings.Contains(stdout, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, stdout)
		}
	}
	if status != 1 {
		t.Errorf("status %d", status)
	}
	old := put(t, "corosync.conf", strings.Replace(good, "transport: knet", "rrp_mode: none\n  secauth: off", 1), 0o644)
	status, stdout, stderr := commandLine("migrate", "--diff", old)
	if status != 1 || !strings.Contains(stdout, "+ totem.transport (str) = udp\n") || !strings.Contains(stderr, ":3: totem.rrp_mode: only corosync 2") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
	if status, stdout, _ = commandLine("migrate", "--diff", "--from", "3", old); status != 0 {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

func TestMigrateInPlace(t *testing.T) {
	file := put(t, "corosync.conf", good, 0o604)
	dir := filepath.Dir(file)
	link := filepath.Join(t.TempDir(), "link.conf")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := commandLine("migrate", "--in-place", link)
	if status != 0 || stdout != "" || read(t, file) != goodTOML || read(t, file+".orig") != good ||
		!strings.Contains(stderr, file+": translated; the original is "+file+".orig") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
	for _, name := range []string{file, file + ".orig"} {
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o604 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != file {
		t.Errorf("the link is %q, %v", target, err)
	}
	if status, _, stderr = commandLine("migrate", "--in-place", "--reverse", file); status != 0 || read(t, file+".orig.1") != goodTOML ||
		!strings.HasPrefix(read(t, file), "totem {") || read(t, file+".orig") != good {
		t.Errorf("status %d\n%s", status, stderr)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 {
		t.Errorf("%v", entries)
	}
}

// TestReplacementKilled ends a replacement after each of its steps: the
// original is there, and the file is one text or the other.
func TestReplacementKilled(t *testing.T) {
	for n := range 8 {
		file := put(t, "corosync.conf", good, 0o640)
		s, err := readSource(file)
		if err != nil {
			t.Fatal(err)
		}
		r := replacement{path: file, text: []byte(goodTOML), source: s}
		steps := r.steps()
		for i, step := range steps[:min(n, len(steps))] {
			if err := step(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
		}
		now := read(t, file)
		if now != good && (now != goodTOML || r.backup == "" || read(t, r.backup) != good) {
			t.Errorf("after %d steps the file is %q, the original is gone", n, now)
		}
		if n == len(steps) && now != goodTOML {
			t.Errorf("after all steps the file is %q", now)
		}
	}
}

// TestReplacementCopies keeps the original where there are no links.
func TestReplacementCopies(t *testing.T) {
	file := put(t, "corosync.conf", good, 0o640)
	s, err := readSource(file)
	if err != nil {
		t.Fatal(err)
	}
	r := replacement{path: file, source: s}
	if err := r.copyTo(file + ".orig"); err != nil || read(t, file+".orig") != good {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(file + ".orig"); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := r.copyTo(file + ".orig"); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 2 {
		t.Errorf("%v", entries)
	}
}

// TestMigrateGuessed does not act on a guess.
func TestMigrateGuessed(t *testing.T) {
	const text = "totem {\nversion: 2\nsecauth: off\nrrp_mode: none\ntransport: udpu\n}\nnodelist {\nnode {\nring0_addr: 127.0.0.1\n}\n}\n"
	for _, c := range []struct {
		from   string
		status int
		token  bool
	}{{"", 3, true}, {"--from=2", 0, true}, {"--from=3", 0, false}} {
		file := put(t, "corosync.conf", text, 0o600)
		args := []string{"migrate", file}
		if c.from != "" {
			args = append(args, c.from)
		}
		status, stdout, stderr := commandLine(args...)
		if status != c.status || strings.Contains(stdout, "token = \"1s\"") != c.token {
			t.Errorf("%s: status %d\n%s\n%s", c.from, status, stdout, stderr)
		}
		status, _, stderr = commandLine(append(args, "--in-place")...)
		if changed := read(t, file) != text; changed != (c.from != "") || !changed && (status != 1 || !strings.Contains(stderr, "say --from 2 or --from 3")) {
			t.Errorf("%s: status %d, changed %v\n%s", c.from, status, changed, stderr)
		}
	}
}

// TestReplacementFails makes steps fail: nothing changes, nothing stays behind.
func TestReplacementFails(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, file string){
		"changed": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("changed"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"replaced": func(t *testing.T, file string) {
			if err := errors.Join(os.Rename(file, file+".new"), os.WriteFile(file, []byte(good), 0o600), os.Remove(file+".new")); err != nil {
				t.Fatal(err)
			}
		},
		"gone": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
	} {
		file := put(t, "corosync.conf", good, 0o640)
		s, err := readSource(file)
		if err != nil {
			t.Fatal(err)
		}
		disturb(t, file)
		before, _ := os.ReadFile(file)
		r := replacement{path: file, text: []byte(goodTOML), source: s}
		if err := r.run(); err == nil {
			t.Errorf("%s: no error", name)
		}
		after, _ := os.ReadFile(file)
		if entries, _ := os.ReadDir(filepath.Dir(file)); !bytes.Equal(before, after) || len(entries) > 1 {
			t.Errorf("%s: %q became %q beside %v", name, before, after, entries)
		}
	}
}

func TestMigrateBadInput(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := put(t, "huge.conf", good, 0o600)
	if err := os.Truncate(huge, 1<<30); err != nil {
		t.Fatal(err)
	}
	hugeTOML := put(t, "huge.toml", goodTOML+strings.Repeat("# more\n", 1<<20), 0o600)
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{}, 2, "usage: cpgold migrate FILE"},
		{[]string{"a", "b"}, 2, "usage"},
		{[]string{"a", "--from"}, 2, "usage"},
		{[]string{"a", "--from", "4"}, 2, "usage"},
		{[]string{"a", "-o"}, 2, "usage"},
		{[]string{"a", "--frob"}, 2, "usage"},
		{[]string{"a", "--reverse", "--from=2"}, 2, "usage"},
		{[]string{"a", "--in-place", "--diff"}, 2, "--in-place goes with neither"},
		{[]string{filepath.Join(dir, "none")}, 1, "no such file"},
		{[]string{dir}, 1, "not a regular file"},
		{[]string{pipe}, 1, "not a regular file"},
		{[]string{"/dev/zero"}, 1, "not a regular file"},
		{[]string{loop}, 1, "too many levels of symbolic links"},
		{[]string{huge}, 1, "huge.conf:"},
		{[]string{"--reverse", hugeTOML}, 1, "huge.toml:1: file is larger than 512 KiB"},
		{[]string{put(t, "x.conf", "totem {\nversion: two\n}\n", 0o600)}, 1, "x.conf:2: "},
		{[]string{put(t, "nul.conf", "totem {\nversion: 2\x00\n}\n", 0o600)}, 1, "nul.conf:2: Line too long"},
		{[]string{put(t, "deep.conf", strings.Repeat("a {\n", 100000), 0o600)}, 1, "deep.conf:128: Start of section"},
		{[]string{put(t, "v3.conf", "totem {\nversion: 3\n}\n", 0o600)}, 1, "totem.version is 3"},
		{[]string{put(t, "x.toml", goodTOML, 0o600)}, 1, "is TOML already: --reverse"},
		{[]string{"--reverse", put(t, "y.conf", good, 0o600)}, 1, "is not TOML"},
		{[]string{"-o", filepath.Join(dir, "none", "x"), put(t, "z.conf", good, 0o600)}, 1, "no such file"},
		{[]string{"-o", pipe, put(t, "z.conf", good, 0o600)}, 1, "exists"},
		{[]string{"--force", "-o", pipe, put(t, "z.conf", good, 0o600)}, 1, "not a regular file"},
		{[]string{put(t, "bare.conf", "totem {\nversion: 2\ninterface {\nbindnetaddr: 127.0.0.0\n}\n}\n", 0o600)}, 3, "bare.conf:4: totem.interface: no nodelist"},
	} {
		begin := time.Now()
		status, stdout, stderr := commandLine(append([]string{"migrate"}, c.args...)...)
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%q: took %v", c.args, d)
		}
		if status != c.status || !strings.Contains(stderr, c.want) || status == 1 && stdout != "" {
			t.Errorf("%q: status %d\n%s\n%s", c.args, status, stdout, stderr)
		}
	}
}

func TestKeyReport(t *testing.T) {
	conf := func(key, more string) string {
		return strings.Replace(good, "transport: knet", "transport: knet\n  secauth: on\n  keyfile: "+key+"\n"+more, 1)
	}
	key := func(size int, mode os.FileMode) string { return put(t, "authkey", strings.Repeat("\x80", size), mode) }
	text := put(t, "text", strings.Repeat("k", 130)+"\n", 0o400)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(text, link); err != nil {
		t.Fatal(err)
	}
	inline := strings.Replace(good, "transport: knet", "transport: knet\n  secauth: on\n  key: "+strings.Repeat("k", 127), 1)
	for _, c := range []struct {
		conf string
		want []string
	}{
		{conf(key(256, 0o400), ""), []string{"random bytes, 256 bytes, owner", "mode 0400: corosync and cpgold read the same 256 bytes"}},
		{conf(key(5000, 0o400), ""), []string{"5000 bytes", "read the same first 4096 bytes"}},
		{conf(key(127, 0o400), ""), []string{"too short, at least 128 bytes", "would not start"}},
		{conf(key(256, 0o644), ""), []string{"chmod 0400"}},
		{conf(text, ""), []string{"text, 131 bytes", "the line end is part of the key"}},
		{conf(link, ""), []string{"a link to " + text}},
		{conf("/nonexistent/key", ""), []string{"/nonexistent/key: no such file or directory: neither"}},
		{strings.Replace(conf(key(256, 0o400), "rrp_mode: none\n"), "transport: knet", "transport: udpu", 1), []string{"only corosync 2", "corosync 2 uses the first 128 bytes only, corosync 3 and cpgold use 256"}},
		{inline, []string{"127 characters and the zero byte", "read the same 128 bytes", "(mode 0644): chmod 0600"}},
		{good, []string{"key: none is read"}},
	} {
		_, _, stderr := commandLine("migrate", put(t, "corosync.conf", c.conf, 0o644))
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%q is missing in\n%s", want, stderr)
			}
		}
		if strings.Contains(stderr, "kkkk") || strings.Contains(stderr, "\x80") {
			t.Errorf("shows the key:\n%s", stderr)
		}
	}
}

// TestMigrateGrants reminds of uidgid.d where it would be left behind.
func TestMigrateGrants(t *testing.T) {
	file := put(t, "corosync.conf", good, 0o600)
	grants := filepath.Join(filepath.Dir(file), "uidgid.d")
	if err := errors.Join(os.Mkdir(grants, 0o755), os.WriteFile(filepath.Join(grants, "x"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "node.toml")
	if _, _, stderr := commandLine("migrate", file, "-o", other); !strings.Contains(stderr, "copy them to "+filepath.Dir(other)+"/uidgid.d") {
		t.Errorf("%s", stderr)
	}
	if _, _, stderr := commandLine("migrate", file, "-o", filepath.Join(filepath.Dir(file), "node.toml")); strings.Contains(stderr, "uidgid.d") {
		t.Errorf("%s", stderr)
	}
}

// TestMigrateOwner keeps the owner of a file that is migrated in place.
func TestMigrateOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	file := put(t, "corosync.conf", good, 0o640)
	if err := os.Chown(file, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := commandLine("migrate", "--in-place", file); status != 0 {
		t.Fatal(stderr)
	}
	for _, name := range []string{file, file + ".orig"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 23456 || info.Mode() != 0o640 {
			t.Errorf("%s: %d:%d %v", name, st.Uid, st.Gid, info.Mode())
		}
	}
}

// TestKeygen compares with corosync-keygen: the words, and what kind of file
// there is then.
func TestKeygen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "authkey")
	status, stdout, stderr := commandLine("keygen", "-k", file)
	want := "Corosync Cluster Engine Authentication key generator.\nGathering 2048 bits for key from /dev/urandom.\n" +
		"Writing corosync key to " + file + ".\n"
	info, err := os.Stat(file)
	if status != 0 || stdout != want || stderr != "" || err != nil || info.Size() != 256 || info.Mode() != 0o400 {
		t.Errorf("status %d, %v %v\n%s\n%s", status, info, err, stdout, stderr)
	}
	if stock, err := exec.LookPath("corosync-keygen"); err == nil {
		other := filepath.Join(dir, "stock")
		out, err := exec.Command(stock, "-k", other).CombinedOutput()
		if info, statErr := os.Stat(other); err != nil || statErr != nil || info.Size() != 256 || info.Mode() != 0o400 ||
			strings.ReplaceAll(string(out), other, file) != want {
			t.Errorf("corosync-keygen: %v\n%s", err, out)
		}
	}

	first := read(t, file)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("authkey", link); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr = commandLine("keygen", "-s4096", "--key-file="+link, "-l"); status != 0 || len(read(t, file)) != 4096 ||
		strings.HasPrefix(read(t, file), first[:64]) {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if target, err := os.Readlink(link); err != nil || target != "authkey" {
		t.Errorf("the link is %q, %v", target, err)
	}
	source := put(t, "random", strings.Repeat("r", 128), 0o600)
	if status, _, _ = commandLine("keygen", "--size", "128", "-r", source, "-k", file); status != 0 || read(t, file) != read(t, source) {
		t.Errorf("status %d", status)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 3 {
		t.Errorf("left behind: %v", entries)
	}
	if status, stdout, _ = commandLine("keygen", "-h"); status != 0 || !strings.HasPrefix(stdout, "Usage: cpgold keygen") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-s", "127"}, 1, "supported <128,4096>"},
		{[]string{"-s", "4097"}, 1, "supported <128,4096>"},
		{[]string{"-s", "128x"}, 1, "supported <128,4096>"},
		{[]string{"-s"}, 1, "wants a value"},
		{[]string{"-x"}, 1, `unexpected argument "-x"`},
		{[]string{"-hs"}, 1, "unexpected argument"},
		{[]string{"--less-secure=1"}, 1, "unexpected argument"},
		{[]string{file}, 1, "unexpected argument"},
		{[]string{"-k", filepath.Join(dir, "none", "key")}, 2, "could not create"},
		{[]string{"-k", dir}, 2, "could not create"},
		{[]string{"-k", file, "-r", filepath.Join(dir, "none")}, 1, "failed to open random source"},
		{[]string{"-k", file, "-s", "256", "-r", source}, 1, "could not read"},
	} {
		before := read(t, file)
		status, _, stderr := commandLine(append([]string{"keygen"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) || read(t, file) != before {
			t.Errorf("%q: status %d, %s", c.args, status, stderr)
		}
	}
}
