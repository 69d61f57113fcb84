package node

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/conf"
	"cpgol/daemon/cmap"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
	"cpgol/wire/exec"
	"cpgol/wire/knet"
)

// fakeKnet is links without a network.
type fakeKnet struct {
	net.Transport
	links *link.Links
	out   link.Output
	err   error // of the next Reconfigure
	hosts int
}

func (f *fakeKnet) Multicast(time.Duration, []byte) {}
func (f *fakeKnet) Flush(time.Duration)             {}
func (f *fakeKnet) Tick(time.Duration)              {}
func (f *fakeKnet) Deadline() time.Duration         { return net.Never }
func (f *fakeKnet) Close() error                    { return nil }

func (f *fakeKnet) Reconfigure(now time.Duration, cfg link.Config) error {
	if f.err == nil {
		f.links.Reconfigure(now, cfg, &f.out)
		f.hosts = len(cfg.Hosts)
	}
	return f.err
}

func (f *fakeKnet) Update(do func(*link.Links, *link.Output)) {
	do(f.links, &f.out)
	f.out.Reset()
}

// opens reports whether a packet of node 2 that is sealed with c gets in.
func (f *fakeKnet) opens(c *knet.Crypto) bool {
	before := f.links.Stats().Dropped
	ping := (&knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 2}, Timed: 1, Seq: 1}).Append(nil)
	f.links.Receive(0, 0, netip.MustParseAddrPort("10.0.0.2:5405"), c.Seal(nil, ping, [16]byte{1}), &f.out)
	f.out.Reset()
	return f.links.Stats().Dropped == before
}

// seals reports whether packets are sent with c.
func (f *fakeKnet) seals(c *knet.Crypto, now time.Duration) bool {
	f.out.Reset()
	f.links.Tick(now, &f.out)
	defer f.out.Reset()
	for _, e := range f.out.Effects {
		if e.Kind == link.Send {
			plain, err := c.Open(nil, e.Bytes)
			return err == nil && len(plain) >= knet.PingLen && plain[0] == knet.Version
		}
	}
	return false
}

// A reloading is a node whose file is a string.
type reloading struct {
	t    *testing.T
	n    *Node
	knet *fakeKnet
	r    *reload
	text string
	now  time.Duration
}

const quorumSection = "quorum {\nprovider: corosync_votequorum\n}\n"

func fileOf(nodes int, totem, more string) string {
	var b strings.Builder
	b.WriteString("totem {\nversion: 2\ntransport: knet\n" + totem + "}\nnodelist {\n")
	for i := 1; i <= nodes; i++ {
		fmt.Fprintf(&b, "node {\nname: n%d\nnodeid: %d\nring0_addr: 10.0.0.%d\n}\n", i, i, i)
	}
	return b.String() + "}\n" + quorumSection + more
}

func newReloading(t *testing.T, text string) *reloading {
	x := &reloading{t: t, text: text}
	env := conf.Env{HostName: "n1", StateDir: t.TempDir(), ReadFile: func(path string, _ int) ([]byte, error) { return []byte(x.text), nil }}
	c, err := conf.Load("corosync.conf", env)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := NewInside(c, slog.New(slog.DiscardHandler), func() time.Duration { return x.now }, func(func([]byte), func(link.Effect)) net.Transport {
		k, err := knetConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		k.Rand = rand.NewChaCha8([32]byte{})
		x.knet = &fakeKnet{links: link.New(k)}
		return x.knet
	})
	if err != nil {
		t.Fatal(err)
	}
	x.n = inside.n
	x.r = newReload(x.n, func(running *conf.Config) (*conf.Plan, error) { return conf.Reload("corosync.conf", env, running) }, nil)
	return x
}

func (x *reloading) keys() map[string]string {
	all := map[string]string{}
	for key, v := range x.n.keys.All("") {
		all[key] = v.String()
	}
	return all
}

// A file that is refused, for itself or because the transport cannot follow,
// leaves everything as it was.
func TestReloadRefused(t *testing.T) {
	x := newReloading(t, fileOf(3, "", ""))
	before, c := x.keys(), x.n.cfg
	for text, why := range map[string]string{
		"garbage {{": "Unable to reload config file: corosync.conf:1: ",
		strings.Replace(x.text, "10.0.0.2", "10.0.0.9", 1): "new config has different address for link 0",
		fileOf(4, "", ""): "Configuration is not valid: no socket",
	} {
		x.text, x.knet.err = text, errors.New("no socket")
		if _, err := x.r.run(); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %q", err, why)
		}
		if diff := cmp.Diff(before, x.keys()); diff != "" || x.n.cfg != c || x.knet.hosts != 0 {
			t.Errorf("%q changed something: %s", why, diff)
		}
	}
}

