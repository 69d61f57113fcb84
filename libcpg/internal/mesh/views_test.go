package mesh

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

func three(t testing.TB, w *world) (a, b, c *node) {
	a, b, c = w.add(member(1, 100)), w.add(member(2, 101)), w.add(member(3, 102))
	return a, b, c
}

func (n *node) quiet(t testing.TB, want Stats) {
	t.Helper()
	if s := n.Stats(); s != want {
		t.Errorf("%v: %+v, want %+v", n.id, s, want)
	}
}

// TestViews: connections stay over views and times without one, credit and
// numbers begin anew, and who is not in the view is cut off.
func TestViews(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	w.begin(view(1))
	a.awaitUp(b, c)
	a.send(1, 1000, b, c)
	b.expect(a, 1000)

	for _, n := range w.nodes {
		n.off()
	}
	a.send(2, 1000, b, c) // there is no view: in vain
	w.begin(view(3))
	a.awaitUp(b, c)
	a.Transmit(view(1), 2, Get(10), []offload.Member{b.id}) // late
	a.send(1, 2000, b, c)
	b.expect(a, 2000)
	c.expect(a, 2000)
	b.awaitUp(a, c)
	c.awaitUp(a, b)
	a.quiet(t, Stats{Met: 4})
	b.quiet(t, Stats{Met: 4})

	// c is not in the next view, and another process of its node is.
	w.nodes = w.nodes[:2]
	d := w.add(member(3, 202))
	w.begin(view(4))
	a.awaitUp(b, d)
	a.send(1, 3000, b, c, d)
	d.expect(a, 3000)
	c.await("the end", func() bool { return !c.receiver(a.id).up && !c.receiver(b.id).up })
	eventually(t, "one more connection each way", func() bool { return a.Stats().Met == 6 })
}

// TestLeft: a member's leave ends its connections and the key that it has.
func TestLeft(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	w.begin(view(1))
	a.awaitUp(b, c)
	a.send(1, 100, b, c)
	c.expect(a, 100)
	before := a.Mesh.sender.Load()
	a.Left([]offload.Member{c.id})
	if a.Mesh.sender.Load() == before {
		t.Error("the key is still the one that it has")
	}
	c.await("its end", func() bool { return !c.receiver(a.id).up })
	a.send(2, 200, b, c)
	b.expect(a, 100, 200)
	b.await("still up", func() bool { return b.receiver(a.id).up })
	if len(a.events) != 2 {
		t.Errorf("%v was told %v, want two ups", a.id, a.events)
	}
}

// TestLateView: a receiver that comes to the view later is waited for; a hold that
// is told later than the view too.
func TestLateView(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	c.credit = 0
	list := w.peers()
	a.begin(view(2), list)
	b.begin(view(1), list[1:]) // without a
	time.Sleep(100 * time.Millisecond)
	if a.receiver(b.id).up {
		t.Error("up too early")
	}
	b.begin(view(2), list)
	c.begin(view(2), list)
	a.awaitUp(b)
	a.quiet(t, Stats{Met: a.Stats().Met})
	if a.receiver(c.id).up {
		t.Error("up without a hold")
	}
	c.Hold(a.id, view(2), 0, 100)
	a.awaitUp(c)
	a.send(1, 100, b, c)
	c.expect(a, 100)
}

// TestNoView: who says that it is in an earlier view and is not a member is
// refused at once; in a later one, when the wait is over.
func TestNoView(t *testing.T) {
	w := newWorld(t)
	w.options = func(o *Options) { o.ViewTime = 2 * time.Second }
	a, b, _ := three(t, w)
	list := w.peers()
	b.begin(view(2), list[1:])
	began := time.Now()
	a.begin(view(1), list)
	eventually(t, "a refusal", func() bool { return b.Stats().Strangers > 0 })
	if d := time.Since(began); d > 1900*time.Millisecond {
		t.Errorf("took %v", d)
	}
	a.off()
	time.Sleep(50 * time.Millisecond) // an attempt may be under way
	was := b.Stats().Strangers
	began = time.Now()
	a.begin(view(3), list)
	eventually(t, "a refusal", func() bool { return b.Stats().Strangers > was })
	if d := time.Since(began); d < 1900*time.Millisecond {
		t.Errorf("took only %v", d)
	}
	b.begin(view(3), list)
	a.awaitUp(b)
}

