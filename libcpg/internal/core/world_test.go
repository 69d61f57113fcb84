package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cpgol/wire/totem"
)

// A message is a payload that says what it is.
type message struct {
	name string
	size int
}

func (m *message) Len() int { return m.size }

// A world is one group: processes with a core each, the connections between
// them, and one order, which stands for ring and daemons. Everything takes its
// time, by chance.
type world struct {
	t      *testing.T
	r      *rand.Rand
	now    time.Duration
	cfg    Config
	order  []event
	procs  []*proc
	at     map[Member]int // position in the order where it joined
	joined []Member
	can    map[Member]bool // has an endpoint in this ring
	view   View
	on     bool
	next   map[Member]uint64 // number of its next message in the view
	ring   uint64
	pid    uint32
	sent   int
}

// An event has its place in the order; each process comes to it in time.
type event struct {
	kind    string
	from    Member
	view    View
	seq     uint64
	count   uint32
	payload Payload
	members []Member
}

// A proc is a process: library, application, and its way to its daemon.
type proc struct {
	Member
	*Core
	w        *world
	out      Output
	cursor   int     // in the order
	asks     []event // on their way to the daemon
	held     map[Member][2]uint64
	conns    map[Member][]parcel // to others: on their way, nil if there is no connection
	inbox    []release           // released, not taken
	got      []string
	dead     bool
	plain    bool // can't offload
	hung     time.Duration
	sending  int // messages that its application still wants to send
	accepted int
	holding  int
}

type parcel struct {
	view    View
	seq     uint64
	payload *message
}

type release struct {
	from Member
	m    *message
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), at: map[Member]int{}, can: map[Member]bool{}, next: map[Member]uint64{},
		cfg: Config{SmallLimit: 100, LargeLimit: 5000, Window: 20_000, Credit: 20_000, Overhead: 30, Batch: 4000, BatchDelay: 2 * time.Millisecond, AckTimeout: time.Second, Backoff: time.Second, MaxBackoff: 30 * time.Second}}
	w.ring = 1
	for range 2 + w.r.IntN(3) {
		w.join(w.r.IntN(8) == 0)
	}
	return w
}

func (w *world) member(m Member) bool { return slices.Contains(w.joined, m) }

func (w *world) live() []*proc {
	return slices.DeleteFunc(slices.Clone(w.procs), func(p *proc) bool { return p.dead })
}

// join adds a process.
func (w *world) join(plain bool) {
	w.pid++
	m := Member{Node: totem.NodeID(1 + w.pid%3), PID: w.pid}
	p := &proc{Member: m, w: w, Core: New(m, w.cfg), plain: plain, held: map[Member][2]uint64{}, conns: map[Member][]parcel{}}
	w.end("joined", m)
	w.joined = append(w.joined, m)
	w.at[m] = len(w.order)
	p.cursor = len(w.order)
	w.procs = append(w.procs, p)
	if !plain {
		p.asks = append(p.asks, event{kind: "endpoint", from: m})
	}
}

// end ends the view at this place in the order.
func (w *world) end(why string, m Member) {
	w.view.Epoch++
	w.on = false
	w.order = append(w.order, event{kind: "off", from: m, seq: uint64(len(why))})
	if why == "suspended" {
		w.order[len(w.order)-1].kind = "suspended"
	}
}

// begin begins a view if everybody can.
func (w *world) begin() {
	if w.on || len(w.joined) == 0 {
		return
	}
	for _, m := range w.joined {
		if !w.can[m] {
			return
		}
	}
	w.view = View{Ring: totem.RingID{Rep: 1, Seq: w.ring}, Epoch: w.view.Epoch + 1}
	w.on = true
	clear(w.next)
	w.order = append(w.order, event{kind: "on", view: w.view, members: slices.Clone(w.joined)})
}

// ask brings a process's request to its place in the order.
func (w *world) ask(e event) {
	if !w.member(e.from) {
		return
	}
	switch e.kind {
	case "mcast":
		w.order = append(w.order, e)
	case "submit":
		if w.on && e.view == w.view && e.seq == w.next[e.from]+1 {
			w.next[e.from] += uint64(e.count)
			w.order = append(w.order, e)
		}
	case "endpoint":
		w.end("endpoint", e.from)
		w.can[e.from] = true
		w.begin()
	case "suspend":
		if m := e.members[0]; w.on && e.view == w.view && w.can[m] {
			delete(w.can, m)
			w.end("suspended", m)
		}
	}
}

// leave takes a process out, which died or whose node is lost.
func (w *world) leave(p *proc) {
	p.dead = true
	w.joined = slices.DeleteFunc(w.joined, func(m Member) bool { return m == p.Member })
	delete(w.can, p.Member)
	w.order = append(w.order, event{kind: "left", from: p.Member, members: []Member{p.Member}})
	w.begin()
}