// What is new is there, what is gone is gone, and what the daemon itself keeps
// stays.
func TestReloadTaken(t *testing.T) {
	x := newReloading(t, fileOf(3, "window_size: 20\n", "logging {\ndebug: on\n}\nresources {\nold: 1\n}\n"))
	x.text = fileOf(4, "token: 4000\n", "uidgid {\nuid: 7\n}\n")
	if crypto, err := x.r.run(); crypto || err != nil {
		t.Fatal(crypto, err)
	}
	got := x.keys()
	for key, want := range map[string]string{
		"totem.token": "4000", "runtime.config.totem.token": "5300", "totem.window_size": "", "runtime.config.totem.window_size": "50",
		"nodelist.node.3.nodeid": "4", "nodelist.local_node_pos": "0", "logging.debug": "", "uidgid.config.uid.7": "1",
		"resources.old": `"1"`, "runtime.services.cfg.service_id": "1", "quorum.provider": `"corosync_votequorum"`,
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if x.knet.hosts != 3 || len(x.n.cfg.Nodes) != 4 {
		t.Errorf("%d hosts, %d nodes", x.knet.hosts, len(x.n.cfg.Nodes))
	}
}

// Keys that clients set count at once; what makes no sense stays in the map, and
// nothing else changes. A reload takes all of it back.
func TestKeysSet(t *testing.T) {
	x := newReloading(t, fileOf(3, "", ""))
	var told []string
	x.r.logging = func(c *conf.Config) error { told = append(told, c.Logging.Top.Debug); return nil }
	expect := func(token string) {
		t.Helper()
		if got := x.keys()["runtime.config.totem.token"]; got != token {
			t.Errorf("token %s, want %s", got, token)
		}
		if got := fmt.Sprint(x.n.cfg.Totem.Token.Milliseconds()); got != token {
			t.Errorf("token %s in force, want %s", got, token)
		}
	}
	x.n.keys.Set("totem.token", cmap.U32(4000))
	expect("4650")
	x.n.keys.Set("totem.join", cmap.U32(1))
	x.n.keys.Set("totem.token", cmap.U32(5000))
	expect("4650") // the join is still wrong
	x.n.keys.Delete("totem.join")
	expect("5650")
	x.n.keys.Set("totem.token", cmap.String("not a number"))
	expect("3650")
	x.n.keys.Set("logging.debug", cmap.String("on"))
	if got := fmt.Sprint(x.keys()["totem.join"], x.keys()["runtime.config.totem.join"], told); got != "50[on]" {
		t.Error(got)
	}
	if _, err := x.r.run(); err != nil {
		t.Fatal(err)
	}
	expect("3650")
	if got := fmt.Sprint(x.keys()["totem.token"], x.keys()["logging.debug"], told); got != "[on off]" {
		t.Error(got)
	}
}

// A file that cannot be read in time is refused, and so is every reload until the
// reading has ended.
func TestReloadSlow(t *testing.T) {
	x := newReloading(t, fileOf(3, "token: 100\ntoken_coefficient: 0\ntoken_retransmits_before_loss_const: 2\n", ""))
	gate, read := make(chan struct{}), x.r.read
	x.r.read = func(running *conf.Config) (*conf.Plan, error) {
		<-gate
		return read(running)
	}
	for range 2 {
		if _, err := x.r.run(); err != errSlow {
			t.Fatal(err)
		}
	}
	close(gate)
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := x.r.run(); err == nil {
			break
		} else if time.Since(begin) > 5*time.Second {
			t.Fatal(err)
		}
	}
}

// A new key opens packets at once, seals them in the second phase, and the old
// one goes after the third; encryption is switched off and on the same way.
func TestRekey(t *testing.T) {
	secret := func(c string) string {
		return "crypto_cipher: aes256\ncrypto_hash: sha256\nkey: " + strings.Repeat(c, 150) + "\n"
	}
	crypto := func(c string) *knet.Crypto {
		k, err := knet.NewCrypto("aes256", "sha256", append([]byte(strings.Repeat(c, 150)), 0))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	x := newReloading(t, fileOf(3, secret("a"), ""))
	now := time.Second
	steps := []struct {
		totem    string
		old, new *knet.Crypto
	}{
		{secret("b"), crypto("a"), crypto("b")},
		{secret("c"), crypto("b"), crypto("c")},
		{"", crypto("c"), nil},
		{secret("d"), nil, crypto("d")},
	}
	for i, s := range steps {
		expect := func(when string, opensOld, opensNew, sealsNew bool) {
			t.Helper()
			now += 2 * time.Second
			seals := s.old
			if sealsNew {
				seals = s.new
			}
			if x.knet.opens(s.old) != opensOld || x.knet.opens(s.new) != opensNew || !x.knet.seals(seals, now) {
				t.Errorf("change %d, %s: old opens %v, new opens %v", i, when, x.knet.opens(s.old), x.knet.opens(s.new))
			}
		}
		expect("before", true, false, false)
		x.text = fileOf(3, s.totem, "")
		if crypto, err := x.r.run(); !crypto || err != nil {
			t.Fatal(crypto, err)
		}
		if now += 2 * time.Second; !x.knet.opens(s.old) || !x.knet.seals(s.old, now) {
			t.Errorf("change %d: the old key went as the new one came", i)
		}
		if !x.knet.opens(s.new) { // a peer that is ahead
			t.Errorf("change %d: the new key does not open", i)
		}
		if now += 2 * time.Second; !x.knet.seals(s.new, now) && s.new != nil {
			t.Errorf("change %d: the peer is not followed", i)
		}
		x.text = fileOf(3, secret("x"), "")
		if _, err := x.r.run(); err == nil || !strings.Contains(err.Error(), "not over yet") {
			t.Errorf("another key meanwhile: %v", err)
		}
		x.r.rekey.phase(exec.CryptoActivate)
		expect("active", true, true, true)
		x.r.rekey.phase(exec.CryptoCleanup)
		expect("over", true, true, true)
		if i != 1 { // the third change comes at once
			x.now += time.Minute
			x.n.timers.run(x.now)
			expect("cleaned up", false, true, true)
		}
	}
}