// TestLater: views are ordered by ring, then by epoch.
func TestLater(t *testing.T) {
	ring := func(rep, seq, epoch uint64) offload.View {
		return offload.View{Ring: totem.RingID{Rep: totem.NodeID(rep), Seq: seq}, Epoch: epoch}
	}
	list := []offload.View{{}, ring(1, 8, 1), ring(1, 8, 2), ring(3, 12, 1), ring(1, 16, 1)}
	for i, a := range list {
		for j, b := range list {
			if later(a, b) != (i > j) {
				t.Errorf("later(%v, %v) = %v", a, b, i <= j)
			}
		}
	}
}

// TestReconnect: connections that are cut again and again, in the middle of
// messages, come back with the receiver's hold, and everything arrives once.
func TestReconnect(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(member(1, 100)), w.add(member(2, 101))
	p := newProxy(t, b)
	list := w.peers()
	list[1].Endpoint.Addresses = []netip.AddrPort{p.address()}
	b.credit = 3 << 20
	b.begin(view(1), list)
	a.begin(view(1), list)

	p.cutAfter(2_300_000)
	const count, size = 100, 200_000
	a.pump(b, count, size)
	want := make([]int, count)
	for i := range want {
		want[i] = size
	}
	b.expect(a, want...)
	if n := len(b.sender(a.id).seqs); n != count {
		t.Errorf("%d messages arrived, want %d", n, count)
	}
	a.mu.Lock()
	events := slices.Clone(a.events)
	a.mu.Unlock()
	ups, downs := 0, 0
	for i, e := range events {
		if e.kind == "up" {
			ups++
		} else {
			downs++
		}
		if ups-downs != (i+1)%2 {
			t.Fatalf("event %d is %v after %d ups and %d downs", i, e, ups, downs)
		}
	}
	if downs < 2 {
		t.Errorf("only %d cuts", downs)
	}
}

// TestDown: what is transmitted after Down, or to who is not up, is in vain and
// not kept.
func TestDown(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	c.credit = 0
	w.begin(view(1))
	a.awaitUp(b)
	b.Close()
	a.await("down", func() bool { return !a.receiver(b.id).up })
	m := Get(100)
	a.Transmit(view(1), 1, m, []offload.Member{b.id, c.id, member(9, 9)})
	a.Transmit(view(1), 1, m, nil)
	if n := m.refs.Load(); n != 1 {
		t.Errorf("%d owners", n)
	}
}

// TestMany: a group of many processes, most of them on one node, meet at once.
func TestMany(t *testing.T) {
	w := newWorld(t)
	w.setup = anyPID
	for i := range uint32(16) {
		w.add(member(1+i/12*i, 100+i))
	}
	w.begin(view(1))
	for _, n := range w.nodes {
		n.awaitUp(without(w.nodes, n)...)
	}
	for _, n := range w.nodes {
		if s := n.Stats(); s.Crowded > 0 {
			t.Errorf("%v: %+v", n.id, s)
		}
	}
}

// pump transmits as the core does: what credit allows, and after each Up
// again from what is held.
func (n *node) pump(to *node, count, size int) {
	n.t.Helper()
	next, events := uint64(1), 0
	n.await("all held", func() bool {
		h := n.receiver(to.id)
		if len(n.events) != events {
			events = len(n.events)
			next = h.seq + 1
		}
		next = max(next, h.seq+1)
		for h.up && next <= uint64(count) && next*uint64(size) <= h.credit {
			b := Get(size)
			fill(b.Bytes(), next)
			n.Transmit(n.view, next, b, []offload.Member{to.id})
			b.Release()
			next++
		}
		return h.seq == uint64(count)
	})
}

