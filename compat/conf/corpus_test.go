package conf

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const corpus = "testdata/corpus"

// referenceHost is the host on which the corpus was judged (corpus/README.md).
// Paths inside the corpus are read from testdata.
func referenceHost() Env {
	addr := func(s string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(s)} }
	hosts := map[string][]netip.Addr{
		"localhost": {netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1")},
		"node1":     addr("192.0.2.1"), "node2": addr("192.0.2.2"), "node3": addr("192.0.2.3"),
		"node1-v6": addr("2001:db8:1::1"), "node2-v6": addr("2001:db8:1::2"),
	}
	e := Env{
		HostName: "node1",
		Resolve: func(name string) ([]netip.Addr, error) {
			if a, ok := hosts[name]; ok {
				return a, nil
			}
			return nil, fmt.Errorf("no such host: %s", name)
		},
		Reverse: func(a netip.Addr) string {
			for _, name := range []string{"localhost", "node1", "node2", "node3", "node1-v6", "node2-v6"} {
				if slices.Contains(hosts[name], a) {
					return name
				}
			}
			return ""
		},
		ReadFile: func(path string, limit int) ([]byte, error) {
			if path == defaultKeyFile {
				return make([]byte, 256), nil
			}
			b, err := os.ReadFile(filepath.Join(corpus, path))
			return b[:min(len(b), limit)], err
		},
		LookupUser:  func(name string) (uint32, bool) { return 0, name == "root" },
		LookupGroup: func(name string) (uint32, bool) { return 0, name == "root" },
		TryLog:      func(path string) error { return missing(path) },
		TryDir:      func(path string) error { return missing(path) },
	}
	for _, a := range strings.Fields("127.0.0.1 192.0.2.1 198.51.100.1 ::1 2001:db8:1::1 2001:db8:2::1") {
		e.Addrs = append(e.Addrs, netip.MustParseAddr(a))
	}
	return e
}

func missing(path string) error {
	if strings.HasPrefix(path, "/nonexistent") {
		return syscall.ENOENT
	}
	return nil
}

// table reads a file of tab-separated columns behind a header line.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	s := bufio.NewScanner(f)
	for s.Scan() {
		rows = append(rows, strings.Split(s.Text(), "\t"))
	}
	if err := s.Err(); err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows[1:]
}

// crashes are what we say where 3.1.7 crashed.
var crashes = map[string]string{
	"reject/crash-config-version-not-a-number.conf": "parser error: reject/crash-config-version-not-a-number.conf:3: " +
		`Value of key "totem.config_version" is expected to be unsigned integer, but "2024-01-01" was given`,
	"reject/crash-poll-period-not-a-number.conf": "parser error: reject/crash-poll-period-not-a-number.conf:14: " +
		`Value of key "resources.system.memory_used.poll_period" is expected to be unsigned integer, but "3s" was given`,
	"reject/crash-section-inside-logger-subsys.conf": "parser error: reject/crash-section-inside-logger-subsys.conf:14: " +
		"Subsections are not allowed within logging.logger_subsys section",
}

// TestVerdicts compares status and message of every file with those of the
// reference.
func TestVerdicts(t *testing.T) {
	rows := table(t, "verdicts.tsv")
	if len(rows) != 217 {
		t.Fatalf("%d verdicts, want 217", len(rows))
	}
	for _, row := range rows {
		file, status := row[0], row[1]
		want := strings.TrimPrefix(row[2], "error   [MAIN  ] ")
		if text, ok := crashes[file]; ok {
			status, want = "8", text
		}
		gotStatus, got := "0", ""
		if err := Test(file, referenceHost()); err != nil {
			gotStatus, got = strconv.Itoa(err.Status), err.Stock()
			if err.File != file || strings.HasPrefix(got, "parser error") && err.Line == 0 {
				t.Errorf("%s: error without place: %+v", file, err)
			}
		}
		// The corpus shows what is not printable, and cuts blanks at the end.
		got = strings.ReplaceAll(strings.ToValidUTF8(got, `\xa0`), "\r", `\r`)
		if gotStatus != status || strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s\n got %s %q\nwant %s %q", file, gotStatus, got, status, want)
		}
	}
}