// newRing ends every view; processes of the other nodes may be lost with it.
func (w *world) newRing() {
	w.ring++
	w.end("ring", Member{})
	clear(w.can)
	w.view.Epoch = 0
	for _, p := range w.live() {
		if !p.plain {
			p.asks = append(p.asks, event{kind: "endpoint", from: p.Member})
		}
	}
}

// step lets something happen.
func (w *world) step(faults bool) {
	w.now += time.Duration(w.r.IntN(3)) * time.Millisecond
	live := w.live()
	if len(live) == 0 {
		w.join(false)
		return
	}
	p := live[w.r.IntN(len(live))]
	if faults {
		switch n := w.r.IntN(3000); {
		case n < 6 && len(live) > 1:
			w.leave(p)
			return
		case n < 12 && len(w.procs) < 12:
			w.join(w.r.IntN(8) == 0)
			return
		case n < 16:
			p.hung = w.now + time.Duration(w.r.IntN(4000))*time.Millisecond
		case n < 19:
			w.newRing()
			return
		case n < 40:
			for _, m := range w.joined {
				p.disconnect(m)
			}
		}
	}
	if p.hung <= w.now {
		p.act()
	}
	for _, p := range live {
		if p.hung <= w.now && p.Deadline() <= w.now {
			p.Tick(w.now, &p.out)
			p.perform()
		}
	}
	if p.hung <= w.now || w.r.IntN(4) == 0 { // what a process asked goes on without it
		if len(p.asks) > 0 {
			e := p.asks[0]
			p.asks = p.asks[1:]
			w.ask(e)
		}
	}
}

// act lets a process do one of the things that it can do.
func (p *proc) act() {
	w := p.w
	switch w.r.IntN(6) {
	case 0:
		if p.sending > 0 {
			p.send()
		}
	case 1:
		p.take()
	case 2, 3:
		p.next()
	case 4:
		p.receive()
	case 5:
		p.talk()
	}
	if ring := p.Ring(); ring != nil && w.r.IntN(2) == 0 {
		p.asks = append(p.asks, event{kind: "mcast", from: p.Member, payload: ring})
		p.RingSent(w.now, &p.out)
		p.perform()
	}
}

func (p *proc) send() {
	w := p.w
	size := []int{10, 100, 101, 500, 3000, 5000, 5001, 9000}[w.r.IntN(8)]
	w.sent++
	m := &message{fmt.Sprintf("%d.%d", p.PID, w.sent), size}
	if err := p.Send(w.now, m, &p.out); err == nil {
		p.sending--
		p.accepted++
	}
	p.perform()
}

// take is the application taking a message.
func (p *proc) take() {
	if len(p.inbox) == 0 {
		return
	}
	r := p.inbox[0]
	p.inbox = p.inbox[1:]
	p.got = append(p.got, r.m.name)
	if r.from != p.Member {
		p.holding -= r.m.size
	}
	p.Consumed(r.from, r.m.size, &p.out)
	p.perform()
}

// next is the process's next event of the order.
func (p *proc) next() {
	if p.cursor == len(p.w.order) {
		return
	}
	e := p.w.order[p.cursor]
	p.cursor++
	now, out := p.w.now, &p.out
	switch e.kind {
	case "mcast":
		p.inbox = append(p.inbox, release{p.Member, e.payload.(*message)})
	case "submit":
		p.Ordered(now, e.view, e.from, e.seq, e.count, out)
	case "on":
		clear(p.held)
		clear(p.conns)
		p.ViewOn(now, e.view, e.members, out)
	case "off", "suspended":
		p.ViewOff(now, e.kind == "suspended" && e.from == p.Member, out)
	case "left":
		p.Left(now, e.members, out)
	}
	p.perform()
}

func (w *world) proc(m Member) *proc {
	for _, p := range w.procs {
		if p.Member == m {
			return p
		}
	}
	return nil
}

// receive takes the next parcel of a connection to this process.
func (p *proc) receive() {
	for _, m := range p.w.joined {
		from := p.w.proc(m)
		if q := from.conns[p.Member]; len(q) > 0 && q[0].view == p.View() && p.w.r.IntN(2) == 0 {
			from.conns[p.Member] = q[1:]
			p.holding += q[0].payload.size
			p.Arrived(m, q[0].view, q[0].seq, q[0].payload, &p.out)
			p.perform()
			return
		}
	}
}

// talk lets this process hear what another holds, or connect to it.
func (p *proc) talk() {
	view := p.View()
	for _, i := range p.w.r.Perm(len(p.w.joined)) {
		m := p.w.joined[i]
		other := p.w.proc(m)
		if m == p.Member || view != other.View() || view == (View{}) {
			continue
		}
		h := other.held[p.Member]
		if _, ok := p.conns[m]; !ok && p.peer(m) != nil {
			p.conns[m] = []parcel{}
			p.Held(p.w.now, m, view, h[0], h[1], &p.out)
			p.PeerUp(p.w.now, m, view, &p.out)
		} else {
			p.Held(p.w.now, m, view, h[0], h[1], &p.out)
		}
		p.perform()
		return
	}
}

