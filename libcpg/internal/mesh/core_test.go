package mesh

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/libcpg/internal/core"
	"cpgol/wire/offload"
)

// A process is a library without the rest: a core and a mesh, and one lock for both.
type process struct {
	*Mesh
	t     testing.TB
	id    offload.Member
	ring  *ringOrder
	began time.Time
	queue chan func() // the daemon's events, in their order
	asks  chan func() // what it is asked, in its order

	mu   sync.Mutex
	core *core.Core
	out  core.Output
	got  []string // sender, size and sum of each message
	room *sync.Cond
}

// A ringOrder stands for the daemons and the ring: one order for all.
type ringOrder struct {
	mu        sync.Mutex
	processes []*process
	view      offload.View // zero: none
	epoch     uint64
	next      map[offload.Member]uint64
	offloaded int
	suspended int
}

// event gives all processes an event at one place of the order.
func (r *ringOrder) event(f func(p *process)) {
	for _, p := range r.processes {
		p.queue <- func() { p.do(func() { f(p) }) }
	}
}

func (r *ringOrder) begin(list []abi.OffloadPeer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	r.view = view(r.epoch)
	clear(r.next)
	v := r.view
	var members []offload.Member
	for _, p := range list {
		members = append(members, p.Member)
	}
	r.event(func(p *process) {
		p.SetView(v, list)
		p.core.ViewOn(p.now(), v, members, &p.out)
	})
}

func (r *ringOrder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view = offload.View{}
	r.event(func(p *process) {
		p.SetView(offload.View{}, nil)
		p.core.ViewOff(p.now(), false, &p.out)
	})
}

// order gives messages their places if their view is on and they are next.
func (r *ringOrder) order(from offload.Member, v offload.View, first uint64, count uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v != r.view || first != r.next[from]+1 {
		return
	}
	r.next[from] += uint64(count)
	r.offloaded += int(count)
	r.event(func(p *process) { p.core.Ordered(p.now(), v, from, first, count, &p.out) })
}

func (r *ringOrder) mcast(from offload.Member, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event(func(p *process) {
		if p.id == from {
			p.core.RingDelivered()
		}
		p.deliver(from, buffer(b))
	})
}

func buffer(b []byte) *Buffer {
	m := Get(len(b))
	copy(m.Bytes(), b)
	return m
}

func (p *process) now() time.Duration { return time.Since(p.began) }

// do lets the core come to something, and does what it wants.
func (p *process) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.core.Tick(p.now(), &p.out)
	p.perform()
	for ring := p.core.Ring(); ring != nil; ring = p.core.Ring() {
		b := slices.Clone(ring.(*Buffer).Bytes())
		p.core.RingSent(p.now(), &p.out)
		ring.(*Buffer).Release()
		p.asks <- func() { p.ring.mcast(p.id, b) }
		p.perform()
	}
}

func (p *process) perform() {
	for i := 0; i < len(p.out.Effects); i++ {
		e := p.out.Effects[i]
		switch e.Kind {
		case core.Transmit:
			p.Transmit(e.View, e.Seq, e.Payload.(*Buffer), e.To)
		case core.Hold:
			p.Hold(e.Peer, e.View, e.Seq, e.Credit)
		case core.Submit:
			p.asks <- func() { p.ring.order(p.id, e.View, e.Seq, e.Count) }
		case core.Release:
			size := e.Payload.Len()
			p.deliver(e.From, e.Payload.(*Buffer))
			p.core.Consumed(e.From, size, &p.out)
		case core.Drop:
			e.Payload.(*Buffer).Release()
		case core.Room:
			p.room.Broadcast()
		case core.Suspend:
			p.ring.mu.Lock()
			p.ring.suspended++
			p.ring.mu.Unlock()
		case core.Broken:
			p.t.Errorf("%v: %v had something ordered that is not here", p.id, e.Peer)
		}
	}
	p.out.Reset()
}

// deliver is the application taking a message.
func (p *process) deliver(from offload.Member, b *Buffer) {
	p.got = append(p.got, fmt.Sprint(from, b.Len(), sum(b.Bytes())))
	b.Release()
}

