package mesh

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// A rogue dials like a member, with what it has got.
type rogue struct {
	t     *testing.T
	cert  []byte
	key   ed25519.PrivateKey
	hello hello
}

// call dials an address and says hello. It returns the connection as it is when
// it is welcome.
func (r *rogue) call(network, address string) (*layer, error) {
	raw, err := net.Dial(network, address)
	must(r.t, err)
	r.t.Cleanup(func() { raw.Close() })
	raw.SetDeadline(time.Now().Add(patience))
	tc := tls.Client(raw, &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{r.cert}, PrivateKey: r.key}},
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
	})
	if _, err := tc.Write(r.hello.append(nil)); err != nil {
		return nil, err
	}
	var b [welcomeLen]byte
	if _, err := io.ReadFull(tc, b[:]); err != nil {
		return nil, err
	}
	l, err := newLayer(tc, raw, true)
	must(r.t, err)
	return l, l.say(&record{kind: kindBegin})
}

// TestImpostors: who is not who it says, or not of this group, or not of this
// cluster any more, is not welcome.
func TestImpostors(t *testing.T) {
	w := newWorld(t)
	w.options = func(o *Options) { o.ViewTime = 100 * time.Millisecond }
	a := w.add(member(1, 100))
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	them := member(2, 101)
	list := append(w.peers(), abi.OffloadPeer{Member: them, Endpoint: offload.Endpoint{Key: [32]byte(pub)}})
	a.begin(view(5), list)
	address := a.Endpoint().Addresses[0].String()

	good := hello{from: them, to: a.id, view: view(5), way: overTCP}
	issue := func(i *issuer, pub ed25519.PublicKey, m offload.Member, g exec.GroupName, at time.Time) []byte {
		cert, _ := i.certificateAt(t, pub, m, g, at)
		return cert
	}
	public := func(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }
	now := time.Now()
	cert := issue(w.issuer, pub, them, testGroup, now)
	changed := func(f func(*hello)) hello { h := good; f(&h); return h }
	for _, c := range []struct {
		name    string
		cert    []byte
		key     ed25519.PrivateKey
		hello   hello
		welcome bool
		refused uint64 // or else it is a stranger
	}{
		{"as it should be", cert, key, good, true, 0},
		{"another key", issue(w.issuer, public(other), them, testGroup, now), other, good, false, 0},
		{"not its key", cert, other, good, false, 1},
		{"another group", issue(w.issuer, pub, them, groupName("g2"), now), key, good, false, 1},
		{"another group that ends like ours", issue(w.issuer, pub, them, groupName("xg1"), now), key, good, false, 1},
		{"another node", issue(w.issuer, pub, member(3, 101), testGroup, now), key, good, false, 0},
		{"another process", issue(w.issuer, pub, member(2, 102), testGroup, now), key, good, false, 0},
		{"another root", issue(newIssuer(t, true), pub, them, testGroup, now), key, good, false, 1},
		{"its own root", issue(&issuer{key: key}, pub, them, testGroup, now), key, good, false, 1},
		{"expired", issue(w.issuer, pub, them, testGroup, now.Add(-2*time.Hour)), key, good, false, 1},
		{"not yet", issue(w.issuer, pub, them, testGroup, now.Add(time.Hour)), key, good, false, 1},
		{"not a member", cert, key, changed(func(h *hello) { h.from.PID = 7 }), false, 0},
		{"not a member yet", cert, key, changed(func(h *hello) { h.from.PID = 7; h.view.Epoch = 6 }), false, 0},
		{"as us", cert, key, changed(func(h *hello) { h.from = a.id }), false, 0},
		{"for another", cert, key, changed(func(h *hello) { h.to = member(3, 102) }), false, 0},
		{"over another way", cert, key, changed(func(h *hello) { h.way = overUnix }), false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := met(a)
			r := &rogue{t: t, cert: c.cert, key: c.key, hello: c.hello}
			l, err := r.call("tcp", address)
			if c.welcome != (err == nil) {
				t.Fatalf("welcome %v, %v", err == nil, err)
			}
			eventually(t, "a count", func() bool { return met(a) != before })
			s := met(a)
			if s.Refused-before.Refused != c.refused || !c.welcome && s.Strangers-before.Strangers != 1-c.refused {
				t.Errorf("%+v after %+v", s, before)
			}
			if c.welcome {
				l.conn.Close()
			}
		})
	}
	t.Run("over the Unix socket", func(t *testing.T) {
		before := a.Stats()
		h := changed(func(h *hello) { h.way = overUnix })
		if _, err := (&rogue{t: t, cert: cert, key: key, hello: h}).call("unix", "@"+a.Endpoint().Socket); err == nil {
			t.Error("another process is welcome")
		}
		eventually(t, "a stranger", func() bool { return a.Stats().Strangers == before.Strangers+1 })
	})
	t.Run("without an identity of our own", func(t *testing.T) {
		h := &node{}
		m, err := New(Options{Self: member(9, 9), Group: testGroup, Listen: loopback, Handler: h, HandshakeTime: 100 * time.Millisecond})
		must(t, err)
		defer m.Close()
		if _, err := (&rogue{t: t, cert: cert, key: key, hello: good}).call("tcp", m.Endpoint().Addresses[0].String()); err == nil {
			t.Error("welcome")
		}
	})
}