// golden reads a parsed/*.tsv: key, type, value.
func golden(t *testing.T, name string) []Key {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpus, "parsed", name))
	if err != nil {
		t.Fatal(err)
	}
	var keys []Key
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		k := Key{Name: f[0]}
		for _, k.Type = range []KeyType{TypeU8, TypeU16, TypeU32, TypeI32, TypeU64, TypeString} {
			if k.Type.String() == f[1] {
				break
			}
		}
		switch k.Type {
		case TypeString:
			k.Text = unescape(f[2])
		case TypeI32:
			n, _ := strconv.ParseInt(f[2], 10, 32)
			k.Num = uint64(n)
		default:
			k.Num, _ = strconv.ParseUint(f[2], 10, 64)
		}
		keys = append(keys, k)
	}
	return keys
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case s[i+1] == 't':
			b.WriteByte('\t')
			i++
		case s[i+1] == 'x':
			n, _ := strconv.ParseUint(s[i+2:i+4], 16, 8)
			b.WriteByte(byte(n))
			i += 3
		default:
			b.WriteByte(s[i+1])
			i++
		}
	}
	return b.String()
}

func withoutLines(keys []Key) []Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Line = 0
	}
	return keys
}

// TestParsed compares the keys of every accepted file with the reference's
// parser.
func TestParsed(t *testing.T) {
	files, _ := filepath.Glob(corpus + "/accept/*.conf")
	if len(files) != 76 {
		t.Fatalf("%d files, want 76", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		got := parseFile(t, file)
		if diff := cmp.Diff(golden(t, name+".tsv"), withoutLines(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, k := range got {
			if k.Line == 0 {
				t.Errorf("%s: %s has no line", name, k.Name)
			}
		}
	}
}

func parseFile(t *testing.T, file string) []Key {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys, err := ParseCorosync(f, file)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestStarts compares what starts with what starts on the reference.
func TestStarts(t *testing.T) {
	// Where we are stricter: the reference starts and cannot set up its links.
	stricter := map[string]string{
		"accept/duplicate-nodeid-unnoticed-11-nodes.conf": "nodeid 7 is also that of nodelist.node.2.nodeid",
	}
	for _, row := range table(t, "verdicts-start.tsv") {
		file, starts := row[0], row[1]
		c, err := Load(file, referenceHost())
		want, refused := stricter[file]
		if !refused && starts == "no" {
			refused = true
			_, want, _ = strings.Cut(row[3], "for reason '")
			want = strings.TrimSuffix(want, "'")
			if strings.Contains(row[3], "Priority") {
				want = "Priority value urgent is invalid"
			}
		}
		switch {
		case refused && err == nil:
			t.Errorf("%s: starts, should not: %s", file, want)
		case refused && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %s", file, err, want)
		case !refused && err != nil:
			t.Errorf("%s: %v", file, err)
		case err == nil && (c.Self == 0 || c.Nodes[c.LocalPos].ID != c.Self || !c.Links[0].Local.IsValid()):
			t.Errorf("%s: no own node: %+v", file, c)
		}
	}
}

// TestCheckAgrees compares Check with Test and Load on the whole corpus.
func TestCheckAgrees(t *testing.T) {
	for _, row := range table(t, "verdicts.tsv") {
		var refused, stopped bool
		for _, p := range Check(row[0], referenceHost()) {
			refused = refused || p.Severity == Refused
			stopped = stopped || p.Severity == StartError
		}
		_, err := Load(row[0], referenceHost())
		if refused != (row[1] != "0") || (err != nil) != (refused || stopped) {
			t.Errorf("%s: status %s, refused %v, stopped %v, load %v", row[0], row[1], refused, stopped, err)
		}
	}
}
