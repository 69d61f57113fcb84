package hostile

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// A world is one run: three nodes, the wire between them, and the time.
type world struct {
	t       testing.TB
	rnd     *rand.Rand
	now     time.Duration
	flights flights
	serial  uint64
	nodes   []*node
	steps   int
	sum     uint64 // of everything that was on the wire: equal runs have equal sums
	corpus  corpus // fed from the wire until the attack begins
	record  bool
	sniff   func(packet []byte) // sees totem packets as they arrive
	log     *lineCounter
	clients uint64 // so far
}

// delay is how long a datagram takes; work, how long a node is busy with a step.
const (
	delay = 100 * time.Microsecond
	work  = 20 * time.Microsecond
)

// A flight is a datagram on its way.
type flight struct {
	at       time.Duration
	serial   uint64
	from, to netip.AddrPort
	bytes    []byte
}

type flights []flight

func (f flights) Len() int      { return len(f) }
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f flights) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].serial < f[j].serial
}
func (f *flights) Push(x any) { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	last := len(*f) - 1
	x := (*f)[last]
	(*f)[last] = flight{}
	*f = (*f)[:last]
	return x
}

func newWorld(t testing.TB, seed uint64, o options) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 0x686f7374)), record: true, log: newLineCounter()}
	for id := uint32(1); id <= 3; id++ {
		n := &node{w: w, id: id, options: o, dir: t.TempDir()}
		w.nodes = append(w.nodes, n)
		n.start()
	}
	return w
}

func addrOf(id uint32) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(id)}), 5405)
}

// post puts a copy of a datagram on the wire.
func (w *world) post(from, to netip.AddrPort, datagram []byte) {
	w.serial++
	heap.Push(&w.flights, flight{w.now + delay, w.serial, from, to, append([]byte(nil), datagram...)})
	if w.record {
		w.corpus.addDatagram(datagram)
	}
	for _, b := range datagram {
		w.sum = w.sum*31 + uint64(b) + 1
	}
}

// step lets the next thing happen: a datagram arrives, or a node does what is due.
func (w *world) step() {
	w.steps++
	at, who := time.Duration(1<<62), (*node)(nil)
	for _, n := range w.nodes {
		if d := n.deadline(); d < at {
			at, who = d, n
		}
	}
	if len(w.flights) > 0 && w.flights[0].at <= at {
		f := heap.Pop(&w.flights).(flight)
		w.now = max(w.now, f.at)
		for _, n := range w.nodes {
			if addrOf(n.id) == f.to {
				n.arrive(f.from, f.bytes)
			}
		}
		return
	}
	if who != nil {
		w.now = max(w.now, at)
		who.step()
	}
}

// run lets d pass.
func (w *world) run(d time.Duration) { w.until(d, func() bool { return false }) }

// until steps until done is true, at most for d, and reports whether it is.
func (w *world) until(d time.Duration, done func() bool) bool {
	end := w.now + d
	for i := 0; w.now <= end; i++ {
		if i%8 == 0 && done() {
			return true
		}
		w.step()
	}
	return done()
}

func (w *world) describe() (s string) {
	for _, n := range w.nodes {
		s += "\n\t" + n.describe()
	}
	return fmt.Sprintf("at %v, %d steps:%s", w.now.Round(time.Microsecond), w.steps, s)
}