// met is what became of those who dialled.
func met(n *node) Stats {
	s := n.Stats()
	s.Failed = 0
	return s
}

// TestNoRoot: in a ring without a key the announced keys count, and nothing else.
func TestNoRoot(t *testing.T) {
	w := newWorld(t)
	w.issuer = newIssuer(t, false)
	a := w.add(member(1, 100))
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	them := member(2, 101)
	a.begin(view(5), append(w.peers(), abi.OffloadPeer{Member: them, Endpoint: offload.Endpoint{Key: [32]byte(pub)}}))
	h := hello{from: them, to: a.id, view: view(5), way: overTCP}
	for _, c := range []struct {
		key     ed25519.PrivateKey
		welcome bool
	}{{key, true}, {other, false}} {
		cert, _ := newIssuer(t, false).certificate(t, c.key.Public().(ed25519.PublicKey), them, testGroup)
		_, err := (&rogue{t: t, cert: cert, key: c.key, hello: h}).call("tcp", a.Endpoint().Addresses[0].String())
		if c.welcome != (err == nil) {
			t.Errorf("welcome %v, %v", err == nil, err)
		}
	}
}

// TestSetIdentity: only what is ours is taken.
func TestSetIdentity(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(member(1, 100)), w.add(member(2, 101))
	e := b.Endpoint()
	cert, root := w.issuer.certificate(t, e.Key[:], a.id, testGroup)
	if err := a.SetIdentity(cert, root); err == nil {
		t.Error("took a certificate for another key")
	}
	e = a.Endpoint()
	cert, _ = newIssuer(t, true).certificate(t, e.Key[:], a.id, testGroup)
	if err := a.SetIdentity(cert, root); err == nil {
		t.Error("took a certificate of another root")
	}
	for _, bad := range [][2][]byte{{nil, nil}, {cert, []byte("x")}, {[]byte("x"), root}} {
		if err := a.SetIdentity(bad[0], bad[1]); err == nil {
			t.Errorf("took %x, %x", bad[0], bad[1])
		}
	}
}

// TestWrongServer: a dialler looks as closely at who answers.
func TestWrongServer(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(member(1, 100)), w.add(member(2, 101))
	list := w.peers()
	for _, c := range []struct {
		name string
		is   offload.Member
		by   *issuer
	}{{"another name", member(2, 102), w.issuer}, {"another root", b.id, newIssuer(t, true)}} {
		t.Run(c.name, func(t *testing.T) {
			e := b.Endpoint()
			must(t, b.SetIdentity(c.by.certificate(t, e.Key[:], c.is, testGroup)))
			failed := a.Stats().Failed
			a.begin(offload.View{Ring: view(0).Ring, Epoch: failed + 1}, list)
			eventually(t, "a failure", func() bool { return a.Stats().Failed > failed })
			if a.Stats().Met > 0 {
				t.Error("they met")
			}
		})
	}
}