// TestAddresses: those that don't answer are passed over, one that is another
// process's too.
func TestAddresses(t *testing.T) {
	w := newWorld(t)
	w.options = func(o *Options) {
		o.Listen = []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	}
	a, b, c := three(t, w)
	if n := len(a.Endpoint().Addresses); n != 2 {
		t.Fatalf("listens at %v", a.Endpoint().Addresses)
	}
	list := w.peers()
	list[1].Endpoint.Addresses = []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:1"),
		c.Endpoint().Addresses[0],
		b.Endpoint().Addresses[1],
	}
	for _, n := range w.nodes {
		n.begin(view(1), list)
	}
	a.awaitUp(b, c)
	a.send(1, 100, b)
	b.expect(a, 100)
	if s := c.Stats(); s.Refused == 0 {
		t.Errorf("%+v, want a refusal", s)
	}
}

// TestSlowReceiver: one that does not take anything does not hold up the other,
// and the buffers are free when the view ends.
func TestSlowReceiver(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	gate := make(chan struct{})
	c.onData = func(offload.Member, uint64, *Buffer) { <-gate }
	for _, n := range w.nodes {
		n.credit = 64 << 20
	}
	w.begin(view(1))
	a.awaitUp(b, c)
	var kept []*Buffer
	want := make([]int, 60)
	for i := range want {
		want[i] = 1 << 20
		m := Get(want[i])
		fill(m.Bytes(), uint64(i+1))
		a.Transmit(view(1), uint64(i+1), m, []offload.Member{b.id, c.id})
		kept = append(kept, m)
	}
	b.expect(a, want...)
	if n := kept[len(kept)-1].refs.Load(); n != 2 {
		t.Errorf("the last message has %d owners, want the queue for the slow one", n)
	}
	a.off()
	close(gate)
	eventually(t, "free buffers", func() bool {
		return !slices.ContainsFunc(kept, func(m *Buffer) bool { return m.refs.Load() != 1 })
	})
}

// TestProgress: a message that takes long is told of while it comes.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(member(1, 100)), w.add(member(2, 101))
	p := newProxy(t, b)
	list := w.peers()
	list[1].Endpoint.Addresses = []netip.AddrPort{p.address()}
	b.credit = 8 << 20
	b.begin(view(1), list)
	a.begin(view(1), list)
	a.awaitUp(b)
	p.slow(5 * time.Millisecond)
	a.send(1, 4<<20, b)
	b.expect(a, 4<<20)
	a.mu.Lock()
	n := a.receiver(b.id).progress
	a.mu.Unlock()
	if n < 3 || n > 30 {
		t.Errorf("%d signs of progress", n)
	}
}

// TestRenew: a certificate anew changes nothing, also with the root's made
// anew; one of another root has all connections made again.
func TestRenew(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	w.begin(view(1))
	a.awaitUp(b, c)
	w.issuer.renew(t)
	for _, n := range w.nodes {
		w.identify(n)
	}
	a.send(1, 100, b, c)
	b.expect(a, 100)
	for _, n := range w.nodes {
		n.awaitUp(without(w.nodes, n)...)
	}
	for _, n := range w.nodes {
		n.quiet(t, Stats{Met: 4})
	}

	w.issuer = newIssuer(t, true)
	w.identify(a)
	a.await("down", func() bool { return !a.receiver(b.id).up && !a.receiver(c.id).up })
	time.Sleep(50 * time.Millisecond)
	if a.receiver(b.id).up {
		t.Error("up with another root")
	}
	w.identify(b)
	w.identify(c)
	for _, n := range w.nodes {
		n.awaitUp(without(w.nodes, n)...)
	}
	a.send(2, 200, b, c)
	b.expect(a, 100, 200)
}

func without(list []*node, n *node) []*node {
	return slices.DeleteFunc(slices.Clone(list), func(o *node) bool { return o == n })
}

