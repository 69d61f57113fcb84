package conf

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestTOMLRoundTrip turns every accepted file into TOML and back: the keys are
// the same, and so is the verdict.
func TestTOMLRoundTrip(t *testing.T) {
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	for _, file := range files {
		keys := parseFile(t, file)
		text, err := ToTOML(keys)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if !isTOML(text) {
			t.Errorf("%s: its TOML is not recognised:\n%s", file, text)
		}
		back, errs := ParseTOML(text, "x.toml", referenceHost())
		for _, e := range errs {
			t.Errorf("%s: %v\n%s", file, e, text)
		}
		if diff := cmp.Diff(withoutLines(keys), withoutLines(back)); diff != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", file, diff, text)
		}
		again, err := ToTOML(back)
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s: written again it differs: %v", file, err)
		}
	}
}

// TestTOMLRoundTripMutations does the same with changed files.
func TestTOMLRoundTripMutations(t *testing.T) {
	written := 0
	for _, text := range mutations(t, 3, 3000) {
		keys, err := ParseCorosync(strings.NewReader(text), "x.conf")
		if err != nil {
			continue
		}
		if _, err := ToTOML(keys); err == nil {
			written++
		}
		fuzzBack(t, keys)
	}
	if written < 500 {
		t.Errorf("only %d of 3000 were written as TOML", written)
	}
}

// tomlHost is the reference host with one more file.
func tomlHost(text string) Env {
	e := referenceHost()
	read := e.ReadFile
	e.ReadFile = func(path string, limit int) ([]byte, error) {
		if path == "node.toml" {
			return []byte(text)[:min(len(text), limit)], nil
		}
		return read(path, limit)
	}
	e.LookupUser = func(name string) (uint32, bool) { return 189, name == "hacluster" }
	e.LookupGroup = func(name string) (uint32, bool) { return 189, name == "haclient" }
	return e
}

// TestTOMLExample reads the example of the format's description, and compares
// it with the same configuration written as corosync.conf.
func TestTOMLExample(t *testing.T) {
	got := loadKeys(t, "testdata/example.toml")
	want := parseFile(t, "testdata/example.conf")
	for i := range want { // text for 3.1.7, a number since 3.1.10
		if want[i].Name == "totem.ip_dscp" {
			want[i] = Key{Name: want[i].Name, Type: TypeU8, Num: 46}
		}
	}
	if diff := cmp.Diff(withoutLines(want), withoutLines(got)); diff != "" {
		t.Errorf("(-conf +toml):\n%s", diff)
	}
}

// TestTOMLConfig loads a configuration in both languages.
func TestTOMLConfig(t *testing.T) {
	const text = `
[cluster]
name = "rhel"
[transport]
type = "knet"
[crypto]
cipher = "aes256"
hash = "sha256"
[[node]]
id = 1
name = "node1"
addresses = { 0 = "192.0.2.1", 1 = "198.51.100.1" }
[[node]]
id = 2
name = "node2"
addresses = { 0 = "192.0.2.2", 1 = "198.51.100.2" }
[quorum]
provider = "corosync_votequorum"
two_node = true
`
	const same = `totem {
version: 2
cluster_name: rhel
transport: knet
crypto_cipher: aes256
crypto_hash: sha256
}
nodelist {
node {
nodeid: 1
name: node1
ring0_addr: 192.0.2.1
ring1_addr: 198.51.100.1
}
node {
nodeid: 2
name: node2
ring0_addr: 192.0.2.2
ring1_addr: 198.51.100.2
}
}
quorum {
provider: corosync_votequorum
two_node: 1
}
`
	fromTOML, err := Load("node.toml", tomlHost(text))
	if err != nil {
		t.Fatal(err)
	}
	fromConf, err := Load("node.toml", tomlHost(same)) // the name does not matter
	if err != nil {
		t.Fatal(err)
	}
	opts := cmp.Options{cmpopts.IgnoreFields(Key{}, "Line"), cmpopts.EquateComparable(netip.Addr{})}
	if diff := cmp.Diff(fromConf, fromTOML, opts); diff != "" {
		t.Errorf("(-conf +toml):\n%s", diff)
	}
}

