package core

import (
	"testing"
	"time"
)

// TestRingBegun: a message whose first part is in the ring stays there, though a
// view begins before its last part: it has one place in the order.
func TestRingBegun(t *testing.T) {
	r := newRig(t, small)
	r.say("long", 90)
	r.say("next", 80)
	long := r.Ring()
	r.RingBegun()
	r.on(1, 1000, alice)
	if r.Ring() != long {
		t.Fatalf("in the ring: %v", r.Ring())
	}
	r.say("third", 70)
	r.expect("beside the ring")
	r.RingSent(0, &r.out)
	r.expect("behind it", "transmit next #1 to alice", "transmit third #2 to alice")
}

// TestWays: a small message goes in the ring if it is the oldest, with its order
// if it is not; a large one past the ring; one that is too large in the ring, and
// what is behind it waits.
func TestWays(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 1000, alice, bob)
	if !r.Direct(10) || r.Direct(11) || !r.Direct(101) {
		t.Error("direct: ways of 10, 11 and 101 bytes")
	}
	r.say("small", 10)
	r.expect("alone")
	if r.Direct(10) {
		t.Error("direct: past one that waits")
	}
	r.RingSent(0, &r.out)
	if r.Direct(10) || !r.Direct(101) {
		t.Error("direct: a small one while another is under way")
	}
	r.say("large", 100)
	r.say("tiny", 10)
	r.say("other", 11)
	r.expect("behind the ring's", "transmit large #1 to alice, bob", "transmit tiny #2 to alice, bob", "transmit other #3 to alice, bob")
	if m := r.Ring(); m != nil {
		t.Errorf("%v goes in the ring past others", m)
	}
	r.held(alice, 3, 0)
	r.expect("one holds")
	r.held(bob, 2, 0)
	r.expect("all hold the first two", "submit #1+2")
	r.held(bob, 3, 0)
	r.expect("all hold the rest", "submit #3+1")
	r.RingDelivered()
	r.say("huge", 101)
	r.say("late", 50)
	r.ordered(self, 1, 2)
	r.expect("ordered", "release large of self", "release tiny of self")
	if m := r.Ring(); m != nil {
		t.Errorf("%v goes in the ring past others", m)
	}
	r.ordered(self, 3, 1)
	r.expect("all ordered", "release other of self")
	if m := r.Ring(); m == nil || m.Len() != 101 {
		t.Errorf("in the ring: %v", m)
	}
	r.RingSent(0, &r.out)
	r.expect("behind it", "transmit late #4 to alice, bob")
	r.held(alice, 4, 0)
	r.held(bob, 4, 0)
	r.ordered(self, 4, 1)
	r.out.Reset()
	if r.Direct(10) {
		t.Error("direct: the huge one is under way")
	}
	r.RingDelivered()
	if !r.Direct(10) {
		t.Error("direct: nothing is under way")
	}
	r.say("one", 10)
	if m := r.Ring(); m == nil || m.Len() != 10 {
		t.Errorf("in the ring: %v", m)
	}
	r.say("two", 10)
	if m := r.Ring(); m != nil {
		t.Errorf("%v goes in the ring, with another behind it", m)
	}
	r.expect("busy", "transmit one #5 to alice, bob", "transmit two #6 to alice, bob")
}

// TestAlone: without others there is nobody to hold anything.
func TestAlone(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 0)
	r.say("one", 50)
	r.expect("alone", "submit #1+1")
	r.say("two", 60)
	r.expect("again", "submit #2+1")
	r.ordered(self, 1, 2)
	r.expect("ordered", "release one of self", "release two of self")
}

