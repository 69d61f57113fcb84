package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// A world is one run: nodes, the network between them, and what they were told.
type world struct {
	rnd    *rand.Rand
	plan   plan
	now    time.Duration
	queue  eventQueue
	order  uint64
	nodes  []*node // by number; their IDs are not in step with it
	cut    [][]bool
	storm  bool
	lives  []*life // of all nodes, the dead ones' too
	failed error   // found while running
	log    func(format string, args ...any)
	steps  int
}

// An event is a packet that arrives, or something that happens at a time.
type event struct {
	at     time.Duration
	order  uint64 // ties go by age
	to     *node
	life   *life // a looped packet is for this life only
	packet []byte
	act    func()
}

func newWorld(seed uint64, log func(string, ...any)) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 0x746f74656d)), log: log}
	w.plan = makePlan(w.rnd)
	ids := w.rnd.Perm(1000)
	for i := range w.plan.nodes {
		w.nodes = append(w.nodes, &node{w: w, id: totem.NodeID(ids[i] + 1)})
		w.cut = append(w.cut, make([]bool, w.plan.nodes))
	}
	for i, n := range w.nodes {
		n.index = i
	}
	return w
}

func (w *world) tracef(format string, args ...any) {
	if w.log != nil {
		w.log("%10v  %s", w.now.Round(time.Microsecond), fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	if w.failed == nil {
		w.failed = fmt.Errorf(format, args...)
		w.tracef("FAILED: %v", w.failed)
	}
}

func (w *world) push(e event) {
	w.order++
	e.order = w.order
	w.queue.push(e)
}

// after lets f happen once d has passed.
func (w *world) after(d time.Duration, f func()) { w.push(event{at: w.now + d, act: f}) }

// maxSteps is far more than any world takes in which nobody goes round in
// circles.
const maxSteps = 3_000_000

// step lets the next thing happen.
func (w *world) step() {
	if w.steps++; w.steps > maxSteps {
		w.fail("%d steps and no end", w.steps)
	}
	due := engine.Never
	var who *node
	for _, n := range w.nodes {
		if n.life != nil && !n.paused {
			if d := n.life.engine.Deadline(); d < due {
				due, who = d, n
			}
		}
	}
	if len(w.queue) > 0 && w.queue[0].at <= due {
		e := w.queue.pop()
		w.now = max(w.now, e.at)
		switch {
		case e.act != nil:
			e.act()
		case e.life == nil || e.life == e.to.life:
			e.to.arrive(e.packet)
		}
		return
	}
	if who != nil {
		w.now = max(w.now, due)
		who.tick()
	}
}

// until steps until done, at most for d. It reports whether done came true.
func (w *world) until(d time.Duration, done func() bool) bool {
	end := w.now + d
	for i := 0; w.now <= end && w.failed == nil; i++ {
		if i%16 == 0 && done() {
			return true
		}
		w.step()
	}
	return done()
}

func (w *world) run(d time.Duration) { w.until(d, func() bool { return false }) }

// weather is the network's at present.
func (w *world) weather() *weather {
	if w.storm {
		return &w.plan.net
	}
	return &calm
}

// send carries a packet from one node to another, or loses it.
func (w *world) send(from, to *node, packet []byte) {
	if w.cut[from.index][to.index] {
		return
	}
	h := w.weather()
	if w.rnd.Float64() < h.loss {
		return
	}
	w.carry(h, to, packet)
	if h.duplicate > 0 && w.rnd.Float64() < h.duplicate {
		w.carry(h, to, packet)
	}
}

func (w *world) carry(h *weather, to *node, packet []byte) {
	d := h.base
	if h.jitter > 0 {
		d += time.Duration(w.rnd.Int64N(int64(h.jitter)))
	}
	if h.late > 0 && w.rnd.Float64() < h.late {
		d += time.Duration(w.rnd.Int64N(int64(6 * time.Second)))
	}
	w.push(event{at: w.now + d, to: to, packet: packet})
}

// multicast carries one copy of a packet to each of the others.
func (w *world) multicast(from *node, packet []byte) {
	p := bytes.Clone(packet)
	for _, n := range w.nodes {
		if n != from {
			w.send(from, n, p)
		}
	}
}

func (w *world) unicast(from *node, to totem.NodeID, packet []byte) {
	for _, n := range w.nodes {
		if n.id == to {
			w.send(from, n, bytes.Clone(packet))
		}
	}
}

// eventQueue is a heap by time and age.
type eventQueue []event

func (q eventQueue) less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}

func (q *eventQueue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *eventQueue) pop() event {
	h := *q
	top := h[0]
	n := len(h) - 1
	h[0] = h[n]
	h[n] = event{}
	h = h[:n]
	*q = h
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h.less(c, least) {
				least = c
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
