package core

import "testing"

// TestCredit: nothing is transmitted beyond what a receiver takes, and one that
// takes less does not keep it from the others.
func TestCredit(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 100, alice, bob)
	r.say("one", 60)
	r.say("two", 60)
	r.expect("as far as it goes", "transmit one #1 to alice, bob")
	r.held(alice, 1, 160)
	r.expect("more for alice", "transmit two #2 to alice")
	r.held(bob, 0, 119)
	r.expect("not enough for bob")
	r.held(bob, 0, 100) // limits are never taken back
	r.held(bob, 1, 120)
	r.expect("enough for bob", "transmit two #2 to bob", "submit #1+1")
}

// TestGrants: each of several senders may send its share; what the application
// has not taken counts.
func TestGrants(t *testing.T) {
	r := newRig(t, small)
	r.ViewOn(0, viewOf(1), []Member{self, alice, bob}, &r.out)
	r.expect("shares", "hold #0 of alice, takes 200", "hold #0 of bob, takes 200")
	r.arrives(alice, 1, "one", 100)
	r.arrives(alice, 2, "two", 100)
	r.arrives(alice, 3, "much", 1)
	r.arrives(alice, 2, "again", 1)
	r.expect("arrived", "hold #1 of alice, takes 200", "hold #2 of alice, takes 200", "drop much", "drop again")
	r.ordered(alice, 1, 1)
	r.expect("released", "release one of alice")
	r.Consumed(alice, 100, &r.out)
	r.expect("taken", "hold #2 of alice, takes 300")
	r.Consumed(self, 1000, &r.out)
	r.expect("was not granted")
}

// TestGrantsOfViews: what an earlier view left with the application counts against
// everybody's share, also when its sender is gone.
func TestGrantsOfViews(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 0, alice)
	for i := range uint64(4) {
		r.arrives(alice, i+1, "x", 100)
	}
	r.ordered(alice, 1, 4)
	r.out.Reset()
	r.Left(0, []Member{alice}, &r.out)
	r.ViewOff(0, false, &r.out)
	r.ViewOn(0, viewOf(2), []Member{self, bob}, &r.out)
	r.expect("all is unread")
	r.Consumed(alice, 100, &r.out)
	r.expect("a part is read", "hold #0 of bob, takes 100")
	r.Consumed(alice, 100, &r.out)
	r.Consumed(alice, 100, &r.out)
	r.Consumed(alice, 100, &r.out)
	r.expect("all is read", "hold #0 of bob, takes 200")
	r.arrives(bob, 1, "his", 50)
	r.expect("he has used some", "hold #1 of bob, takes 400")
	if r.kept != 400 || r.short {
		t.Errorf("keeps %d, short %v", r.kept, r.short)
	}
}

// TestEnough: a sender is told of more to send only once it has less than a half of
// its share, and not with each message that is taken.
func TestEnough(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 0, alice)
	for i := range uint64(5) {
		r.arrives(alice, i+1, "x", 50)
		r.ordered(alice, i+1, 1)
		r.Consumed(alice, 50, &r.out)
	}
	r.expect("taken one by one",
		"hold #1 of alice, takes 400", "release x of alice",
		"hold #2 of alice, takes 400", "release x of alice",
		"hold #3 of alice, takes 400", "release x of alice",
		"hold #4 of alice, takes 400", "release x of alice",
		"hold #5 of alice, takes 600", "release x of alice")
}

// TestWindow: own messages without a place are bounded; room is told once.
func TestWindow(t *testing.T) {
	r := newRig(t, small)
	if err := r.say("any size, if it is alone", 10_000); err != nil {
		t.Error(err)
	}
	if err := r.say("another", 1); err != ErrFull {
		t.Error(err)
	}
	r.RingSent(0, &r.out)
	r.expect("sent", "room")
	for range 3 {
		r.say("x", 100)
	}
	if err := r.say("x", 1); err != ErrFull || r.Waiting() != 300 {
		t.Errorf("%v, %d bytes wait", err, r.Waiting())
	}
	r.RingSent(0, &r.out)
	r.RingSent(0, &r.out)
	r.expect("sent", "room")
}

// TestResume: over a new connection, what a receiver does not hold is sent again,
// in order and from the first on, within its limit.
func TestResume(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 250, alice)
	r.say("one", 100)
	r.say("two", 100)
	r.say("three", 100)
	r.expect("sent", "transmit one #1 to alice", "transmit two #2 to alice")
	r.PeerDown(alice)
	r.held(alice, 1, 300) // on its way when the connection broke
	r.expect("down", "submit #1+1")
	r.PeerUp(0, alice, r.View(), &r.out)
	r.expect("up", "transmit two #2 to alice", "transmit three #3 to alice")
	r.PeerUp(0, alice, r.View(), &r.out)
	r.expect("up again", "transmit two #2 to alice", "transmit three #3 to alice")
	r.PeerDown(alice)
	r.ordered(self, 1, 1)
	r.held(alice, 9, 300) // what was never sent
	r.held(alice, 3, 0)
	r.expect("all is held", "release one of self", "submit #2+2")
	r.PeerUp(0, alice, r.View(), &r.out)
	r.PeerUp(0, bob, r.View(), &r.out)
	r.PeerDown(bob)
	r.expect("nothing is lacking")
}
