package conf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// corpusTexts returns the files of the corpus that match.
func corpusTexts(t *testing.T, pattern string, want int) []string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(corpus, pattern))
	var texts []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	if len(texts) != want {
		t.Fatalf("%d files, want %d", len(texts), want)
	}
	return texts
}

// migrateHost has the users and groups of the corpus and one of a cluster.
func migrateHost() Env {
	e := tomlHost("")
	lookup := func(cluster string) func(string) (uint32, bool) {
		return func(name string) (uint32, bool) {
			if name == "root" {
				return 0, true
			}
			return 189, name == cluster
		}
	}
	e.LookupUser, e.LookupGroup = lookup("hacluster"), lookup("haclient")
	return e
}

// TestTranslateCorpus translates every accepted file and back: no key and no
// comment is lost, and the verdict stays.
func TestTranslateCorpus(t *testing.T) {
	e := migrateHost()
	for _, text := range corpusTexts(t, "accept/*.conf", 76) {
		d, err := ReadDocument([]byte(text), "x.conf", 3, e)
		if err != nil {
			t.Fatal(err)
		}
		toml, err := d.Translate(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		checkComments(t, text, string(toml))
		back, err := ReadDocument(toml, "x.toml", 0, e)
		if err != nil {
			t.Fatal(err)
		}
		conf, err := back.Translate(e)
		if err != nil {
			t.Fatal(err)
		}
		checkComments(t, text, string(conf))
		if !sameList(d.Keys, reread(t, conf)) {
			t.Errorf("%s\nbecame\n%s", text, conf)
		}
	}
}

// TestRewriteMutations writes changed files of the corpus again.
func TestRewriteMutations(t *testing.T) {
	written := 0
	for _, text := range mutations(t, 5, 3000) {
		keys, err := ParseCorosync(strings.NewReader(text), "x.conf")
		if err != nil {
			continue
		}
		written++
		fuzzRewrite(t, keys)
		fuzzTranslate(t, []byte(text))
	}
	if written < 500 {
		t.Errorf("only %d of 3000 were read", written)
	}
}

const oldHead = "totem {\nversion: 2\n"

// TestDialect checks how the dialects are told apart, what is written out for a
// file of corosync 2, and what is said.
func TestDialect(t *testing.T) {
	const (
		iface = "interface {\nringnumber: 0\nbindnetaddr: 192.0.2.0\n}\n"
		nodes = "nodelist {\nnode {\nring0_addr: 192.0.2.1\nnodeid: 1\n}\n}\n"
	)
	for _, c := range []struct {
		name, text string
		from       int
		dialect    int
		keys       string // "name=value" that must be there, "name" for one that must not
		findings   string // that must be there, separated by "|"
		none       bool   // no findings at all
	}{
		{name: "plain", text: oldHead + "}\n" + nodes, dialect: 3, none: true, keys: "totem.token totem.transport"},
		{name: "plain as 2", text: oldHead + "secauth: off\n}\n" + nodes, from: 2, dialect: 2,
			keys:     "totem.transport=udp totem.token=1000 totem.crypto_cipher",
			findings: "totem.transport: corosync 2 uses udp|totem.token: corosync 2 waits 1000 ms"},
		{name: "recognised", text: oldHead + "rrp_mode: none\n" + iface + "}\n" + nodes, dialect: 2,
			keys: "totem.interface.0.bindnetaddr=192.0.2.0 totem.crypto_cipher=aes256 totem.crypto_hash=sha1",
			findings: "x.conf:3: totem.rrp_mode: only corosync 2 and older have this|" +
				"corosync 2 encrypts with aes256 and sha1|udp with encryption has no equal"},
		{name: "recognised but 3", text: oldHead + "rrp_mode: none\nlink_mode: passive\n}\n" + nodes, dialect: 3,
			keys: "totem.transport", findings: "x.conf:3: totem.rrp_mode: has no effect since corosync 3"},
		{name: "forced 3", text: oldHead + "rrp_mode: none\n}\n" + nodes, from: 3, dialect: 3, keys: "totem.transport"},
		{name: "rings", text: oldHead + "secauth: off\nrrp_mode: passive\ntransport: udpu\n" + iface +
			"interface {\nringnumber: 1\nbindnetaddr: 198.51.100.0\n}\n}\n" +
			strings.Replace(nodes, "nodeid", "ring1_addr: 198.51.100.1\nnodeid", 1), dialect: 2,
			keys:     "totem.interface.1.mcastport=5405 totem.transport=udpu totem.interface.1.bindnetaddr=198.51.100.0",
			findings: "uses port 5405 on every ring|redundant rings have no equal"},
		{name: "ports given", text: oldHead + "rrp_mode: passive\n" + strings.Replace(iface, "ringnumber: 0", "ringnumber: 1\nmcastport: 5407", 1) +
			"}\n" + nodes, dialect: 2, keys: "totem.interface.1.mcastport=5407"},
		{name: "3des", text: oldHead + "crypto_cipher: 3des\ncrypto_hash: sha1\n}\n" + nodes, dialect: 2,
			findings: "x.conf:3: totem.crypto_cipher: only|x.conf:3: totem.crypto_cipher: 3des has no equal"},
		{name: "secauth on", text: oldHead + "secauth: on\ntransport: udpu\nvsftype: none\n}\n" + nodes, dialect: 2,
			keys:     "totem.crypto_cipher=aes256 totem.crypto_hash=sha1 totem.secauth",
			findings: "x.conf:3: totem.crypto_cipher: udpu with encryption has no equal"},
		{name: "infiniband", text: oldHead + "secauth: off\ntransport: iba\n}\n" + nodes, dialect: 2,
			findings: "InfiniBand has no equal"},
		{name: "other transport", text: oldHead + "secauth: off\ntransport: UDPU\n}\n" + nodes, from: 2, dialect: 2,
			keys: "totem.transport=udp", findings: "every word it does not know"},
		{name: "names", text: oldHead + "secauth: off\ntransport: udpu\n}\n" + strings.Replace(nodes, "192.0.2.1", "node1", 1), from: 2,
			dialect: 2, keys: "totem.ip_version=ipv4"},
		{name: "ipc", text: "qb {\nipc_type: shm\n}\n" + oldHead + "secauth: off\n}\n" + nodes, dialect: 2,
			keys: "system.qb_ipc_type=shm qb.ipc_type", findings: "qb.ipc_type is called so"},
		{name: "lax grammar", text: oldHead + "secauth: off\nnonsense\nbad?key: 1\n} behind\n" + nodes, from: 2, dialect: 2,
			findings: "x.conf:4: corosync 2 ignored this line|x.conf:5: totem.bad?key: corosync 2 ignored a key|x.conf:6: corosync 2 ignored what"},
		{name: "no nodelist", text: oldHead + "secauth: off\n" + strings.Replace(iface, "bindnetaddr",
			"member {\nmemberaddr: 192.0.2.1\n}\nmember {\nmemberaddr: 192.0.2.2\n}\nbindnetaddr", 1) + "}\n", dialect: 2,
			findings: "no nodelist: corosync 3 and cpgold need a node with an address, an id and a name for every node of the cluster; " +
				"the members are 192.0.2.1, 192.0.2.2"},
		{name: "corosync 1", text: "compatibility: whitetank\nservice {\nname: pacemaker\nver: 0\n}\n" + oldHead + "secauth: off\n}\n" + nodes,
			dialect: 2, findings: "service.name: is of corosync 1"},
		{name: "no equal in cpgold", text: oldHead + "link_mode: passive\ninterface {\nknet_transport: sctp\n}\n}\n" + nodes +
			"nozzle {\nname: noz0\nipaddr: 192.0.2.0\n}\n" +
			"quorum {\nprovider: corosync_ykd\n}\n", dialect: 3,
			findings: "cpgold has no SCTP|nozzle.ipaddr: has no effect under cpgold|cpgold has no corosync_ykd"},
		{name: "resources", text: oldHead + "}\n" + nodes + "resources {\nwatchdog_device: /dev/watchdog\nsystem {\nload_15min {\nmax: 8\n}\n}\n}\n",
			dialect: 3, none: true},
		{name: "dscp", text: oldHead + "ip_dscp: 46\n}\n" + nodes, dialect: 3, findings: `set transport.dscp to the number of "46"`},
	} {
		d, err := ReadDocument([]byte(c.text), "x.conf", c.from, referenceHost())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d.Dialect != c.dialect {
			t.Errorf("%s: dialect %d, want %d", c.name, d.Dialect, c.dialect)
		}
		m := mapOf(d.Keys)
		for want := range strings.FieldsSeq(c.keys) {
			name, value, must := strings.Cut(want, "=")
			if k, ok := m.entries[name]; ok != must || must && k.Value() != value {
				t.Errorf("%s: %s: %v %v", c.name, want, k, ok)
			}
		}
		var said []string
		for _, p := range d.Findings {
			said = append(said, p.String())
		}
		all := strings.Join(said, "\n")
		for want := range strings.SplitSeq(c.findings, "|") {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is missing in\n%s", c.name, want, all)
			}
		}
		if c.none && all != "" {
			t.Errorf("%s: %s", c.name, all)
		}
		out, err := d.Translate(referenceHost())
		if err != nil || bytes.Contains(out, []byte("ringnumber")) {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
	}
}

// TestGrantNames keeps the names of users and groups both ways.
func TestGrantNames(t *testing.T) {
	const conf = oldHead + "}\nuidgid {\nuid: hacluster\ngid: haclient\nuid: 7\n}\n"
	toml := translated(t, conf)
	if !strings.Contains(toml, `allow_users = [7, "hacluster"]`) || !strings.Contains(toml, `allow_groups = ["haclient"]`) {
		t.Errorf("%s", toml)
	}
	const want = "totem {\n    version: 2\n}\n\nuidgid {\n    uid: 7\n    uid: hacluster\n    gid: haclient\n}\n"
	if diff := cmp.Diff(want, translated(t, toml)); diff != "" {
		t.Error(diff)
	}
}

// TestReadDocumentErrors refuses what cannot be read, in either language, with
// file and line.
func TestReadDocumentErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"totem {\n", "x:1: Missing closing brace"},
		{"totem {\nversion: two\n}\n", "x:2: "},
		{"[cluster]\nnam = 1\n", "x:2: cluster.nam: unknown field"},
		{"totem {\x00\n}\n", "x:1: Line too long"},
		{strings.Repeat("a {\n", 5000), "x:128: Start of section makes total cmap path too long"},
		{strings.Repeat("x", 600), "x:1: Line too long"},
		{"a = " + strings.Repeat("[", 100000), "x:1: "},
	} {
		for _, from := range []int{0, 2, 3} {
			_, err := ReadDocument([]byte(c.text), "x", from, referenceHost())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.40q from %d: %v, want %s", c.text, from, err, c.want)
			}
		}
	}
}