// disconnect loses what is on its way.
func (p *proc) disconnect(m Member) {
	if _, ok := p.conns[m]; ok {
		delete(p.conns, m)
		p.PeerDown(m)
	}
}

// perform does what the core wants.
func (p *proc) perform() {
	w := p.w
	for _, e := range p.out.Effects {
		switch e.Kind {
		case Transmit:
			for _, to := range e.To {
				q, ok := p.conns[to]
				if !ok {
					w.t.Fatalf("%v transmits to %v without a connection", p.Member, to)
				}
				p.conns[to] = append(q, parcel{e.View, e.Seq, e.Payload.(*message)})
			}
		case Hold:
			p.held[e.Peer] = [2]uint64{e.Seq, e.Credit}
		case Submit:
			p.asks = append(p.asks, event{kind: "submit", from: p.Member, view: e.View, seq: e.Seq, count: e.Count})
		case Release:
			p.inbox = append(p.inbox, release{e.From, e.Payload.(*message)})
		case Drop:
			p.holding -= e.Payload.Len()
		case Suspend:
			p.asks = append(p.asks, event{kind: "suspend", from: p.Member, view: e.View, members: []Member{e.Peer}})
		case Announce:
			p.asks = append(p.asks, event{kind: "endpoint", from: p.Member})
		case Broken:
			w.t.Fatalf("%v: %v had something ordered that is not here", p.Member, e.Peer)
		}
	}
	p.out.Reset()
	if most := w.cfg.Credit + (len(w.procs)+1)*(w.cfg.LargeLimit+w.cfg.Overhead); p.holding > most {
		w.t.Fatalf("%v keeps %d bytes of others', at most %d", p.Member, p.holding, most)
	}
}

// TestWorld plays many groups: all processes must have had the same messages in
// the same order, each sender's in its own, and in the end all that was sent.
func TestWorld(t *testing.T) {
	offloaded := 0
	for seed := range uint64(300) {
		offloaded += play(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d messages were offloaded", offloaded)
	if offloaded < 1000 {
		t.Error("too few to mean anything")
	}
}

func play(t *testing.T, seed uint64) (offloaded int) {
	w := newWorld(t, seed)
	for range 6000 {
		for _, p := range w.live() {
			if w.r.IntN(40) == 0 {
				p.sending++
			}
		}
		w.step(true)
	}
	for i := 0; !w.quiet(); i++ { // no more faults, no more messages
		if i > 400_000 {
			for _, p := range w.live() {
				t.Errorf("%v: queue %d, view %v, to send %d, inbox %d, at %d of %d", p.Member, p.queue.len(), p.View(), p.sending, len(p.inbox), p.cursor, len(w.order))
			}
			t.Fatalf("seed %d: not quiet", seed)
		}
		w.step(false)
	}
	w.compare()
	for _, e := range w.order {
		if e.kind == "submit" {
			offloaded += int(e.count)
		}
	}
	return offloaded
}

func (w *world) quiet() bool {
	for _, p := range w.live() {
		if p.sending > 0 || p.queue.len() > 0 || len(p.inbox) > 0 || len(p.asks) > 0 || p.cursor < len(w.order) {
			return false
		}
	}
	return true
}

// compare holds the histories of all processes that live against each other.
func (w *world) compare() {
	live := w.live()
	slices.SortFunc(live, func(a, b *proc) int { return w.at[a.Member] - w.at[b.Member] })
	oldest := live[0]
	for _, p := range live[1:] {
		if n := len(oldest.got) - len(p.got); n < 0 || !slices.Equal(oldest.got[n:], p.got) {
			w.t.Errorf("%v and %v differ:\n%v\n%v", oldest.Member, p.Member, oldest.got, p.got)
		}
	}
	for _, p := range live {
		last := map[uint32]int{}
		for _, name := range p.got {
			pid, n := parse(name)
			if n <= last[pid] {
				w.t.Errorf("%v had %s after %d.%d", p.Member, name, pid, last[pid])
			}
			last[pid] = n
		}
		if own := countOf(p.got, p.PID); own != p.accepted {
			w.t.Errorf("%v sent %d messages and had %d of them", p.Member, p.accepted, own)
		}
	}
}

// parse reads a message's name: its sender and its number.
func parse(name string) (pid uint32, n int) {
	fmt.Sscanf(name, "%d.%d", &pid, &n)
	return pid, n
}

func countOf(names []string, pid uint32) (n int) {
	for _, name := range names {
		if of, _ := parse(name); of == pid {
			n++
		}
	}
	return n
}
