package net

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newPoller(t testing.TB) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// pipe returns the two ends of a non-blocking pipe.
func pipe(t testing.TB) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func wait(t testing.TB, p *Poller, d time.Duration) {
	t.Helper()
	if err := p.Wait(d); err != nil {
		t.Fatal(err)
	}
}

func TestPollerIsLevelTriggered(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	calls := 0
	if err := p.Add(r, unix.EPOLLIN, func(events uint32) {
		if events != unix.EPOLLIN {
			t.Errorf("events %#x, want EPOLLIN", events)
		}
		calls++
	}); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 0)
	if calls != 0 {
		t.Fatalf("%d calls with nothing to read", calls)
	}
	unix.Write(w, []byte("x"))
	wait(t, p, -1)
	wait(t, p, -1)
	if calls != 2 {
		t.Errorf("%d calls for two waits with data left unread, want 2", calls)
	}
	if err := p.Modify(r, 0); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 0)
	if calls != 2 {
		t.Error("called for an event that is not watched for any more")
	}
}

// Whatever a ready function removes in its turn must not be called in that turn
// any more, even if the number is taken by a new descriptor at once.
func TestPollerRemoveWhileReady(t *testing.T) {
	p := newPoller(t)
	a, aw := pipe(t)
	b, bw := pipe(t)
	unix.Write(aw, []byte("x"))
	unix.Write(bw, []byte("x"))
	var called []int
	replaced := 0
	removeBoth := func(me, other int) func(uint32) {
		return func(uint32) {
			called = append(called, me)
			for _, fd := range []int{me, other} {
				if err := p.Remove(fd); err != nil {
					t.Error(err)
				}
			}
			// The same number again, watched for something that is not so.
			if err := p.Add(other, unix.EPOLLPRI, func(uint32) { replaced++ }); err != nil {
				t.Error(err)
			}
		}
	}
	p.Add(a, unix.EPOLLIN, removeBoth(a, b))
	p.Add(b, unix.EPOLLIN, removeBoth(b, a))
	wait(t, p, -1)
	wait(t, p, 0)
	if len(called) != 1 || replaced != 0 {
		t.Errorf("called %v, replacement called %d times; want one call, none", called, replaced)
	}
}

func TestPollerModifyWhileReady(t *testing.T) {
	p := newPoller(t)
	a, aw := pipe(t)
	b, bw := pipe(t)
	unix.Write(aw, []byte("x"))
	unix.Write(bw, []byte("x"))
	calls := 0
	mute := func(other int) func(uint32) {
		return func(uint32) { calls++; p.Modify(other, 0) }
	}
	p.Add(a, unix.EPOLLIN, mute(b))
	p.Add(b, unix.EPOLLIN, mute(a))
	wait(t, p, -1)
	if calls != 1 {
		t.Errorf("%d calls, want 1: the first took the other's interest away", calls)
	}
}

func TestPollerRefuses(t *testing.T) {
	p := newPoller(t)
	r, _ := pipe(t)
	for name, err := range map[string]error{
		"add a negative descriptor": p.Add(-1, unix.EPOLLIN, func(uint32) {}),
		"add without a function":    p.Add(r, unix.EPOLLIN, nil),
		"add a closed descriptor":   p.Add(1<<20, unix.EPOLLIN, func(uint32) {}),
		"modify a stranger":         p.Modify(r, unix.EPOLLIN),
		"remove a stranger":         p.Remove(r),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := p.Remove(r); !errors.Is(err, unix.ENOENT) {
		t.Errorf("remove a stranger: %v, want ENOENT", err)
	}
}

// TestPollerTimeout: a deadline has passed when Wait has slept it out. A signal
// may end a sleep early, as one of the runtime's does now and then, but not each.
func TestPollerTimeout(t *testing.T) {
	const tries = 20
	for _, coarse := range []bool{false, true} {
		for _, short := range []int{0, busyFrom} {
			for _, d := range []time.Duration{300 * time.Microsecond, 3 * time.Millisecond} {
				p := newPoller(t)
				early := 0
				for range tries {
					p.coarse, p.short = coarse, short
					start := time.Now()
					wait(t, p, d)
					if time.Since(start) < d {
						early++
					} else if d > patience && p.short != 0 {
						t.Errorf("coarse %v: a wait of %v leaves %d short ones", coarse, d, p.short)
					}
				}
				if early > tries/2 {
					t.Errorf("coarse %v after %d short waits: %d of %d waits were shorter than %v", coarse, short, early, tries, d)
				}
			}
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]int{
		-1: -1, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, 1<<63 - 1: 1<<31 - 1,
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%d) = %d, want %d", d, got, want)
		}
	}
}

func TestPollerWake(t *testing.T) {
	p := newPoller(t)
	for i := range 200 {
		var g sync.WaitGroup
		for range 3 {
			g.Go(p.Wake)
		}
		done := time.AfterFunc(5*time.Second, func() { t.Errorf("round %d: not woken", i); p.Wake() })
		wait(t, p, -1)
		done.Stop()
		g.Wait()
		wait(t, p, 0) // a Wake after the first wait's read
	}
	start := time.Now()
	wait(t, p, 2*time.Millisecond)
	if time.Since(start) < 2*time.Millisecond {
		t.Error("a wake-up was left over")
	}
}

func TestPollerClose(t *testing.T) {
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	a, aw := pipe(t)
	b, bw := pipe(t)
	unix.Write(aw, []byte("x"))
	unix.Write(bw, []byte("x"))
	calls := 0
	for _, fd := range []int{a, b} {
		p.Add(fd, unix.EPOLLIN, func(uint32) { calls++; p.Close() })
	}
	wait(t, p, -1)
	if calls != 1 {
		t.Errorf("%d calls, want 1: the first closed the poller", calls)
	}
	p.Wake() // must not write to a descriptor that may be another's now
	if err := p.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestPollerDoesNotAllocate(t *testing.T) {
	p := newPoller(t)
	r, w := pipe(t)
	unix.Write(w, []byte("x"))
	p.Add(r, unix.EPOLLIN, func(uint32) {})
	if n := testing.AllocsPerRun(200, func() {
		p.Wake()
		p.Wait(0)
		p.Wait(time.Microsecond)
		p.Modify(r, 0)
		p.Modify(r, unix.EPOLLIN)
	}); n != 0 {
		t.Errorf("%v allocations a wake-up, want none", n)
	}
}

func TestPollerLeavesLastForLast(t *testing.T) {
	p := newPoller(t)
	var order []int
	for i := range 6 {
		r, w := pipe(t)
		add := p.Add
		if i%2 == 0 {
			add = p.AddLast
		}
		if err := add(r, unix.EPOLLIN, func(uint32) { order = append(order, i) }); err != nil {
			t.Fatal(err)
		}
		unix.Write(w, []byte("x"))
	}
	wait(t, p, -1)
	slices.SortStableFunc(order[:min(3, len(order))], cmp.Compare)
	slices.SortStableFunc(order[min(3, len(order)):], cmp.Compare)
	if want := []int{1, 3, 5, 0, 2, 4}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v, each half in any order", order, want)
	}
}
