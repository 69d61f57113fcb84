package core

import (
	"testing"
	"time"
)

// TestSuspend: who holds nothing new for too long is suspended, once.
func TestSuspend(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 120, alice, bob)
	if r.Deadline() != Never {
		t.Errorf("waits for %v", r.Deadline())
	}
	r.now = 10 * time.Second
	r.say("one", 60)
	r.say("two", 60)
	r.now += 900 * time.Millisecond
	r.held(alice, 1, 120)
	r.Progress(r.now, bob)
	r.out.Reset()
	r.now += 200 * time.Millisecond
	r.Tick(r.now, &r.out)
	r.expect("both went on")
	r.held(alice, 2, 120)
	r.held(alice, 2, 200) // a limit alone is life
	if want := r.now + 800*time.Millisecond; r.Deadline() != want {
		t.Errorf("waits for %v, want %v", r.Deadline(), want)
	}
	r.now += 800 * time.Millisecond
	r.Tick(r.now, &r.out)
	r.Tick(r.now+time.Hour, &r.out)
	r.expect("bob is silent", "suspend bob")
	if r.Deadline() != Never {
		t.Errorf("waits for %v", r.Deadline())
	}
	r.ViewOff(r.now, false, &r.out)
	r.Tick(r.now+time.Hour, &r.out)
	r.expect("it was not this process")
	if r.Ring() == nil {
		t.Error("nothing goes in the ring")
	}
}

// TestLacksNothing: time runs only for those who lack something.
func TestLacksNothing(t *testing.T) {
	r := newRig(t, small)
	r.on(1, 1000, alice)
	r.say("one", 60)
	r.held(alice, 1, 1000)
	r.now = time.Hour
	r.Tick(r.now, &r.out)
	r.out.Reset()
	r.say("two", 60)
	r.Tick(r.now, &r.out)
	r.expect("time begins with the message", "transmit two #2 to alice")
	if want := r.now + small.AckTimeout; r.Deadline() != want {
		t.Errorf("waits for %v, want %v", r.Deadline(), want)
	}
	r.held(alice, 2, 1000)
	if r.Deadline() != Never {
		t.Errorf("waits for %v", r.Deadline())
	}
}

// TestBackoff: a process that was suspended offers itself again after a while,
// longer each time, and as at first after a view that lasted.
func TestBackoff(t *testing.T) {
	r := newRig(t, small)
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
		r.on(uint64(i+1), 0, alice)
		r.now += 500 * time.Millisecond
		r.ViewOff(r.now, true, &r.out)
		if r.Deadline() != r.now+want {
			t.Fatalf("time %d: waits %v, want %v", i, r.Deadline()-r.now, want)
		}
		r.Tick(r.now+want-1, &r.out)
		r.expect("not yet")
		r.now += want
		r.Tick(r.now, &r.out)
		r.expect("now", "announce")
	}
	r.on(10, 0, alice)
	r.now += small.MaxBackoff
	r.ViewOff(r.now, true, &r.out)
	if r.Deadline() != r.now+time.Second {
		t.Errorf("after a good view: waits %v", r.Deadline()-r.now)
	}
	r.on(11, 0, alice) // somebody else announced it
	if r.Deadline() != Never {
		t.Errorf("waits for %v in a view", r.Deadline())
	}
}
