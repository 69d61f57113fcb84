package mesh

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"cpgol/wire/offload"
)

// TestNoAllocations: a message on its way costs no memory but its Buffer, which is
// there already, neither with its sender nor with its receivers.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		node uint32
	}{{"tcp", 100, 2}, {"tcp", 10_000, 2}, {"tcp", 1 << 20, 2}, {"unix", 100, 1}, {"unix", 1 << 20, 1}} {
		w := newWorld(t)
		w.setup = anyPID
		a, b := w.add(member(1, 100)), w.add(member(c.node, 101))
		b.credit = 16 << 20
		b.onData = func(offload.Member, uint64, *Buffer) {}
		w.begin(view(1))
		a.awaitUp(b)
		b.awaitUp(a) // its handshake would count
		to := []offload.Member{b.id}
		h := a.receiver(b.id)
		seq := uint64(0)
		message := Get(c.size)
		pass := func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			seq++
			a.Transmit(a.view, seq, message, to)
			for h.seq < seq {
				a.cond.Wait()
			}
		}
		for range 200 {
			pass()
		}
		if n := testing.AllocsPerRun(500, pass); n > 0 {
			t.Errorf("%s, %d bytes: %v allocations", c.name, c.size, n)
		}
	}
}

// TestNothingLeaks: no goroutine and no descriptor outlives Close, in whatever
// state members are.
func TestNothingLeaks(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	w := newWorld(t)
	w.setup = anyPID
	for round := range 5 {
		w.nodes = nil
		for i, n := range []uint32{1, 1, 2, 3} {
			w.add(member(n, uint32(100+i))).credit = 64 << 20
		}
		list := w.peers()
		for _, n := range w.nodes[round/2:] { // some never come
			n.begin(view(1), list)
		}
		if round < 4 {
			w.nodes[3].awaitUp(w.nodes[2])
		}
		for _, n := range w.nodes {
			for seq := range uint64(20) {
				n.send(seq+1, 1<<20, without(w.nodes, n)...)
			}
		}
		for _, n := range w.nodes {
			n.Close()
			n.Close()
			n.SetView(view(2), list)
			n.Left([]offload.Member{w.nodes[0].id})
		}
	}
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors to be closed", func() bool { return descriptors(t) <= files })
}

func descriptors(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	n := 0
	for _, e := range list {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// TestCloseIsPrompt: no state makes it wait.
func TestCloseIsPrompt(t *testing.T) {
	w := newWorld(t)
	a, b, _ := three(t, w)
	w.begin(view(1))
	a.awaitUp(b)
	for _, n := range w.nodes {
		began := time.Now()
		n.Close()
		if d := time.Since(began); d > time.Second {
			t.Errorf("took %v", d)
		}
	}
}