// TestFalseServer: neither who has the right key and no certificate of this
// cluster's, nor who has one and another key, is told anything.
func TestFalseServer(t *testing.T) {
	w := newWorld(t)
	a := w.add(member(1, 100))
	them := member(2, 101)
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	otherPub, otherKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for epoch, c := range []struct {
		name string
		by   *issuer
		pub  ed25519.PublicKey
		key  ed25519.PrivateKey
		is   offload.Member
		good bool
	}{
		{"right", w.issuer, pub, key, them, true},
		{"another root", newIssuer(t, true), pub, key, them, false},
		{"another key", w.issuer, otherPub, otherKey, them, false},
		{"another name", w.issuer, pub, key, member(3, 101), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert, _ := c.by.certificate(t, c.pub, c.is, testGroup)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: c.key}},
				ClientAuth:   tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
			})
			must(t, err)
			defer l.Close()
			told := make(chan int, 100)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.SetDeadline(time.Now().Add(patience))
					n, _ := io.ReadAtLeast(conn, make([]byte, helloLen), 1)
					told <- n
					conn.Close()
				}
			}()
			e := offload.Endpoint{Key: [32]byte(pub), Addresses: []netip.AddrPort{l.Addr().(*net.TCPAddr).AddrPort()}}
			a.begin(view(uint64(epoch+1)), append(w.peers(), abi.OffloadPeer{Member: them, Endpoint: e}))
			if n := <-told; n > 0 != c.good {
				t.Errorf("was told %d bytes", n)
			}
		})
	}
}

// TestRelay: somebody who listens at the name of a member's socket and hands all on
// to the member's real one is found out before anything is said to it.
func TestRelay(t *testing.T) {
	w := newWorld(t) // the two members' PIDs are not this process's
	a, b := w.add(member(1, 100)), w.add(member(1, 101))
	w.begin(view(1))
	a.awaitUp(b) // over TCP
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Mesh.mu.Lock()
	defer a.Mesh.mu.Unlock()
	if way := wayOf(a.Mesh.peers[b.id].out.layer.conn); way != overTCP {
		t.Errorf("way %v", way)
	}
}

