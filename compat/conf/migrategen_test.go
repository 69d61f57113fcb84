package conf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A generator makes maps of keys as a corosync.conf can produce them: every
// field of the schema, keys that no field has, gaps, and odd names and values.
type generator struct {
	*rand.Rand
	keys *keyMap
}

func (g *generator) pick(words ...string) string { return words[g.IntN(len(words))] }

// chance is true one time in n.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

// word is a name's part.
func (g *generator) word() string {
	return g.pick("a", "rack", "level", "x-y", "A_b", "0", "07", "a/b", "debug", "name", "subsys", "token", "base64", "uid",
		"member", "number", "extra", "x:y", "nodeid", "poll_period", "watchdog_timeout", "ring01_addr", "interface", "corosync",
		strings.Repeat("w", 1+g.IntN(30)))
}

// text is a value.
func (g *generator) text() string {
	switch g.IntN(12) {
	case 0:
		return ""
	case 1:
		return strconv.Itoa(g.IntN(100000))
	case 2:
		return g.pick("yes", "no", "on", "off", "none", "1 2 3", "1  2", "007", "-1", "3s", "true", "# x", "a # b", "}", ":", "::",
			`"quoted"`, `\`, "'", "a=b", "[x]", "0x1f", "1,2")
	case 3:
		return g.pick("é", "\xff", "\xa0", "a\xa0", "日本", "a\r", "\vx", "\x01", "\x7f", "a\tb", "\u2028", "\xed\xa0\x80")
	case 4:
		return strings.Repeat("y", g.IntN(480))
	}
	return g.pick("node1", "192.0.2.1", "2001:db8::1", "/var/log/x", "knet", "aes256", "info", "/usr/bin/ping -q -c 1 192.0.2.254")
}

// value gives a field's key a value of its type, mostly one that the field can
// hold.
func (g *generator) value(f *field) Key {
	k := Key{Type: f.typ}
	if f.typ == TypeString {
		k.Text = g.text()
		switch {
		case f.words != nil:
			k.Text = f.words[g.IntN(len(f.words))]
		case f.as == asYesNo || f.as == asSwitch && g.chance(2):
			k.Text = g.pick("yes", "no", "no", "maybe")
		case f.as == asOnOff || f.as == asSwitch:
			k.Text = g.pick("on", "off", "off", "maybe")
		}
		return k
	}
	k.Num = uint64(g.IntN(5000))
	if g.chance(4) {
		k.Num = g.Uint64() >> g.IntN(64)
	}
	switch min, max := bounds(f.typ); {
	case f.typ == TypeU64:
	case f.typ == TypeI32:
		k.Num = uint64(int64(int32(k.Num)))
	case f.max != 0:
		k.Num %= f.max + 1
	default:
		k.Num %= uint64(max-min) + 1
	}
	return k
}

func (g *generator) set(name string, k Key) {
	k.Name = name
	if validName(name) && len(name) < maxName-1 {
		g.keys.set(k)
	}
}

func (g *generator) setText(name, text string) { g.set(name, Key{Type: TypeString, Text: text}) }

// section sets some of a section's fields.
func (g *generator) section(fields []field, prefix string, rarity int) {
	for i := range fields {
		f := &fields[i]
		if g.chance(rarity) && f.key != dscpKey {
			g.set(prefix+f.key, g.value(f))
		}
	}
}

// configuration makes one map.
func (g *generator) configuration() []Key {
	g.keys = newKeyMap()
	g.set("totem.version", Key{Type: TypeU32, Num: 2})
	g.section(documentSchema.fields, "", 1+g.IntN(12))
	for n := range g.IntN(4) {
		g.section(linkSchema.fields, linkKey(uint32(n*g.IntN(80)), ""), 1+g.IntN(5))
		for i := range g.IntN(3) {
			g.setText(linkKey(uint32(n), "member."+strconv.Itoa(i)), g.text())
		}
	}
	for n := range g.IntN(6) {
		if g.chance(8) {
			continue // a gap
		}
		at := uint32(n)
		g.section(nodeSchema.fields, nodeName(at, ""), 1+g.IntN(3))
		for link := range 1 + g.IntN(3) {
			g.setText(nodeName(at, ringName(link)), g.text())
		}
		for range g.IntN(3) {
			if name := g.word(); typeOf(stateNode, "", name) == TypeString && !strings.Contains(name, ":") {
				g.setText(nodeName(at, name), g.text())
			}
		}
	}
	g.logging()
	for range g.IntN(3) {
		g.set("uidgid.config."+g.pick("uid", "gid")+"."+strconv.Itoa(g.IntN(70000)), Key{Type: TypeU8, Num: 1})
	}
	for range g.IntN(3) {
		g.section(monitorSchema.fields, "resources.system."+g.word()+".", 2)
		g.setText("quorum.device.heuristics.exec_"+strings.ReplaceAll(g.word(), ":", "_"), g.text())
	}
	g.unknown()
	return g.keys.list()
}

func (g *generator) logging() {
	for range g.IntN(3) {
		name := g.pick("QUORUM", "TOTEM", "x", "a.b", "", "name", "Z", "W", "CPG", "X:Y")
		g.section(loggerSchema.fields, subsysPrefix+name+".", 4)
		g.setText(subsysPrefix+name+".subsys", name)
	}
	for range g.IntN(3) {
		name := g.pick("pacemaker", "x", "a.b", "name")
		prefix := "logging.logging_daemon." + name
		if g.chance(2) {
			sub := g.pick("attrd", "y", "debug", "c.d")
			prefix += "." + sub
			g.setText(prefix+".subsys", sub)
		}
		g.section(loggerSchema.fields, prefix+".", 4)
		g.setText(prefix+".name", name)
	}
}

// unknown sets keys that nobody reads, in sections and as text where a section
// would not have it.
func (g *generator) unknown() {
	for range g.IntN(5) {
		path := g.pick("totem", "quorum", "quorum.device", "logging", "system", "vendor", "resources", "nodelist", "nozzle",
			"totem.interface", "a.b.c", "resources.process.4", g.word())
		for g.chance(3) {
			path += "." + g.word()
		}
		name := path + "." + g.word()
		if _, last := splitName(name); typeOf(stateAt(path), name, last) == TypeString && !strings.Contains(last, ":") {
			g.setText(name, g.text())
		}
	}
	for range g.IntN(3) { // dotted lines
		name := g.pick("totem.token", "totem.version.x", "quorum.two_node", "totem.interface.0.ttl", "vendor.", ".x", "a..b",
			"logging.logger_subsys.Z.debug", "nodelist.node.1.nodeid", "system.sched_rr", "uidgid.uid", "totem.transport")
		g.setText(name, g.text())
	}
}

// TestGeneratedRoundTrips writes 10000 generated configurations in both
// languages and from each in the other: the keys stay what they are.
func TestGeneratedRoundTrips(t *testing.T) {
	n := 10000
	if testing.Short() {
		n = 500
	}
	e := tomlHost("")
	for seed := range n {
		g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 3))}
		keys := g.configuration()
		conf, err := ToCorosync(keys)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		back := reread(t, conf)
		if !sameList(keys, back) {
			t.Fatalf("seed %d (-want +got):\n%s\n%s", seed, cmp.Diff(keys, withoutLines(back)), conf)
		}
		toml, err := ToTOML(back)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		fromTOML, errs := ParseTOML(toml, "x.toml", e)
		if len(errs) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, errs[0], toml)
		}
		if !sameList(keys, fromTOML) {
			t.Fatalf("seed %d (-want +got):\n%s\n%s", seed, cmp.Diff(keys, withoutLines(fromTOML)), toml)
		}
		d, err := ReadDocument(toml, "x.toml", 0, e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Translate(e)
		if err != nil || string(again) != string(conf) {
			t.Fatalf("seed %d: by way of TOML: %v\n%s\n%s", seed, err, conf, again)
		}
	}
}

// sameList compares keys but for their lines.
func sameList(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(a, b Key) bool { return (KeyDifference{a, b}).Same() })
}

// valid makes the text of a configuration that starts on the reference host.
func (g *generator) valid() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	maybe := func(format string, args ...any) {
		if g.chance(3) {
			line(format, args...)
		}
	}
	links := 1 + g.IntN(2)
	line("totem {\nversion: 2")
	maybe("cluster_name: %s", g.pick("lab", "a b", "é"))
	maybe("token: %d", 1000+g.IntN(9000))
	maybe("token_coefficient: %d", g.IntN(1000))
	maybe("secauth: %s", g.pick("on", "off", "maybe"))
	maybe("crypto_cipher: aes256\ncrypto_hash: %s", g.pick("sha256", "md5"))
	maybe("link_mode: %s", g.pick("passive", "active", "rr"))
	maybe("knet_compression_model: %s", g.pick("zlib", "lz4"))
	maybe("config_version: %d", g.IntN(1000))
	maybe("rrp_mode: passive\nthreads: 3")
	maybe("ip_dscp: 46")
	maybe("%s: %s", g.pick("surprise", "cluster_uuid"), strings.Trim(g.pick("a", "b # c", "\"x\""), " "))
	for n := range links {
		if g.chance(2) {
			line("interface {\nlinknumber: %d\nknet_link_priority: %d", n, g.IntN(256))
			maybe("mcastport: %d", 5405+g.IntN(100))
			maybe("knet_ping_interval: %d\nknet_ping_timeout: 4000", 200+g.IntN(1000))
			maybe("knet_transport: udp")
			line("}")
		}
	}
	line("}\nnodelist {")
	for n := range 1 + g.IntN(3) {
		line("node {\nname: node%d\nnodeid: %d\nring0_addr: 192.0.2.%d", n+1, n+1, n+1)
		if links == 2 {
			line("ring1_addr: 198.51.100.%d", n+1)
		}
		maybe("quorum_votes: %d", g.IntN(3))
		maybe("rack: r%d", n)
		line("}")
	}
	line("}\nquorum {\nprovider: corosync_votequorum")
	maybe("two_node: %d", g.IntN(2))
	maybe("wait_for_all: %d", g.IntN(2))
	maybe("device {\nmodel: net\nvotes: 1\nnet {\nhost: q\nport: %s\n}\n}", g.pick("5403", "x"))
	line("}\nlogging {\nto_stderr: yes")
	maybe("debug: %s", g.pick("on", "off", "trace"))
	maybe("to_logfile: yes\nlogfile: /var/log/cluster/corosync.log")
	maybe("logger_subsys {\nsubsys: %s\ndebug: on\n}", g.pick("QUORUM", "CPG"))
	maybe("logging_daemon {\nname: pacemaker\nsubsys: x\ndebug: on\n}")
	line("}")
	maybe("uidgid {\nuid: root\ngid: %d\n}", g.IntN(1000))
	maybe("system {\npriority: %s\nsched_rr: no\n}", g.pick("max", "min", "5"))
	maybe("vendor {\nsettings {\nlevel: high\n}\n}")
	maybe("totem.token_warning: text")
	return b.String()
}

// TestLiveReversed asks the installed corosync for its verdict on what comes of
// a file by way of TOML: every accepted file of the corpus, and some hundred
// generated ones.
func TestLiveReversed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("asks the installed corosync")
	}
	texts := corpusTexts(t, "accept/*.conf", 76)
	whole := len(texts)
	for seed := range 200 {
		g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 4))}
		texts = append(texts, g.valid())
	}
	e := migrateHost()
	var reversed []string
	for _, text := range texts {
		d, err := ReadDocument([]byte(text), "x.conf", 3, e)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		toml, err := d.Translate(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d, err = ReadDocument(toml, "x.toml", 0, e); err != nil {
			t.Fatalf("%v\n%s", err, toml)
		}
		back, err := d.Corosync(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		reversed = append(reversed, string(back))
	}
	_, verdicts := stockVerdicts(t, reversed)
	for i, v := range verdicts {
		if v.status != 0 {
			t.Errorf("status %d %q\n%s\nbecame\n%s", v.status, v.text, texts[i], reversed[i])
		}
	}
	t.Logf("%d files of the corpus, %d generated", whole, len(texts)-whole)
}