// TestNewKey: a process that comes with another key is another one.
func TestNewKey(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(member(1, 100)), w.add(member(2, 101))
	w.begin(view(1))
	a.awaitUp(b)
	again := w.add(member(2, 101))
	list := []abi.OffloadPeer{{Member: a.id, Endpoint: a.Endpoint()}, {Member: again.id, Endpoint: again.Endpoint()}}
	a.begin(view(2), list)
	again.begin(view(2), list)
	a.awaitUp(again)
	a.send(1, 100, again)
	again.expect(a, 100)
	b.await("its end", func() bool { return !b.receiver(a.id).up })
}

// TestListen: a node's addresses change; its member is found at the new ones, and
// nothing of it is left at the old ones.
func TestListen(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	w.begin(view(1))
	a.awaitUp(b, c)
	b.awaitUp(a, c)
	before := b.Endpoint()
	second := netip.MustParseAddr("127.0.0.2")
	must(t, b.Listen([]netip.Addr{second}))
	if e := b.Endpoint(); len(e.Addresses) != 1 || e.Addresses[0].Addr() != second || e.Socket != before.Socket || e.Key != before.Key {
		t.Fatalf("listens at %v", e)
	}
	if conn, err := net.Dial("tcp", before.Addresses[0].String()); err == nil {
		conn.Close()
		t.Error("still listens at the old address")
	}
	a.await("the end", func() bool { return !a.receiver(b.id).up })

	w.begin(view(2))
	for _, n := range w.nodes {
		n.awaitUp(without(w.nodes, n)...)
	}
	a.send(1, 1000, b, c)
	b.expect(a, 1000)
	if at, want := remote(a, b), b.Endpoint().Addresses[0]; at != want {
		t.Errorf("a sends to %v, want %v", at, want)
	}

	// A second address more: what there is stays.
	first := b.Endpoint().Addresses[0]
	met := b.Stats().Met
	must(t, b.Listen([]netip.Addr{loopback[0], second}))
	if e := b.Endpoint(); len(e.Addresses) != 2 || e.Addresses[0].Addr() != loopback[0] || e.Addresses[1] != first {
		t.Errorf("listens at %v", e.Addresses)
	}
	w.begin(view(3))
	a.awaitUp(b, c)
	if now := b.Stats().Met; now != met {
		t.Errorf("%d connections more", now-met)
	}
	if b.Listen([]netip.Addr{netip.MustParseAddr("192.0.2.77")}) == nil || len(b.Endpoint().Addresses) != 0 {
		t.Errorf("listens at an address that is not there: %v", b.Endpoint().Addresses)
	}
	b.Close()
	if err := b.Listen(loopback); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listens after the end: %v", err)
	}
}

// remote is where a's messages for b go.
func remote(a, b *node) netip.AddrPort {
	a.Mesh.mu.Lock()
	defer a.Mesh.mu.Unlock()
	return a.Mesh.peers[b.id].out.layer.conn.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// TestRedial: connections with who was not heard are made anew, others stay.
func TestRedial(t *testing.T) {
	w := newWorld(t)
	a, b, c := three(t, w)
	w.begin(view(1))
	met := func() uint64 { return a.Stats().Met + b.Stats().Met + c.Stats().Met }
	for i, who := range []struct {
		by, of *node
		ends   uint64 // of connections that were made anew
	}{{a, c, 4}, {a, a, 8}} {
		for _, n := range w.nodes {
			n.awaitUp(without(w.nodes, n)...)
		}
		eventually(t, "all ends", func() bool { return met() == 12+4*uint64(i) }) // two of six connections
		before := met()
		who.by.Redial(who.of.id)
		eventually(t, "new connections", func() bool { return met() == before+who.ends })
	}
	for _, n := range w.nodes {
		n.awaitUp(without(w.nodes, n)...)
	}
	a.send(1, 1000, b, c)
	b.expect(a, 1000)
	c.expect(a, 1000)
}
