package offload

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A node is one service with a cpg that is only a table, in a ring that is only
// an order.
type node struct {
	*Service
	id      totem.NodeID
	ring    *ring
	conns   []*conn
	full    bool
	syncing bool
	timers  []func()
	queued  [][]byte
	members map[exec.GroupName][]offload.Member
}

type ring struct {
	nodes []*node
	order []sent
	seq   uint64

	members []totem.NodeID // nil: nobody is asked
	resting []totem.NodeID // for whom the token may rest early, as they were told
}

type sent struct {
	from totem.NodeID
	msg  []byte
}

// A conn is one process of one group.
type conn struct {
	node   *node
	pid    uint32
	group  exec.GroupName
	joined bool
	answer []byte
	events [][]byte
}

func (c *conn) Respond(msg []byte) { c.answer = slices.Clone(msg) }
func (c *conn) Event(head, body []byte) {
	c.events = append(c.events, append(slices.Clone(head), body...))
}
func (c *conn) PID() uint32    { return c.pid }
func (c *conn) UID() uint32    { return 0 }
func (c *conn) GID() uint32    { return 0 }
func (c *conn) Serial() uint64 { return uint64(c.pid) }

func newRing(n int) *ring {
	r := &ring{}
	for id := range totem.NodeID(n) {
		n := &node{id: id + 1, ring: r, members: map[exec.GroupName][]offload.Member{}}
		n.Service = New(n, n, true)
		r.nodes = append(r.nodes, n)
		r.members = append(r.members, n.id)
	}
	r.form()
	return r
}

func (r *ring) form() {
	r.seq++
	r.resting = nil
	for _, n := range r.nodes {
		n.NewRing(totem.RingID{Rep: 1, Seq: r.seq})
	}
	r.run()
}

// run delivers all that was sent.
func (r *ring) run() {
	for {
		for _, n := range r.nodes {
			n.Flush()
		}
		if len(r.order) == 0 {
			return
		}
		m := r.order[0]
		r.order = r.order[1:]
		for _, n := range r.nodes {
			n.Deliver(m.from, m.msg)
		}
	}
}

func (n *node) Self() totem.NodeID { return n.id }
func (n *node) After(_ time.Duration, f func()) func() {
	n.timers = append(n.timers, f)
	return func() {}
}
func (n *node) MulticastOffload(msg []byte) error {
	if n.full {
		return service.ErrQueueFull
	}
	n.ring.order = append(n.ring.order, sent{n.id, slices.Clone(msg)})
	return nil
}
func (n *node) RingMembers() []totem.NodeID { return n.ring.members }
func (n *node) RestEarly(totem.RingID)      { n.ring.resting = append(n.ring.resting, n.id) }
func (n *node) SyncInProgress() bool        { return n.syncing }
func (n *node) Addresses() []netip.Addr     { return []netip.Addr{netip.MustParseAddr("192.0.2.1")} }
func (n *node) Certificate(key []byte, group exec.GroupName, pid uint32) (cert, root []byte, err error) {
	return fmt.Appendf(nil, "%d/%d/%v/%x", n.id, pid, group, key[0]), []byte("root"), nil
}

func (n *node) Joined(c service.Conn) (exec.GroupName, uint32, bool) {
	k := c.(*conn)
	return k.group, k.pid, k.joined
}
func (n *node) Members(g exec.GroupName) []offload.Member { return n.members[g] }
func (n *node) Groups() (names []exec.GroupName)          { return slices.Collect(maps.Keys(n.members)) }
func (n *node) AppendHearers(list []service.Conn, g exec.GroupName) []service.Conn {
	for _, c := range n.conns {
		if c.joined && c.group == g {
			list = append(list, c)
		}
	}
	return list
}

func named(s string) exec.GroupName {
	g, _ := exec.NewGroupName([]byte(s))
	return g
}

// join adds a process, which says hello if it can offload.
func (r *ring) join(id int, pid uint32, group string, can bool) *conn {
	n := r.nodes[id-1]
	c := &conn{node: n, pid: pid, group: named(group)}
	n.conns = append(n.conns, c)
	if can {
		c.ask(abi.OffloadHelloID, (&abi.OffloadHello{Version: 1}).Append(nil))
	}
	r.run()
	m := offload.Member{Node: n.id, PID: pid}
	for _, each := range r.nodes {
		each.members[c.group] = append(each.members[c.group], m)
		each.Added(c.group, m)
	}
	c.joined = true
	if can {
		c.announce(0)
	}
	r.run()
	return c
}