// TestBreach: a member that breaks the protocol, or transmits more than was granted
// it, is cut off and stays so till the view ends.
func TestBreach(t *testing.T) {
	v := view(5)
	chunk := func(r record) *record { r.kind = kindChunk; return &r }
	for _, c := range []struct {
		name string
		say  []*record
		cut  bool
	}{
		{"a message", []*record{chunk(record{view: v, seq: 1, size: 10, length: 10})}, false},
		{"part by part", []*record{chunk(record{view: v, seq: 1, size: 10, length: 4}), chunk(record{view: v, seq: 1, size: 10, at: 4, length: 6})}, false},
		{"given up", []*record{chunk(record{view: v, seq: 1, size: 10, length: 4}), chunk(record{view: v, seq: 3, size: 4, length: 4})}, false},
		{"again", []*record{chunk(record{view: v, seq: 1, size: 4, length: 4}), chunk(record{view: v, seq: 1, size: 900, length: 900})}, false},
		{"of an earlier view", []*record{chunk(record{view: view(4), seq: 1, size: 4000, length: 4000})}, false},
		{"beyond its credit", []*record{chunk(record{view: v, seq: 1, size: 1001, length: 1})}, true},
		{"beyond its credit in all", []*record{chunk(record{view: v, seq: 1, size: 500, length: 500}), chunk(record{view: v, seq: 2, size: 501, length: 501})}, true},
		{"too long", []*record{chunk(record{view: view(4), seq: 1, size: 16<<20 + 1, length: 1})}, true},
		{"of a later view", []*record{chunk(record{view: view(6), seq: 1, size: 4, length: 4})}, true},
		{"without a number", []*record{chunk(record{view: v, size: 4, length: 4})}, true},
		{"an empty part", []*record{chunk(record{view: v, seq: 1, size: 4})}, true},
		{"beyond the end", []*record{chunk(record{view: v, seq: 1, size: 4, length: 5})}, true},
		{"the end alone", []*record{chunk(record{view: v, seq: 1, size: 4, at: 2, length: 2})}, true},
		{"with a gap", []*record{chunk(record{view: v, seq: 1, size: 10, length: 4}), chunk(record{view: v, seq: 1, size: 10, at: 6, length: 4})}, true},
		{"another's end", []*record{chunk(record{view: v, seq: 1, size: 10, length: 4}), chunk(record{view: v, seq: 2, size: 10, at: 4, length: 6})}, true},
		{"a longer end", []*record{chunk(record{view: v, seq: 1, size: 10, length: 4}), chunk(record{view: v, seq: 1, size: 11, at: 4, length: 7})}, true},
		{"a receiver's word", []*record{{kind: kindHold, view: v}}, true},
		{"an unknown word", []*record{{kind: 99}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.add(member(1, 100))
			a.credit, a.once = 1000, true
			pub, key, err := ed25519.GenerateKey(rand.Reader)
			must(t, err)
			them := member(2, 101)
			list := append(w.peers(), abi.OffloadPeer{Member: them, Endpoint: offload.Endpoint{Key: [32]byte(pub)}})
			a.begin(view(4), list)
			a.begin(v, list)
			cert, _ := w.issuer.certificate(t, pub, them, testGroup)
			r := &rogue{t: t, cert: cert, key: key, hello: hello{from: them, to: a.id, view: v, way: overTCP}}
			l, err := r.call("tcp", a.Endpoint().Addresses[0].String())
			must(t, err)
			secret := newSenderKey()
			must(t, l.say(&record{kind: kindKey, key: secret.secret}))
			for _, rec := range c.say {
				if err := l.say(rec); err != nil {
					break
				}
				if rec.kind == kindChunk {
					var n nonce
					l.conn.Write(secret.aead.Seal(nil, n.of(rec.counter), make([]byte, rec.length), l.out.plain[:]))
				}
			}
			if c.cut {
				eventually(t, "the cut", func() bool { return a.Stats().Cut == 1 })
				if _, err := r.call("tcp", a.Endpoint().Addresses[0].String()); err == nil {
					t.Error("welcome again")
				}
				a.begin(view(7), list)
			}
			// It may, or may again, as any member.
			if !c.cut {
				must(t, l.say(&record{kind: kindBegin}))
				eventually(t, "the cut", func() bool { return a.Stats().Cut == 1 })
				a.begin(view(7), list)
			}
			if _, err := r.call("tcp", a.Endpoint().Addresses[0].String()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForged: what was changed on its way ends the connection and is not the
// member's fault.
func TestForged(t *testing.T) {
	for _, at := range []int{3, recordLen + sealLen + 5} { // in a record, in bytes
		w := newWorld(t)
		a := w.add(member(1, 100))
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		them := member(2, 101)
		a.begin(view(5), append(w.peers(), abi.OffloadPeer{Member: them, Endpoint: offload.Endpoint{Key: [32]byte(pub)}}))
		cert, _ := w.issuer.certificate(t, pub, them, testGroup)
		r := &rogue{t: t, cert: cert, key: key, hello: hello{from: them, to: a.id, view: view(5), way: overTCP}}
		l, err := r.call("tcp", a.Endpoint().Addresses[0].String())
		must(t, err)
		secret := newSenderKey()
		must(t, l.say(&record{kind: kindKey, key: secret.secret}))
		var n nonce
		b := l.out.append(nil, &record{kind: kindChunk, view: view(5), seq: 1, size: 100, length: 100, counter: 1})
		b = secret.aead.Seal(b, n.of(1), make([]byte, 100), l.out.plain[:])
		b[at] ^= 1
		l.conn.Write(b)
		if _, err := io.Copy(io.Discard, l.conn); errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if s := a.Stats(); s.Cut != 0 || len(a.sender(them).seqs) != 0 {
			t.Errorf("%+v, arrived %v", s, a.sender(them).seqs)
		}
		if _, err := r.call("tcp", a.Endpoint().Addresses[0].String()); err != nil {
			t.Error(err)
		}
	}
}

// TestGarbage: who speaks nothing of ours is refused, whatever it says, and how
// much.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	w.options = func(o *Options) { o.HandshakeTime = 500 * time.Millisecond }
	a := w.add(member(1, 100))
	r := mathrand.New(mathrand.NewPCG(1, 2))
	noise := make([]byte, 40<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	hugeHello, _ := hex.DecodeString("1603010400" + "01fffffc0303") // says that it is 16 MB long
	for name, b := range map[string][]byte{
		"nothing":       nil,
		"noise":         noise,
		"http":          []byte("GET / HTTP/1.1\r\n\r\n"),
		"a huge hello":  append(hugeHello, noise...),
		"records on":    []byte(strings.Repeat("\x16\x03\x01\x00\x01\x01", 10_000)),
		"hello, by two": []byte("\x16\x03\x01"),
	} {
		for _, network := range []string{"tcp", "unix"} {
			address := a.Endpoint().Addresses[0].String()
			if network == "unix" {
				address = "@" + a.Endpoint().Socket
			}
			c, err := net.Dial(network, address)
			must(t, err)
			c.SetDeadline(time.Now().Add(patience))
			go c.Write(b)
			n, _ := io.Copy(io.Discard, c)
			if n > 64 {
				t.Errorf("%s: answered with %d bytes", name, n)
			}
			c.Close()
		}
	}
	eventually(t, "counts", func() bool { s := a.Stats(); return s.Slow+s.Refused == 12 })
	if s := a.Stats(); s.Slow != 4 {
		t.Errorf("%+v", s)
	}
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	if len(a.gate.all)+len(a.gate.sources) != 0 {
		t.Errorf("%d and %d still have a place", len(a.gate.all), len(a.gate.sources))
	}
}

// TestFlood: members find each other while others hold connections open and open
// new ones as fast as they can, from a stranger's address and from the members' own.
func TestFlood(t *testing.T) {
	for _, c := range []struct{ name, from string }{{"strangers", "127.0.0.9"}, {"members' address", "127.0.0.1"}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a, b, d := three(t, w)
			var stop atomic.Bool
			done := make(chan struct{})
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}, Timeout: time.Second}
			opened := 0
			go func() {
				defer close(done)
				var held []net.Conn
				for !stop.Load() {
					for _, n := range w.nodes {
						conn, err := dialer.Dial("tcp", n.Endpoint().Addresses[0].String())
						if err != nil {
							continue
						}
						conn.(*net.TCPConn).SetLinger(0)
						opened++
						if held = append(held, conn); len(held) > 400 {
							held[0].Close()
							held = held[1:]
						}
					}
				}
				for _, conn := range held {
					conn.Close()
				}
			}()
			defer func() { stop.Store(true); <-done }()
			eventually(t, "the flood", func() bool { return a.Stats().Crowded > 100 })
			began := time.Now()
			w.begin(view(1))
			for _, n := range w.nodes {
				n.awaitUp(without(w.nodes, n)...)
			}
			a.send(1, 100_000, b, d)
			b.expect(a, 100_000)
			if d := time.Since(began); d > patience/2 {
				t.Errorf("took %v", d)
			}
			for _, n := range w.nodes {
				n.gate.mu.Lock()
				if len(n.gate.all) > n.opt.Handshakes {
					t.Errorf("%d strangers", len(n.gate.all))
				}
				n.gate.mu.Unlock()
			}
		})
	}
}

// TestRate: strangers that come fast cost nothing beyond their share, and members
// are none.
func TestRate(t *testing.T) {
	g := newGate(10, 100)
	g.known = map[source]int{{pid: 1}: 1}
	entered := func(s source, tries int) (n int) {
		for range tries {
			c, other := net.Pipe()
			defer other.Close()
			if p, _ := g.enter(c, s); p != nil {
				g.leave(p)
				n++
			}
		}
		return n
	}
	if n := entered(source{pid: 2}, 100); n < 10 || n > 20 {
		t.Errorf("%d strangers entered", n)
	}
	if n := entered(source{pid: 1}, 100); n != 100 {
		t.Errorf("%d of a member's connections entered", n)
	}
	g.at = g.at.Add(-time.Second)
	if n := entered(source{pid: 2}, 100); n < 10 || n > 20 {
		t.Errorf("%d strangers entered a second later", n)
	}
}

// TestIdleCost: a connection that says nothing costs little memory.
func TestIdleCost(t *testing.T) {
	w := newWorld(t)
	w.options = func(o *Options) { o.Handshakes, o.SourceHandshakes, o.HandshakeTime = 1000, 1000, time.Minute }
	a := w.add(member(1, 100))
	used := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapInuse + s.StackInuse)
	}
	before := used()
	const count = 400
	for range count {
		c, err := net.Dial("tcp", a.Endpoint().Addresses[0].String())
		must(t, err)
		defer c.Close()
	}
	eventually(t, "all of them", func() bool {
		a.gate.mu.Lock()
		defer a.gate.mu.Unlock()
		return len(a.gate.all) == count
	})
	if each := (used() - before) / count; each > 16<<10 {
		t.Errorf("%d bytes each, both ends", each)
	}
}

// TestSources: a network of IPv6 is one source.
func TestSources(t *testing.T) {
	same := func(a, b string) bool {
		return sourceOf(netip.MustParseAddr(a)) == sourceOf(netip.MustParseAddr(b))
	}
	if !same("192.0.2.1", "::ffff:192.0.2.1") || same("192.0.2.1", "192.0.2.2") ||
		!same("2001:db8::1", "2001:db8::ffff:2") || same("2001:db8::1", "2001:db8:0:1::1") || !same("fe80::1%eth0", "fe80::2") {
		t.Error("sources are told apart otherwise")
	}
}
