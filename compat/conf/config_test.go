package conf

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestConfig(t *testing.T) {
	c, err := Load("testdata/example.conf", hostWithFiles())
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr
	want := &Config{
		Name: "db-cluster", ConfigVersion: 17, Self: 1, LocalPos: 0,
		Nodes: []Node{
			{ID: 1, Name: "node1", Pos: 0, Votes: 1, AddrText: [8]string{"192.0.2.1", "198.51.100.1"},
				Addrs: [8]netip.Addr{addr("192.0.2.1"), addr("198.51.100.1")}},
			{ID: 2, Name: "node2", Pos: 1, Votes: 1, AddrText: [8]string{"192.0.2.2", "198.51.100.2"},
				Addrs: [8]netip.Addr{addr("192.0.2.2"), addr("198.51.100.2")}},
		},
		Links: []Link{
			{Number: 0, Local: addr("192.0.2.1"), Port: 5405, Priority: 10, PingInterval: 750 * time.Millisecond,
				PingTimeout: 1500 * time.Millisecond, PingPrecision: 2048, PongCount: 2, TTL: 1},
			{Number: 1, Local: addr("198.51.100.1"), Port: 5415, Priority: 5, PingInterval: 750 * time.Millisecond,
				PingTimeout: 1500 * time.Millisecond, PingPrecision: 2048, PongCount: 2, TTL: 1},
		},
		Transport: "knet", LinkMode: "passive", Cipher: "aes256", Hash: "sha256", Key: make([]byte, 256),
		Compression: Compression{"zlib", 6, 200},
		Totem: Timers{Token: 3 * time.Second, TokenRetransmit: 714 * time.Millisecond, Hold: 561 * time.Millisecond,
			Join: 50 * time.Millisecond, Consensus: 3600 * time.Millisecond, Merge: 200 * time.Millisecond,
			Downcheck: time.Second, MaxNetworkDelay: 50 * time.Millisecond, TokenWarning: 75,
			TokenRetransmitsBeforeLoss: 4, FailToReceive: 2500, SeqUnchanged: 30, WindowSize: 50, MaxMessages: 17,
			MissCount: 5},
		NetMTU: 65536, PMTUDInterval: 30 * time.Second, BlockUnlistedIPs: true, QuorumProvider: "corosync_votequorum",
		System:   System{IPCType: "native", Realtime: true, Priority: -1 << 31, RootCgroup: "auto"},
		StateDir: "/var/lib/corosync", UIDs: []uint32{189, 1001}, GIDs: []uint32{189},
	}
	opts := cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Config{}, "Keys", "Warnings", "Logging")}
	if diff := cmp.Diff(want, c, opts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range []string{"nodelist.local_node_pos", "totem.interface.1.bindnetaddr",
		"runtime.config.totem.token_retransmit", "runtime.config.totem.interface.0.knet_ping_timeout", "quorum.wait_for_all"} {
		if !slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Name == name }) {
			t.Errorf("no key %s", name)
		}
	}
	if !slices.IsSortedFunc(c.Keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("keys are not in order")
	}
}

// hostWithFiles is the reference host, reading files of the test itself.
func hostWithFiles() Env {
	e := referenceHost()
	e.ReadFile = func(path string, limit int) ([]byte, error) {
		if path == defaultKeyFile {
			return make([]byte, 256), nil
		}
		b, err := os.ReadFile(path)
		return b[:min(len(b), limit)], err
	}
	return e
}

// TestPings: what libknet would refuse becomes its own default.
func TestPings(t *testing.T) {
	l := link{pongCount: 256, pingInterval: 1, pingTimeout: 2, pingPrecision: 3}
	if c := l.config(0, false); c.PongCount != 5 || c.PingInterval != time.Millisecond || c.PingPrecision != 3 {
		t.Errorf("%+v", c)
	}
	l = link{pongCount: 2, pingTimeout: 2, pingPrecision: 3}
	if c := l.config(0, false); c.PingInterval != time.Second || c.PingTimeout != 2*time.Second || c.PingPrecision != 2048 {
		t.Errorf("%+v", c)
	}
}

