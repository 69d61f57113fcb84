package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cpgol/wire/totem"
)

// TestRounds: quantiles are at most an eighth more than what was counted, over the
// whole range; what is longer is counted at its end.
func TestRounds(t *testing.T) {
	for class := range roundClasses {
		limit := roundLimit(class)
		if got := roundClass(limit - time.Nanosecond); got != class {
			t.Fatalf("%v is of class %d, want %d", limit-time.Nanosecond, got, class)
		}
		if got := roundClass(limit); class < roundClasses-1 && got != class+1 {
			t.Fatalf("%v is of class %d, want %d", limit, got, class+1)
		}
	}
	var r Rounds
	if r.Quantile(0.5) != 0 {
		t.Error("nothing took a while")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	now := time.Duration(0)
	for range 1000 {
		d := time.Duration(1+rnd.IntN(1<<rnd.IntN(24))) * time.Microsecond
		r.left(now)
		now += d
		r.came(now)
		r.came(now + d) // it had not left
		all = append(all, d)
	}
	slices.Sort(all)
	for _, part := range []float64{0, 0.5, 0.99, 0.999} {
		want, got := all[int(part*1000)], r.Quantile(part)
		if got <= want || float64(got) > 1.125*float64(want)+1000 {
			t.Errorf("quantile %v: %v, want a little more than %v", part, got, want)
		}
	}
	if r.Total() != 1000 {
		t.Errorf("%d rounds", r.Total())
	}
	r.left(now)
	r.forget()
	r.came(now)
	r.left(now)
	r.came(now + time.Hour)
	if r.Total() != 1001 || r.Quantile(1) != 1<<25*time.Microsecond {
		t.Errorf("%d rounds, the longest %v", r.Total(), r.Quantile(1))
	}
}

// TestRoundsOfRing: every node of a ring that is at work counts rounds, and none
// counts the time in which the token rests.
func TestRoundsOfRing(t *testing.T) {
	for _, r := range []*testRing{formRing(t, 3, nil), early(t, nil)} {
		for i := range 50 {
			r.send(totem.NodeID(1+i%3), fmt.Sprint(i))
			r.run(100 * time.Millisecond)
		}
		for id, n := range r.nodes {
			rounds := n.Rounds()
			if rounds.Total() < 50 || rounds.Quantile(1) > 5*time.Millisecond {
				t.Errorf("node %d: %d rounds, the longest %v", id, rounds.Total(), rounds.Quantile(1))
			}
		}
		r.nodes[1].ClearStats()
		if n := r.nodes[1].Rounds().Total(); n != 0 {
			t.Errorf("%d rounds", n)
		}
	}
}

// TestRoundsLost: a round that never ended counts as none.
func TestRoundsLost(t *testing.T) {
	r := formRing(t, 3, nil)
	r.remove(3)
	r.until(r.together)
	r.send(1, "work")
	r.until(func() bool { return r.allHave(1) })
	for _, id := range []totem.NodeID{1, 2} {
		if longest := r.nodes[id].Rounds().Quantile(1); longest == 0 || longest > 50*time.Millisecond {
			t.Errorf("node %d: the longest round took %v", id, longest)
		}
	}
}
