package ipc_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/client"
)

// A stepper is a poller whose descriptors are always said to be ready.
type stepper struct {
	ready  map[int]func(uint32)
	listen int // the first descriptor
}

func (s *stepper) Add(fd int, _ uint32, ready func(uint32)) error {
	if len(s.ready) == 0 {
		s.listen = fd
	}
	s.ready[fd] = ready
	return nil
}
func (s *stepper) Modify(int, uint32) error { return nil }
func (s *stepper) Remove(fd int) error      { delete(s.ready, fd); return nil }

func (s *stepper) step() {
	for _, ready := range s.ready {
		ready(unix.EPOLLIN)
	}
}

// A quiet service answers every request with one message and sends one event.
type quiet struct {
	*echo
	answer, head, body []byte
}

func (q *quiet) Request(c *ipc.Conn, _ []byte) {
	c.Event(q.head, q.body)
	c.Respond(q.answer)
}

// TestAllocations: a request, its answer and an event cost neither end any.
func TestAllocations(t *testing.T) { overBoth(t, testAllocations) }

func testAllocations(t *testing.T, via ipc.Transport) {
	q := &quiet{echo: newEcho(), answer: message(0, h24, nil), head: message(1, 200, nil), body: make([]byte, 800)}
	s, poll, c := stepped(t, via, q)
	req, buf := request(0, make([]byte, 500)), make([]byte, 0, 4096)
	delete(poll.ready, poll.listen) // to accept nobody costs an allocation
	var now time.Duration
	round := func() {
		now += time.Millisecond
		if err := c.Send(req, nil); err != nil {
			t.Fatal(err)
		}
		poll.step()
		s.Tick(now)
		if _, err := c.Recv(buf, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Event(buf, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(2000, round); n != 0 {
		t.Errorf("%v allocations a round, want 0", n)
	}
}

// stepped is a server that does only what the test makes it do, with one client.
func stepped(t *testing.T, via ipc.Transport, h ipc.Handler) (s *ipc.Server, poll *stepper, c *client.Conn) {
	t.Helper()
	poll = &stepper{ready: make(map[int]func(uint32))}
	s, err := ipc.NewServer(poll, ipc.Options{Transport: via, Dir: shmDir(t), ForceFile: "/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	name := uniqueName()
	if _, err := s.Listen(name, h); err != nil {
		t.Fatal(err)
	}
	dialled := make(chan *client.Conn)
	go func() {
		c, err := client.Dial(name, client.Options{})
		if err != nil {
			t.Error(err)
		}
		dialled <- c
	}()
	for c == nil {
		poll.step()
		select {
		case c = <-dialled:
		case <-time.After(time.Millisecond):
		}
	}
	t.Cleanup(func() { c.Close() })
	return s, poll, c
}

// TestWaitingRests: events that wait for a client who does not read leave the
// server in peace until the next try is due; and whenever the client has read,
// the next turn goes on.
func TestWaitingRests(t *testing.T) { overBoth(t, testWaitingRests) }

func testWaitingRests(t *testing.T, via ipc.Transport) {
	q := &quiet{echo: newEcho(), answer: message(0, h24, nil), head: message(1, 100_000, nil), body: make([]byte, 100_000-24)}
	s, poll, c := stepped(t, via, q)
	const count = 40
	buf := make([]byte, 0, 200_000)
	now := time.Hour
	for range count {
		if err := c.Send(request(0, nil), nil); err != nil {
			t.Fatal(err)
		}
		poll.step()
		s.Tick(now)
		if _, err := c.Recv(buf, 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		s.Tick(now)
	}
	if d := s.Deadline(); d <= now {
		t.Fatalf("due at %v at %v, with nothing to do but wait", d, now)
	}
	for i := range count {
		if _, err := c.Event(buf, 0); err != nil {
			t.Fatalf("event %d of %d: %v", i+1, count, err)
		}
		s.Tick(now)
	}
}