// TestKeyFiles: the key's bytes are taken as they are, up to 4096.
func TestKeyFiles(t *testing.T) {
	text := withNodes(1, "totem {\ncrypto_hash: sha1\nkeyfile: /k\n}\n")
	for _, c := range []struct {
		data []byte
		err  error
		want string
	}{
		{data: make([]byte, 127), want: "Could only read 1016 bits of minimum 1024 bits from /k."},
		{data: make([]byte, 128)},
		{data: make([]byte, 5000)},
		{err: syscall.EACCES, want: "Could not open /k: Permission denied"},
		{err: syscall.EISDIR, want: "Could not read /k: Is a directory"},
	} {
		e := tomlHost(text)
		read := e.ReadFile
		e.ReadFile = func(path string, limit int) ([]byte, error) {
			if path == "/k" {
				return c.data, c.err
			}
			return read(path, limit)
		}
		config, err := Load("node.toml", e)
		if c.want == "" {
			if err != nil || len(config.Key) != min(len(c.data), 4096) {
				t.Errorf("%d bytes: %v", len(c.data), err)
			}
			continue
		}
		var ce *Error
		if !errors.As(err, &ce) || ce.Stock() != c.want || ce.Line != 13 {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestInlineKey: C's final zero byte is part of the key.
func TestInlineKey(t *testing.T) {
	for n, want := range map[int]string{126: "key is too short", 127: ""} {
		text := withNodes(1, "totem {\ncrypto_hash: sha1\nkey: "+strings.Repeat("k", n)+"\n}\n")
		c, err := Load("node.toml", tomlHost(text))
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%d: %v", n, err)
		case want == "" && (err != nil || !bytes.Equal(c.Key, append(bytes.Repeat([]byte("k"), n), 0))):
			t.Errorf("%d: %v", n, err)
		}
	}
}

// TestUnreadable: a file that is not there, a directory, and files beside it.
func TestUnreadable(t *testing.T) {
	e := Host()
	e.TryDir = nil
	dir := t.TempDir()
	if err := Test(dir, e); err == nil || err.Stock() != "parse error in config: No interfaces defined" {
		t.Errorf("directory: %v", err)
	}
	path := filepath.Join(dir, "c.conf")
	if err := Test(path, e); err == nil || err.Stock() != "Can't read file "+path+": No such file or directory" ||
		err.Status != statusConfig {
		t.Errorf("absent: %v", err)
	}
	grants := filepath.Join(dir, "uidgid.d")
	must(t, os.Mkdir(grants, 0o700))
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Mkdir(filepath.Join(grants, "sub"), 0o700))
	must(t, os.Symlink("nowhere", filepath.Join(grants, "dangling")))
	must(t, os.WriteFile(filepath.Join(grants, ".a"), []byte("uidgid {\nuid: 7\n}\nuidgid.gid: 8\n"), 0o600))
	r := read(path, &e)
	var names []string
	for _, k := range r.keys.list() {
		names = append(names, k.Name)
	}
	if diff := cmp.Diff([]string{"uidgid.config.gid.8", "uidgid.config.uid.7"}, names); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"totem {\n}\n":              ":1: uidgid: Can't add subsection different than uidgid",
		"uidgid {\nx: 1\n}\n":       ":2: uidgid: Only uid and gid are allowed items",
		"uidgid {\nuid: no such\n}": ":2: The 'no such' user is not found in /etc/passwd, please read the documentation.",
	} {
		must(t, os.WriteFile(filepath.Join(grants, ".a"), []byte(text), 0o600))
		if err := Test(path, e); err == nil || err.Stock() != "parser error: "+grants+"/.a"+want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestHost: the functions that ask this host.
func TestHost(t *testing.T) {
	e := Host()
	if e.HostName == "" || !slices.Contains(e.Addrs, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("name %q, addresses %v", e.HostName, e.Addrs)
	}
	if id, ok := e.LookupUser("root"); id != 0 || !ok {
		t.Errorf("root is %d, %v", id, ok)
	}
	if _, ok := e.LookupGroup("no_such_group_here"); ok {
		t.Error("there is a group no_such_group_here")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	if err := e.TryLog(file); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("TryLog left a file behind")
	}
	if err := e.TryLog(filepath.Join(dir, "no", "log")); errnoOf(err) != syscall.ENOENT {
		t.Error(err)
	}
	if err := e.TryLog(dir); errnoOf(err) != syscall.EISDIR {
		t.Error(err)
	}
	must(t, os.WriteFile(file, []byte("12345"), 0o600))
	if b, err := e.ReadFile(file, 3); string(b) != "123" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := e.TryDir(file); errnoOf(err) != syscall.ENOTDIR {
		t.Error(err)
	}
	if err := e.TryDir(dir); err != nil {
		t.Error(err)
	}
}

// TestEmptyEnv: an environment without functions is a host without anything.
func TestEmptyEnv(t *testing.T) {
	if err := Test("x", Env{}); err == nil || err.Stock() != "Can't read file x: No such file or directory" {
		t.Error(err)
	}
	text := []byte(withNodes(1, "logging {\nlogfile: /x\n}\n"))
	_, err := Load("x", Env{ReadFile: func(string, int) ([]byte, error) { return text, nil }})
	if err == nil || !strings.Contains(err.Error(), "No valid name found for local host") {
		t.Error(err)
	}
}