// send is the application sending one.
func (p *process) send(b *Buffer) {
	for {
		var err error
		p.do(func() { err = p.core.Send(p.now(), b, &p.out) })
		if err == nil {
			return
		}
		p.mu.Lock()
		for p.core.Waiting() >= coreConfig.Window {
			p.room.Wait()
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (p *process) Arrived(from offload.Member, v offload.View, seq uint64, b *Buffer) {
	p.do(func() { p.core.Arrived(from, v, seq, b, &p.out) })
}

func (p *process) Held(m offload.Member, v offload.View, seq, credit uint64) {
	p.do(func() { p.core.Held(p.now(), m, v, seq, credit, &p.out) })
}

func (p *process) Up(m offload.Member, v offload.View) {
	p.do(func() { p.core.PeerUp(p.now(), m, v, &p.out) })
}

func (p *process) Down(m offload.Member, v offload.View) {
	p.do(func() {
		if v == p.core.View() {
			p.core.PeerDown(m)
		}
	})
}

func (p *process) Progress(m offload.Member) {
	p.do(func() { p.core.Progress(p.now(), m) })
}

var coreConfig = core.Config{
	SmallLimit: 1000, LargeLimit: 1 << 20, Window: 4 << 20, Credit: 4 << 20,
	AckTimeout: time.Minute, Backoff: time.Second, MaxBackoff: time.Minute,
}

// TestCore: three processes send each other messages of all sizes, while connections
// are cut and views end and begin. All have the same messages in the same order.
func TestCore(t *testing.T) {
	const each = 150
	ring := &ringOrder{next: map[offload.Member]uint64{}}
	w := newWorld(t)
	w.setup = anyPID
	for i, node := range []uint32{1, 1, 2} {
		p := &process{
			t: t, id: member(node, uint32(100+i)), ring: ring, began: time.Now(),
			queue: make(chan func(), 1<<16), asks: make(chan func(), 1<<16),
		}
		p.room = sync.NewCond(&p.mu)
		p.core = core.New(p.id, coreConfig)
		w.options = func(o *Options) { o.Handler = p }
		p.Mesh = w.add(p.id).Mesh
		ring.processes = append(ring.processes, p)
	}
	list := w.peers()
	cuts := newProxy(t, w.nodes[2])
	cuts.cutAfter(3_000_000)
	list[2].Endpoint.Addresses = []netip.AddrPort{cuts.address()}

	var daemons, senders sync.WaitGroup
	for _, p := range ring.processes {
		daemons.Go(func() {
			for f := range p.queue {
				f()
			}
		})
		daemons.Go(func() {
			for f := range p.asks {
				f()
			}
		})
		senders.Go(func() {
			r := rand.New(rand.NewPCG(uint64(p.id.PID), 1))
			for range each {
				b := Get([]int{10, 900, 5000, 60_000, 200_000, 1 << 20, 1<<20 + 1}[r.IntN(7)])
				fill(b.Bytes(), r.Uint64())
				p.send(b)
			}
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for busy := true; busy; {
		ring.begin(list)
		select {
		case <-done:
			busy = false
		case <-time.After(100 * time.Millisecond):
			ring.end()
			time.Sleep(3 * time.Millisecond)
		}
	}
	for _, p := range ring.processes {
		eventually(t, "all messages", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.got) >= 3*each
		})
	}
	for _, p := range ring.processes {
		p.Close()
		close(p.asks)
		p.mu.Lock()
		if !slices.Equal(p.got, ring.processes[0].got) || len(p.got) != 3*each {
			t.Errorf("%v had %d messages, %v %d, or others", p.id, len(p.got), ring.processes[0].id, len(ring.processes[0].got))
		}
		if s := p.Stats(); s.Cut > 0 {
			t.Errorf("%v: %+v", p.id, s)
		}
		p.mu.Unlock()
	}
	ring.mu.Lock()
	for _, p := range ring.processes {
		close(p.queue)
	}
	ring.mu.Unlock()
	daemons.Wait()
	t.Logf("%d views, %d messages offloaded, %d connections cut", ring.epoch, ring.offloaded, cuts.made)
	if ring.offloaded < each/5 || ring.suspended > 0 {
		t.Errorf("%d messages offloaded, %d suspensions", ring.offloaded, ring.suspended)
	}
}
