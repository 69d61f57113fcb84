package core

import "testing"

// TestAllocations: a message costs none, in the core of its sender and in that of
// its receiver.
func TestAllocations(t *testing.T) {
	r := newRig(t, Defaults)
	r.on(1, 1<<62, alice, bob)
	var large, tiny Payload = &message{"large", 64 << 10}, &message{"tiny", 64}
	v, seq, hers := r.View(), uint64(0), uint64(0)
	round := func() {
		r.Send(0, large, &r.out)
		r.Send(0, tiny, &r.out)
		r.Held(0, alice, v, seq+2, 0, &r.out)
		r.Held(0, bob, v, seq+2, 0, &r.out)
		r.Ordered(0, v, self, seq+1, 2, &r.out)
		seq += 2
		hers++
		r.Arrived(alice, v, hers, large, &r.out)
		r.Ordered(0, v, alice, hers, 1, &r.out)
		r.Consumed(alice, large.Len(), &r.out)
		r.Tick(0, &r.out)
		r.Deadline()
		r.out.Reset()
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if r.Waiting() != 0 || r.peer(alice).got != hers {
		t.Errorf("%d bytes wait, %d of %d arrived", r.Waiting(), r.peer(alice).got, hers)
	}
}

func BenchmarkMessage(b *testing.B) {
	c := New(self, Defaults)
	var out Output
	v := viewOf(1)
	c.ViewOn(0, v, []Member{self, alice, bob}, &out)
	for _, m := range []Member{alice, bob} {
		c.PeerUp(0, m, v, &out)
		c.Held(0, m, v, 0, 1<<62, &out)
	}
	var large Payload = &message{"large", 64 << 10}
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq++ {
		c.Send(0, large, &out)
		c.Held(0, alice, v, seq, 0, &out)
		c.Held(0, bob, v, seq, 0, &out)
		c.Ordered(0, v, self, seq, 1, &out)
		out.Reset()
	}
}