func (c *conn) announce(key byte) {
	m := abi.OffloadAnnounce{Endpoint: offload.Endpoint{Key: [32]byte{byte(c.pid), key}}}
	c.ask(abi.OffloadAnnounceID, m.Append(nil))
}

func (r *ring) leave(c *conn) {
	m := offload.Member{Node: c.node.id, PID: c.pid}
	c.joined = false
	c.node.Closed(c)
	for _, each := range r.nodes {
		each.members[c.group] = slices.DeleteFunc(each.members[c.group], func(o offload.Member) bool { return o == m })
		each.Removed(c.group, m)
	}
	r.run()
}

func (c *conn) ask(id int32, msg []byte) abi.Status {
	c.answer = nil
	c.node.Requests()[id].Handle(c, msg)
	if c.answer == nil {
		return 0
	}
	_, _, st, _ := abi.CutResponse(c.answer)
	return st
}

func (c *conn) submit(v offload.View, first uint64, count uint32) {
	m := abi.OffloadSubmit{View: v, First: first, Count: count}
	c.ask(abi.OffloadSubmitID, m.Append(nil))
}

// heard is what a connection was told since the last time.
func (c *conn) heard(t *testing.T) (all []string) {
	t.Helper()
	for _, e := range c.events {
		id, _, _, _ := abi.CutResponse(e)
		switch id {
		case abi.OffloadViewEvent:
			var m abi.OffloadView
			if _, err := m.Decode(e); err != nil {
				t.Fatal(err)
			}
			if m.Reason == abi.ViewOn {
				text := fmt.Sprintf("on %d.%d:", m.View.Ring.Seq, m.View.Epoch)
				for _, p := range m.Members {
					text += fmt.Sprintf(" %d.%d", p.Member.Node, p.Member.PID)
				}
				all = append(all, text)
			} else {
				all = append(all, fmt.Sprintf("off %d by %d.%d", m.Reason, m.Cause.Node, m.Cause.PID))
			}
		case abi.OffloadOrderedEvent:
			var m abi.OffloadOrdered
			if _, err := m.Decode(e); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%d.%d #%d+%d", m.From.Node, m.From.PID, m.First, m.Count))
		case abi.OffloadRenewEvent:
			all = append(all, "renew")
		}
	}
	c.events = nil
	return all
}

func (c *conn) view(t testing.TB) offload.View {
	t.Helper()
	for _, e := range c.events {
		var m abi.OffloadView
		if _, err := m.Decode(e); err == nil && m.Reason == abi.ViewOn {
			return m.View
		}
	}
	t.Fatal("no view")
	return offload.View{}
}

func (c *conn) status(t *testing.T) []abi.OffloadGroup {
	t.Helper()
	var m abi.OffloadStatus
	c.ask(abi.OffloadStatusID, abi.AppendRequest(nil, abi.OffloadStatusID, abi.RequestLen))
	if _, err := m.Decode(c.answer); err != nil {
		t.Fatal(err)
	}
	return m.Groups
}

func expect(t *testing.T, what string, c *conn, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, c.heard(t)); d != "" {
		t.Errorf("%s: %d.%d (-want +got):\n%s", what, c.node.id, c.pid, d)
	}
}

func TestViews(t *testing.T) {
	r := newRing(3)
	a := r.join(1, 10, "g", true)
	expect(t, "alone", a, "on 1.3: 1.10")
	b := r.join(2, 20, "g", true)
	for _, c := range []*conn{b, a} {
		if c == a {
			expect(t, "two", a, "off 1 by 2.20", "on 1.6: 1.10 2.20")
		} else {
			expect(t, "two", b, "on 1.6: 1.10 2.20")
		}
	}
	plain := r.join(3, 30, "g", false)
	expect(t, "a plain one", a, "off 1 by 3.30")
	expect(t, "a plain one", plain)
	other := r.join(3, 31, "h", true)
	expect(t, "another group", other, "on 1.10: 3.31")
	r.leave(plain)
	expect(t, "the plain one left", a, "on 1.11: 1.10 2.20")
	b.events = nil
	r.leave(b)
	expect(t, "a leave ends nothing", a)
	r.form()
	expect(t, "a new ring", a, "off 4 by 0.0", "on 2.2: 1.10")
	a.announce(1)
	r.run()
	expect(t, "another endpoint", a, "off 5 by 1.10", "on 2.6: 1.10")
	a.announce(1)
	r.run()
	expect(t, "the same endpoint", a)
	for _, n := range r.nodes {
		n.Renew()
	}
	expect(t, "renew", a, "renew")
}