// TestTranslateLarge refuses files in time that are too large for TOML, and
// writes what just fits.
func TestTranslateLarge(t *testing.T) {
	e := Env{}
	for _, c := range []struct {
		line string
		n    int
		want string
	}{
		{"logging.logger_subsys.a%d.subsys: a%d\n", 300000, "too many for a TOML configuration"},
		{"logging.logging_daemon.a%d.name: a%d\n", 10000, ""},
		{"# %d %d\n", 300000, "larger than 512 KiB"},
	} {
		var b strings.Builder
		b.WriteString(oldHead + "}\n")
		for i := range c.n {
			fmt.Fprintf(&b, c.line, i, i)
		}
		begin := time.Now()
		d, err := ReadDocument([]byte(b.String()), "x", 0, e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.Translate(e); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.line, err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%q: took %v", c.line, took)
		}
	}
}

// TestKeySource finds where the secret key comes from.
func TestKeySource(t *testing.T) {
	keyText := strings.Repeat("k", 127)
	for _, c := range []struct {
		totem, file, inline string
		used                bool
	}{
		{"", defaultKeyFile, "", false},
		{"secauth: on", defaultKeyFile, "", true},
		{"crypto_hash: sha1\nkeyfile: /k", "/k", "", true},
		{"crypto_cipher: aes128\ncrypto_hash: sha1\nkeyfile: /k\nkey: " + keyText, "/k", "", true},
		{"secauth: on\nkey: " + keyText, "", keyText + "\x00", true},
		{"key: " + keyText, "", keyText + "\x00", false},
	} {
		keys, err := ParseCorosync(strings.NewReader(oldHead+c.totem+"\n}\n"), "x")
		if err != nil {
			t.Fatal(err)
		}
		file, inline, used := KeySource(keys, Env{})
		if file != c.file || string(inline) != c.inline || used != c.used {
			t.Errorf("%s: %q %q %v", c.totem, file, inline, used)
		}
	}
}