// TestTOMLErrors checks that an error names line, field, value and what is
// allowed.
func TestTOMLErrors(t *testing.T) {
	const nodes = "[[node]]\nid = 1\nname = \"node1\"\naddresses = { 0 = \"192.0.2.1\" }\n"
	for _, c := range []struct{ text, want string }{
		{"[cluster]\nname = \"a\"\nnam = 1\n", "node.toml:3: cluster.nam: unknown field; did you mean name?"},
		{"format = 2\n", "node.toml:1: format: 2 is not allowed: this is format 1"},
		{"[clusters]\n", "node.toml:1: clusters: unknown field; the tables are cluster,"},
		{"x = 1\n", "node.toml:1: x: unknown field; the tables are"},
		{"[cluster]\nname = 1\n", `node.toml:2: cluster.name: 1 is not allowed: want a string`},
		{"cluster = 1\n", "node.toml:1: cluster: 1 is not allowed: want a table"},
		{"[crypto]\ncipher = \"3des\"\n",
			`node.toml:2: crypto.cipher: "3des" is not allowed: want "none", "aes256", "aes192" or "aes128"`},
		{"[timers]\ntoken = 3000\n", `node.toml:2: timers.token: 3000 is not allowed: want a duration such as "3s" or "650ms"`},
		{"[timers]\ntoken = \"3\"\n", `timers.token: "3" is not allowed: want a duration`},
		{"[timers]\ntoken = \"1us\"\n", `timers.token: "1us" is not allowed: want whole milliseconds, at most 4294967295`},
		{"[timers]\ntoken = \"-1s\"\n", "want whole milliseconds"},
		{"[transport.knet]\npmtud_interval = \"1500ms\"\n", "want whole seconds, at most 4294967295"},
		{"[protocol]\nwindow_size = -1\n", "protocol.window_size: -1 is not allowed: want a number in 0..4294967295"},
		{"[protocol]\nwindow_size = 1.5\n", "protocol.window_size: 1.5 is not allowed: want a number"},
		{"[[link]]\nnumber = 0\nport = 65536\n", "node.toml:3: link[0].port: 65536 is not allowed: want a number in 0..65535"},
		{"[[link]]\nport = 1\n", "node.toml:1: link[0].number: <nil> is not allowed: want the link's number, 0..7"},
		{"[[link]]\nnumber = 1\nport = 1\n[[link]]\nnumber = 1\nport = 2\n", "node.toml:6: link[1].port: totem.interface.1.mcastport is already set on line 3"},
		{"[[link]]\nnumber = 0\nping_timeout = \"2147483648ms\"\n", "at most 2147483647"},
		{"[[link]]\nnumber = 0\ntransport = \"tcp\"\n", `want "udp" or "sctp"`},
		{"link = 5\n", "node.toml:1: link: 5 is not allowed: want an array of tables, [[link]]"},
		{nodes + "[[node]]\naddresses = { 8 = \"x\" }\n", `node.toml:6: node[1].addresses.8: unknown link: want a number in 0..7`},
		{nodes + "[[node]]\nextra = { nodeid = \"x\" }\n", "node.toml:6: node[1].extra.nodeid: not an extra key"},
		{"[quorum]\ntwo_node = \"yes\"\n", `quorum.two_node: "yes" is not allowed: want true, false or a number in 0..255`},
		{"[quorum]\nauto_tie_breaker_node = []\n", "want at least one node id"},
		{"[ipc]\nallow_users = [\"nobody-here\"]\n", `node.toml:2: ipc.allow_users[0]: "nobody-here" is not a user of this host`},
		{"[extra.totem]\ntoken = \"x\"\n", "node.toml:2: extra.totem.token: not an extra key: it has the field timers.token"},
		{"[extra.uidgid]\nuid = \"1\"\n", "section uidgid has no place for it"},
		{"[raw]\nab = \"x\"\n", `node.toml:2: raw.ab: key "ab" cannot be stored`},
		{"[raw]\nabc = \"x{\"\n", `raw.abc: "x{" is not allowed`},
		{"[cluster]\nname = \"a{b\"\n", `cluster.name: "a{b" is not allowed: want text without '{'`},
		{"[cluster]\nname = \"a\"\nname = \"b\"\n", "node.toml:3: name: key name is already defined"},
		{"[cluster]\nname = \n", "node.toml:2:"},
		// Beyond the language: the meaning, with the field's name.
		{"[timers]\ntoken = \"29ms\"\n" + nodes, "node.toml:2: timers.token: The token timeout parameter (29 ms) may not be less than (30 ms)."},
		{"[logging]\ndebug = \"maybe\"\n" + nodes, "node.toml:2: logging.debug: unknown value for debug"},
		{strings.Replace(nodes, "192.0.2.1", "192.0.2.300", 1), "node.toml:4: node[0].addresses.0: failed to parse bindnet address '192.0.2.300'"},
		{strings.Replace(nodes, "id = 1\n", "", 1), "node.toml:2: node[0].id: Knet requires an explicit nodeid for the local node"},
	} {
		_, err := Load("node.toml", tomlHost(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\n got %v\nwant %s", c.text, err, c.want)
		}
		for _, p := range Check("node.toml", tomlHost(c.text)) {
			if p.File != "node.toml" || p.Severity == Refused && p.Line == 0 {
				t.Errorf("%q: no place: %v", c.text, p)
			}
		}
	}
}

// TestTOMLAllErrors: Check names all of them, by line.
func TestTOMLAllErrors(t *testing.T) {
	const text = "[quorum]\nvotes = \"1\"\nx = 1\n[cluster]\nname = 1\n"
	var lines []int
	for _, p := range Check("node.toml", tomlHost(text)) {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{2, 3, 5}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestIsTOML(t *testing.T) {
	for text, want := range map[string]bool{
		"":                              false,
		"# comment\n":                   false,
		"totem {\n":                     false,
		"# x = 1\ntotem {\nversion = 2": false,
		"[cluster]\n":                   true,
		"  [ cluster ] # x\n":           true,
		"\r\n# c\r\nformat = 1\r\n":     true,
		"format=1":                      true,
		"a.\"b c\" = 1":                 true,
		"[a] {\n}":                      false,
		"compatibility: x=y\n":          false,
		"<?xml version=\"1.0\"?>":       false,
		"bare word = x":                 false,
		"{ = 1":                         false,
		"= 1":                           false,
		"format = 1 {":                  true,
	} {
		if got := isTOML([]byte(text)); got != want {
			t.Errorf("isTOML(%q) = %v", text, got)
		}
	}
}

// TestTOMLSize: what is too large is refused before it is read.
func TestTOMLSize(t *testing.T) {
	_, errs := ParseTOML(bytes.Repeat([]byte("a=1\n"), maxTOML), "x.toml", Env{})
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "x.toml:1: file is larger than 512 KiB") {
		t.Errorf("%v", errs)
	}
}

func loadKeys(t *testing.T, file string) []Key {
	t.Helper()
	e := tomlHost("")
	data, err := Host().ReadFile(file, maxFile)
	if err != nil {
		t.Fatal(err)
	}
	keys, errs := ParseTOML(data, file, e)
	for _, err := range errs {
		t.Fatal(err)
	}
	return keys
}