func TestOrders(t *testing.T) {
	r := newRing(2)
	a, b := r.join(1, 10, "g", true), r.join(2, 20, "g", true)
	view := b.view(t)
	a.heard(t)
	b.heard(t)
	a.submit(view, 1, 3)
	a.submit(view, 4, 2)
	b.submit(view, 1, 1)
	r.run()
	for _, c := range []*conn{a, b} {
		expect(t, "orders", c, "1.10 #1+3", "1.10 #4+2", "2.20 #1+1")
	}
	a.submit(view, 7, 1) // a gap
	a.submit(offload.View{Ring: view.Ring, Epoch: view.Epoch - 1}, 6, 1)
	r.run()
	expect(t, "void ones", a)
	b.submit(view, 2, 1) // on its way when the view ends
	r.nodes[1].Flush()
	c := r.join(1, 11, "g", true)
	newer := c.view(t)
	expect(t, "the view ended first", a, "2.20 #2+1", "off 1 by 1.11", fmt.Sprintf("on 1.%d: 1.10 2.20 1.11", newer.Epoch))
	b.heard(t)
	b.submit(newer, 1, 1)
	b.ask(abi.OffloadSuspendID, (&abi.OffloadSuspend{View: newer, Member: offload.Member{Node: 1, PID: 10}}).Append(nil))
	b.ask(abi.OffloadSuspendID, (&abi.OffloadSuspend{View: newer, Member: offload.Member{Node: 1, PID: 10}}).Append(nil))
	r.run()
	b.submit(newer, 2, 1)
	r.run()
	expect(t, "suspended, ordered behind it", b, "off 3 by 1.10")
	a.announce(0)
	r.run()
	if st := a.status(t); st[0].Reason != abi.ViewOn || st[0].Members != 3 {
		t.Errorf("announced again: %+v", st)
	}
	if r.nodes[0].Stats() != (Stats{Ordered: 7, Void: r.nodes[0].Stats().Void}) || r.nodes[0].Stats().Void == 0 {
		t.Errorf("%+v", r.nodes[0].Stats())
	}
}

func TestQueueFull(t *testing.T) {
	r := newRing(1)
	a := r.join(1, 10, "g", true)
	view := a.view(t)
	a.heard(t)
	n := r.nodes[0]
	n.full = true
	for i := range uint64(5) {
		a.submit(view, i+1, 1)
		n.Flush()
	}
	n.full = false
	for _, f := range n.timers {
		f()
	}
	r.run()
	expect(t, "late", a, "1.10 #1+1", "1.10 #2+1", "1.10 #3+1", "1.10 #4+1", "1.10 #5+1")
}

// TestSynchronisation: what was submitted when a synchronisation begins is not
// sent in it, where it would overtake what its sender said before in the ring, or
// be in the middle of it. Announcements wait for its end.
func TestSynchronisation(t *testing.T) {
	r := newRing(1)
	a := r.join(1, 10, "g", true)
	view := a.view(t)
	a.heard(t)
	n := r.nodes[0]
	n.full = true
	a.submit(view, 1, 1)
	n.Flush() // waits for room
	a.submit(view, 2, 1)
	n.full, n.syncing = false, true
	a.announce(1)
	if len(n.ring.order) != 0 {
		t.Fatalf("%d messages sent", len(n.ring.order))
	}
	n.syncing = false
	for _, f := range n.timers {
		f()
	}
	if len(n.ring.order) != 1 {
		t.Fatalf("%d messages sent, want the announcement", len(n.ring.order))
	}
	r.run()
	expect(t, "nothing ordered", a, "off 5 by 1.10", "on 1.5: 1.10")
	r.form()
	expect(t, "a new ring", a, "off 4 by 0.0", "on 2.2: 1.10")
}

// TestSilence: a suspended process is not announced again by its daemon.
func TestSilence(t *testing.T) {
	r := newRing(2)
	a, b := r.join(1, 10, "g", true), r.join(2, 20, "g", true)
	m := abi.OffloadSuspend{View: b.view(t), Member: offload.Member{Node: 1, PID: 10}}
	a.heard(t)
	b.ask(abi.OffloadSuspendID, m.Append(nil))
	r.run()
	expect(t, "suspended", a, "off 3 by 1.10")
	r.form()
	expect(t, "a new ring", a)
	a.announce(0)
	r.run()
	expect(t, "it lives", a, "on 2.3: 1.10 2.20")
}

