package offloadsim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"cpgol/daemon/net/nettest"
	"cpgol/wire/totem"
)

// A world is one run.
type world struct {
	rnd      *rand.Rand
	plan     plan
	now      time.Duration
	queue    events
	order    uint64
	net      *nettest.Network
	part     map[totem.NodeID]int // the partition that a node is in; nil: none
	nodes    []*node
	procs    []*process // all that there ever were
	meshes   map[uint64]*mesh
	serial   uint64
	doubtful map[totem.RingID]bool // see node.tellsRing
	storm    bool
	mesh     meshWeather // now
	failed   error       // found while running
	log      func(format string, args ...any)
	steps    int
	counted  counts
	sum      uint64 // of all that applications were told: equal runs have equal sums
}

// counts say whether a run meant anything.
type counts map[string]int

func (c counts) add(o counts) {
	for what, n := range o {
		c[what] += n
	}
}

// newWorld makes the world of a seed. Its nodes keep their ring numbers in dir.
func newWorld(seed uint64, dir string, log func(string, ...any)) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 0x6f66666c6f6164)), log: log, meshes: make(map[uint64]*mesh), counted: make(counts), doubtful: make(map[totem.RingID]bool)}
	w.plan = makePlan(w.rnd)
	w.net = nettest.New(w.rnd.Uint64())
	ids := w.rnd.Perm(100)
	for i := range w.plan.nodes {
		w.nodes = append(w.nodes, &node{w: w, id: totem.NodeID(ids[i] + 1), dir: dir, stock: i < w.plan.stock})
	}
	return w
}

func (w *world) tracef(format string, args ...any) {
	if w.log != nil {
		w.log("%12v  %s", w.now.Round(time.Microsecond), fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	if w.failed == nil {
		w.failed = fmt.Errorf(format, args...)
		w.tracef("FAILED: %v", w.failed)
	}
}

// An event is something that happens at a time; ties go by age.
type event struct {
	at    time.Duration
	order uint64
	act   func()
}

type events []event

func (q events) Len() int      { return len(q) }
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q *events) Push(x any) { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	return e
}

// at lets f happen at a time, after lets it happen once d has passed.
func (w *world) at(t time.Duration, f func()) {
	w.order++
	heap.Push(&w.queue, event{max(t, w.now), w.order, f})
}

func (w *world) after(d time.Duration, f func()) { w.at(w.now+d, f) }

// upTo draws a time of at most d.
func (w *world) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.rnd.Int64N(int64(d)))
}

// pause draws a time around a mean.
func (w *world) pause(mean time.Duration) time.Duration {
	return time.Duration(w.rnd.ExpFloat64() * float64(mean))
}

// maxSteps is far more than any world takes in which nobody goes round in circles.
const maxSteps = 5_000_000

// step lets the next thing happen.
func (w *world) step() {
	if w.steps++; w.steps > maxSteps {
		w.fail("%d steps and no end", w.steps)
	}
	due, who := never, (*node)(nil)
	for _, n := range w.nodes {
		if d := n.deadline(); d < due {
			due, who = d, n
		}
	}
	if len(w.queue) > 0 && w.queue[0].at <= due {
		e := heap.Pop(&w.queue).(event)
		w.now = max(w.now, e.at)
		e.act()
		return
	}
	if who != nil {
		w.now = max(w.now, due)
		who.step()
	}
}

const never = time.Duration(1<<63 - 1)

// until steps until done is true, at most for d, and reports whether it is.
func (w *world) until(d time.Duration, done func() bool) bool {
	end := w.now + d
	for i := 0; w.now <= end && w.failed == nil; i++ {
		if i%64 == 0 && done() {
			return true
		}
		w.step()
	}
	return w.failed == nil && done()
}

// run lets d pass.
func (w *world) run(d time.Duration) { w.until(d, func() bool { return false }) }

// hears reports whether two nodes can reach each other.
func (w *world) hears(a, b totem.NodeID) bool {
	return a == b || w.part == nil || w.part[a] == w.part[b]
}

func (w *world) setWeather(n weather) {
	w.net.MinDelay, w.net.MaxDelay, w.net.Loss, w.net.Duplicate = n.min, n.max, n.loss, n.duplicate
}

// live are the processes that run.
func (w *world) live() (all []*process) {
	for _, p := range w.procs {
		if !p.dead {
			all = append(all, p)
		}
	}
	return all
}