// TestViewEnds: what has no place in the order is sent again, in its order, and
// what is held of others is let go. Orders of the view mean nothing any more.
func TestViewEnds(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 1000, alice)
	r.say("one", 50)
	r.say("two", 60)
	r.arrives(alice, 1, "hers", 20)
	r.held(alice, 2, 1000)
	r.expect("in the view", "transmit one #1 to alice", "transmit two #2 to alice", "hold #1 of alice, takes 400", "submit #1+2")
	r.ordered(self, 1, 1)
	r.expect("ordered", "release one of self")
	r.ViewOff(0, false, &r.out)
	r.expect("the end", "drop hers")
	r.Ordered(0, viewOf(1), self, 2, 1, &r.out)
	r.Arrived(alice, viewOf(1), 2, &message{"later", 30}, &r.out)
	r.Held(0, alice, viewOf(1), 2, 2000, &r.out)
	r.PeerUp(0, alice, viewOf(1), &r.out)
	r.expect("behind it", "drop later")
	r.on(2, 1000, alice)
	r.Held(0, alice, viewOf(1), 1, 2000, &r.out)
	r.PeerUp(0, alice, viewOf(1), &r.out)
	r.Arrived(alice, viewOf(1), 1, &message{"old", 30}, &r.out)
	r.expect("of the last view", "drop old")
	r.held(alice, 1, 1000)
	r.expect("the next view", "submit #1+1")
	r.ordered(self, 1, 1)
	r.expect("ordered in it", "release two of self")
}

// TestLeft: nobody waits for those who left.
func TestLeft(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 1000, alice, bob)
	r.say("one", 50)
	r.arrives(bob, 1, "his", 20)
	r.held(alice, 1, 1000)
	r.expect("bob lacks it", "transmit one #1 to alice, bob", "hold #1 of bob, takes 200")
	r.Left(0, []Member{bob}, &r.out)
	r.expect("bob is gone", "drop his", "submit #1+1")
}

// TestBatch: what all hold is submitted together while more is on its way, when it
// is much or has waited, and at once if nothing is.
func TestBatch(t *testing.T) {
	cfg := small
	cfg.Batch, cfg.BatchDelay = 150, 10*time.Millisecond
	r := newRig(t, cfg)
	r.on(1, 1000, alice, bob)
	r.say("one", 50)
	r.expect("sent", "transmit one #1 to alice, bob")
	r.held(alice, 1, 1000)
	r.held(bob, 1, 1000)
	r.expect("nothing else is on its way", "submit #1+1")

	r.say("two", 50)
	r.say("three", 50)
	r.expect("sent", "transmit two #2 to alice, bob", "transmit three #3 to alice, bob")
	r.held(alice, 3, 1000)
	r.Held(time.Second, bob, r.View(), 2, 1000, &r.out)
	r.expect("three is on its way")
	if d := r.Deadline(); d != time.Second+10*time.Millisecond {
		t.Errorf("submits at %v", d)
	}
	r.Tick(time.Second+10*time.Millisecond, &r.out)
	r.expect("has waited", "submit #2+1")

	r.say("four", 60)
	r.say("five", 60)
	r.held(alice, 5, 1000)
	r.expect("sent", "transmit four #4 to alice, bob", "transmit five #5 to alice, bob")
	r.Held(2*time.Second, bob, r.View(), 4, 1000, &r.out)
	r.expect("little")
	r.ordered(self, 1, 1)
	r.ordered(self, 2, 1)
	r.expect("ordered", "release one of self", "release two of self")
	r.say("six", 60)
	r.expect("sent", "transmit six #6 to alice, bob")
	r.held(alice, 6, 1000)
	r.Held(2*time.Second, bob, r.View(), 5, 1000, &r.out)
	r.expect("much", "submit #3+3")
}

// TestBroken: what was never here can't be released.
func TestBroken(t *testing.T) {
	for name, f := range map[string]func(r *rig){
		"never came":     func(r *rig) { r.ordered(alice, 1, 1) },
		"another number": func(r *rig) { r.arrives(alice, 1, "one", 20); r.out.Reset(); r.ordered(alice, 2, 1) },
		"an earlier one": func(r *rig) { r.arrives(alice, 2, "two", 20); r.out.Reset(); r.ordered(alice, 1, 1) },
		"no member":      func(r *rig) { r.ordered(bob, 1, 1) },
		"not submitted":  func(r *rig) { r.say("one", 50); r.out.Reset(); r.ordered(self, 1, 1) },
	} {
		r := newRig(t, small)
		r.on(1, 1000, alice)
		f(r)
		if len(r.out.Effects) != 1 || r.out.Effects[0].Kind != Broken {
			t.Errorf("%s: %+v", name, r.out.Effects)
		}
	}
}