// TestJoinAgain: a connection's endpoint is the membership's for which it was
// announced.
func TestJoinAgain(t *testing.T) {
	r := newRing(1)
	a := r.join(1, 10, "g", true)
	r.leave(a)
	n := r.nodes[0]
	n.clients[a] = &client{endpoint: &offload.Endpoint{}}
	n.Removed(a.group, offload.Member{Node: 1, PID: 10})
	a.joined = true
	n.members[a.group] = []offload.Member{{Node: 1, PID: 10}}
	a.heard(t)
	r.form()
	expect(t, "joined again", a)
}

func TestRefused(t *testing.T) {
	r := newRing(1)
	r.nodes[0].allowed = false
	a := r.join(1, 10, "g", true)
	if st := a.ask(abi.OffloadAnnounceID, (&abi.OffloadAnnounce{}).Append(nil)); st != abi.NotExist {
		t.Errorf("announced without leave: %v", st)
	}
	expect(t, "not allowed", a)
	r = newRing(1)
	b, late := r.join(1, 10, "g", true), r.join(1, 11, "other", false)
	if st := late.ask(abi.OffloadHelloID, (&abi.OffloadHello{Version: 1}).Append(nil)); st != abi.NotSupported {
		t.Errorf("a first hello after the join: %v", st)
	}
	was := *r.nodes[0].clients[b]
	if st := b.ask(abi.OffloadHelloID, (&abi.OffloadHello{Version: 1}).Append(nil)); st != abi.OK || *r.nodes[0].clients[b] != was {
		t.Errorf("another hello: %v, and the endpoint %v became %v", st, was, r.nodes[0].clients[b])
	}
	var cert abi.OffloadCertAnswer
	b.ask(abi.OffloadCertID, (&abi.OffloadCert{Key: [32]byte{7}}).Append(nil))
	if _, err := cert.Decode(b.answer); err != nil || string(cert.Certificate) != "1/10/g/7" || string(cert.Root) != "root" {
		t.Errorf("certificate %q, %q, %v", cert.Certificate, cert.Root, err)
	}
}

// TestAllocations: a submission and its order cost none.
func TestAllocations(t *testing.T) {
	r := newRing(1)
	a := r.join(1, 10, "g", true)
	view := a.view(t)
	n := r.nodes[0]
	c := &quiet{conn: a}
	n.clients[c] = n.clients[a]
	n.conns = nil
	held := abi.OffloadSubmit{View: view, First: 1, Count: 1}
	handle := n.Requests()[abi.OffloadSubmitID].Handle
	var msg []byte
	if got := testing.AllocsPerRun(200, func() {
		msg = held.Append(msg[:0])
		handle(a, msg)
		offload.End(n.batch, n.count)
		n.count = 0
		n.Deliver(1, n.batch)
		held.First++
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if n.stats.Ordered < 200 {
		t.Errorf("%+v", n.stats)
	}
}

type quiet struct{ *conn }

func (quiet) Event(head, body []byte) {}

// FuzzDeliver: nothing that a peer says panics, and what it can make a node keep
// is bounded by the processes there are.
func FuzzDeliver(f *testing.F) {
	r := newRing(2)
	a := r.join(1, 10, "g", true)
	view := a.view(f)
	e := offload.Entry{Group: named("g"), PID: 10, Count: 1, Epoch: view.Epoch, First: 1}
	b := e.Append(offload.Begin(nil, view.Ring))
	offload.End(b, 1)
	f.Add(b)
	f.Add((&offload.Announce{Group: named("g"), PID: 10}).Append(nil))
	f.Add((&offload.Suspend{Group: named("g"), View: view, Member: offload.Member{Node: 1, PID: 10}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := r.nodes[1]
		n.Deliver(1, b)
		n.Deliver(2, b)
		if len(n.groups) > 1 || len(n.groups) == 1 && len(n.groups[named("g")].all) > 1 {
			t.Fatalf("%d groups", len(n.groups))
		}
	})
}

func (c *conn) String() string { return fmt.Sprintf("%d.%d", c.node.id, c.pid) }
