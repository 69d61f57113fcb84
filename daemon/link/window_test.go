package link

import "testing"

// The tests are knet.md A.3, which was measured with libknet's own functions.

// accept looks seq up as a delivered message would be.
func (w *window) accept(seq uint16) bool {
	if !w.fresh(&w.seen, seq) {
		return false
	}
	w.seen.set(seq)
	return true
}

// after is the sequence number n messages after seq: 0 is skipped.
func after(seq uint16, n int) uint16 { return uint16((int(seq)-1+n)%65535 + 1) }

func TestWindowInOrderWithDuplicates(t *testing.T) {
	var w window
	seq := uint16(1)
	for i := range 200_000 {
		if !w.accept(seq) {
			t.Fatalf("message %d, number %d: lost", i, seq)
		}
		if w.accept(seq) {
			t.Fatalf("message %d, number %d: accepted twice", i, seq)
		}
		if i >= 10 && w.accept(after(seq, 65535-10)) {
			t.Fatalf("message %d: number ten before %d accepted again", i, seq)
		}
		seq = after(seq, 1)
	}
}

func TestWindowAdjacentSwaps(t *testing.T) {
	var w window
	for i := 1; i < 200_000; i += 2 {
		a, b := after(1, i), after(1, i-1)
		if !w.accept(a) || !w.accept(b) {
			t.Fatalf("swapped pair %d, %d: one is lost", a, b)
		}
	}
}

func TestWindowForwardGaps(t *testing.T) {
	for gap := 1; gap <= 5000; gap++ {
		w := window{}
		seq := uint16(60000)
		for range 20 {
			if !w.accept(seq) {
				t.Fatalf("gap %d: number %d lost", gap, seq)
			}
			if w.accept(seq) {
				t.Fatalf("gap %d: number %d accepted twice", gap, seq)
			}
			seq = after(seq, gap)
		}
	}
}

func TestWindowRestart(t *testing.T) {
	history := func() *window {
		w := new(window)
		for seq := range uint16(500) {
			w.accept(seq + 1)
		}
		return w
	}
	w := history()
	for seq := range uint16(100) {
		if w.accept(seq + 1) {
			t.Fatalf("number %d accepted without a wipe", seq+1)
		}
	}
	w = history()
	w.wipe(0)
	for seq := range uint16(100) {
		if !w.accept(seq + 1) {
			t.Fatalf("number %d refused after a wipe", seq+1)
		}
	}
}

func TestWindowBehind(t *testing.T) {
	for _, newest := range []uint16{5000, 65535, 30000} {
		for _, k := range []uint16{1, 2, 100, 4094, 4095, 4096} {
			w := window{}
			w.accept(newest)
			if got, want := w.accept(newest-k), k <= 4095; got != want {
				t.Errorf("newest %d, %d behind: accepted %v, want %v", newest, k, got, want)
			}
			if w.newest != newest {
				t.Errorf("newest moved from %d to %d", newest, w.newest)
			}
		}
	}
	w := window{}
	w.accept(10000)
	if !w.accept(5000) || w.newest != 5000 {
		t.Errorf("a number 5000 behind must start a new era; newest is %d", w.newest)
	}
}

func TestWindowAheadClears(t *testing.T) {
	w := window{}
	w.accept(1)
	w.started.set(1)
	w.accept(4000)
	if !w.seen.has(1) || !w.started.has(1) {
		t.Fatal("number 1 is 3999 behind and must be remembered")
	}
	w.accept(4097)
	if !w.seen.has(4097) || w.started.has(4097) {
		t.Fatal("number 4097 takes the place of 1 in both flag sets")
	}
}

func TestWindowCost(t *testing.T) {
	var w window
	seq := uint16(1)
	if n := testing.AllocsPerRun(1000, func() { w.accept(seq); seq = after(seq, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
