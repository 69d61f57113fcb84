package node

import (
	"container/heap"
	"time"

	"cpgol/daemon/engine"
)

// timers are the one-shot timers of services, soonest first.
type timers struct {
	heap timerHeap
	seq  uint64 // keeps timers of one instant in the order set
}

type timer struct {
	at    time.Duration
	seq   uint64
	f     func() // nil once cancelled
	index int
}

func (t *timers) after(at time.Duration, f func()) (cancel func()) {
	t.seq++
	e := &timer{at: at, seq: t.seq, f: f}
	heap.Push(&t.heap, e)
	return func() {
		if e.f != nil {
			e.f = nil
			heap.Remove(&t.heap, e.index)
		}
	}
}

// run calls what is due. A function may set and cancel timers.
func (t *timers) run(now time.Duration) {
	for len(t.heap) > 0 && t.heap[0].at <= now {
		e := heap.Pop(&t.heap).(*timer)
		f := e.f
		e.f = nil
		f()
	}
}

func (t *timers) deadline() time.Duration {
	if len(t.heap) == 0 {
		return engine.Never
	}
	return t.heap[0].at
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	e := x.(*timer)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
