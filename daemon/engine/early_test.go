package engine

import (
	"fmt"
	"testing"
	"time"

	"cpgol/wire/totem"
)

// early lets the token of a new ring of three rest early, the representative last.
func early(t *testing.T, change func(*Config)) *testRing {
	r := formRing(t, 3, change)
	for _, id := range []totem.NodeID{2, 3, 1} {
		r.nodes[id].RestEarly(r.nodes[id].Ring())
	}
	r.run(20 * time.Millisecond)
	return r
}

// cancels is how often the token was asked for.
func (r *testRing) cancels() (n uint64) {
	for _, node := range r.nodes {
		n += node.Stats().TokenHoldCancelTx
	}
	return n
}

// TestRestEarly: the token rests after two idle rotations, and is where it is needed
// as fast as one that is held.
func TestRestEarly(t *testing.T) {
	for _, sender := range []totem.NodeID{1, 2, 3} {
		r := early(t, nil)
		if n := r.tokens(561 * time.Millisecond); n > 3 {
			t.Errorf("sender %d: %d tokens in a hold time, want a round", sender, n)
		}
		before, begin := r.cancels(), r.now
		r.send(sender, "work")
		r.send(sender, "more work")
		r.until(func() bool { return r.allHave(2) })
		if took := r.now - begin; took > 600*time.Microsecond {
			t.Errorf("sender %d: delivered after %v", sender, took)
		}
		if n := r.cancels() - before; n != map[totem.NodeID]uint64{1: 0, 2: 1, 3: 1}[sender] {
			t.Errorf("sender %d: asked %d times for the token", sender, n)
		}
		if n := r.tokens(100 * time.Millisecond); n > 12 {
			t.Errorf("sender %d: %d tokens afterwards", sender, n)
		}
	}
}

// TestRestEarlyAlone: a ring of one visits its token when there is work.
func TestRestEarlyAlone(t *testing.T) {
	r := formRing(t, 1, nil)
	r.nodes[1].RestEarly(r.nodes[1].Ring())
	r.run(20 * time.Millisecond)
	for i := range 3 {
		r.send(1, fmt.Sprint("message ", i))
		r.run(100 * time.Microsecond)
		if n := len(r.nodes[1].messages()); n != i+1 {
			t.Errorf("%d messages, want %d", n, i+1)
		}
		r.run(20 * time.Millisecond)
	}
}

// TestRestEarlyLoss: it is asked for again when that got lost, and it does not rest
// while a message is missing.
func TestRestEarlyLoss(t *testing.T) {
	r := early(t, nil)
	lost := 0
	r.drop = func(_ totem.NodeID, p []byte) bool {
		if p[3] == byte(totem.TypeHoldCancel) {
			lost++
		}
		return p[3] == byte(totem.TypeHoldCancel) && lost <= 4 // to two nodes each
	}
	begin := r.now
	r.send(2, "asked for three times")
	r.until(func() bool { return r.allHave(1) })
	if took := r.now - begin; took < 3*cancelPause || took > 4*cancelPause {
		t.Errorf("delivered after %v", took)
	}
	r.run(20 * time.Millisecond)

	lost = 0
	r.drop = func(_ totem.NodeID, p []byte) bool {
		if p[3] == byte(totem.TypeMcast) {
			lost++
		}
		return p[3] == byte(totem.TypeMcast) && lost <= 4
	}
	begin = r.now
	r.send(2, "lost twice")
	r.until(func() bool { return r.allHave(2) })
	if took := r.now - begin; took > 20*time.Millisecond {
		t.Errorf("repaired after %v", took)
	}
}

// TestRestEarlyEnds: the next ring begins without it.
func TestRestEarlyEnds(t *testing.T) {
	r := early(t, nil)
	r.remove(3)
	old := r.nodes[1].Ring()
	r.until(r.together)
	for _, n := range r.nodes {
		n.RestEarly(old) // said before, delivered now
	}
	r.run(time.Millisecond)
	if n := r.tokens(2 * time.Millisecond); n < 15 {
		t.Errorf("%d tokens in 2 ms of a new ring", n)
	}
}

// TestRestEarlyUntold: members that were told before the representative do no harm.
func TestRestEarlyUntold(t *testing.T) {
	r := formRing(t, 3, nil)
	r.nodes[2].RestEarly(r.nodes[2].Ring())
	r.nodes[3].RestEarly(r.nodes[3].Ring())
	for i := range 50 {
		r.send(totem.NodeID(1+i%3), fmt.Sprint("message ", i))
		r.run(time.Duration(i) * 100 * time.Microsecond)
	}
	r.until(func() bool { return r.allHave(50) })
	r.wantSameMessages()
}
