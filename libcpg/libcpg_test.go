package libcpg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/ipc"
	"cpgol/libcpg"
	"cpgol/wire/exec"
)

// overBoth runs a test over both of libqb's transports.
func overBoth(t *testing.T, f func(t *testing.T, d *daemon)) {
	for name, via := range map[string]ipc.Transport{"shm": ipc.SharedMemory, "socket": ipc.Sockets} {
		t.Run(name, func(t *testing.T) { f(t, startDaemon(t, via)) })
	}
}

func open(tb testing.TB, opt libcpg.Options) *libcpg.Conn {
	tb.Helper()
	c, err := libcpg.Open(opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// soon is a context that ends a hanging test.
func soon(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// next is the next event in short: "change 1 +join", "ring 7", "message 5 hello".
func next(tb testing.TB, c *libcpg.Conn) string {
	tb.Helper()
	var ev libcpg.Event
	if err := c.Next(soon(tb), &ev); err != nil {
		return err.Error()
	}
	return short(&ev)
}

func short(ev *libcpg.Event) string {
	switch ev.Kind {
	case libcpg.Message:
		return fmt.Sprintf("message %d %.20s", len(ev.Data), ev.Data)
	case libcpg.NewRing:
		return fmt.Sprintf("ring %d %d", ev.Ring.Rep, ev.Nodes)
	}
	s := fmt.Sprintf("change %d", len(ev.Members))
	for _, m := range ev.Joined {
		s += fmt.Sprintf(" +%d", m.Reason)
	}
	for _, m := range ev.Left {
		s += fmt.Sprintf(" -%d", m.Reason)
	}
	return s
}

func want(tb testing.TB, c *libcpg.Conn, events ...string) {
	tb.Helper()
	for i, e := range events {
		if got := next(tb, c); got != e {
			tb.Fatalf("event %d: %q, want %q", i, got, e)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func TestGroup(t *testing.T) { overBoth(t, testGroup) }

func testGroup(t *testing.T, d *daemon) {
	opt := d.opt
	opt.Rings = true
	a := open(t, opt)
	if a.Node() != thisNode || a.Self() != (libcpg.Member{Node: thisNode, PID: uint32(os.Getpid())}) {
		t.Errorf("node %d, self %v", a.Node(), a.Self())
	}
	if a.Context() != nil {
		t.Error("context before it was set")
	}
	if a.SetContext("mine"); a.Context() != "mine" {
		t.Errorf("context %v", a.Context())
	}
	if err := a.Send(soon(t), []byte("x")); !errors.Is(err, libcpg.ErrNotExist) {
		t.Errorf("send outside: %v", err)
	}
	if err := a.Leave(soon(t)); !errors.Is(err, libcpg.ErrNotExist) {
		t.Errorf("leave outside: %v", err)
	}
	if err := a.Join(soon(t), strings.Repeat("x", libcpg.MaxName+1)); !errors.Is(err, libcpg.ErrNameTooLong) {
		t.Errorf("join by a long name: %v", err)
	}
	must(t, a.Join(soon(t), "odd\x00\xff "))
	if err := a.Join(soon(t), "other"); !errors.Is(err, libcpg.ErrExist) {
		t.Errorf("second join: %v", err)
	}
	want(t, a, "change 1 +1", "ring 7 [7]")
	b := open(t, d.opt) // of the same process
	if err := b.Join(soon(t), "odd\x00\xff "); !errors.Is(err, libcpg.ErrExist) {
		t.Errorf("join of the same process: %v", err)
	}
	must(t, b.Join(soon(t), "odd\x00\xff"))
	must(t, b.Send(soon(t), []byte("he"), nil, []byte("llo")))
	must(t, b.Send(soon(t)))
	want(t, b, "change 1 +1", "message 5 hello", "message 0 ")
	d.do(func() { d.peerMoves("odd\x00\xff", libcpg.NodeUp) })
	got, err := a.Members(soon(t), "odd\x00\xff")
	if err != nil || len(got) != 1 || got[0] != a.Self() {
		t.Errorf("members %v, %v", got, err)
	}
	d.do(func() { d.peerMoves("odd\x00\xff", libcpg.ProcDown) })
	want(t, b, "change 2 +4", "change 1 -5")
	must(t, b.Close())
	must(t, a.Leave(soon(t)))
	want(t, a, "change 0 -2")
	must(t, a.Close())
	if err := a.Next(soon(t), new(libcpg.Event)); !errors.Is(err, libcpg.ErrClosed) {
		t.Errorf("next after Close: %v", err)
	}
	if err := a.Join(soon(t), "g"); !errors.Is(err, libcpg.ErrClosed) || err.Error() != "cpg join: connection closed" {
		t.Errorf("join after Close: %v", err)
	}
}

// TestSizes sends messages around the limit of what travels as one.
func TestSizes(t *testing.T) { overBoth(t, testSizes) }

func testSizes(t *testing.T, d *daemon) {
	c := open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	want(t, c, "change 1 +1")
	var ev libcpg.Event
	sizes := []int{0, 1, 1000, 100_000, libcpg.MaxAtomic - 1, libcpg.MaxAtomic, libcpg.MaxAtomic + 1, 1 << 20, 2 * libcpg.MaxAtomic, 3_000_000}
	if d.via == ipc.Sockets && !megabytes() {
		t.Log("this kernel's net.core.wmem_max lets no datagram of a megabyte pass")
		sizes = sizes[:4]
	}
	for _, size := range sizes {
		data := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		must(t, c.Send(soon(t), data[:size/3], data[size/3:]))
		must(t, c.Next(soon(t), &ev))
		if ev.Kind != libcpg.Message || !bytes.Equal(ev.Data, data) || ev.From != c.Self() {
			t.Fatalf("%d bytes: got %s", size, short(&ev))
		}
	}
}

// megabytes reports whether clients can send a datagram of a megabyte, as they
// can by default since Linux 6.18.
func megabytes() bool {
	b, _ := os.ReadFile("/proc/sys/net/core/wmem_max")
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return os.Geteuid() == 0 || err == nil && n >= 1<<20
}

// TestRefusals: what the daemon does not take now is sent again, a message in
// parts from its beginning if a change of the group ended it.
func TestRefusals(t *testing.T) {
	d := startDaemon(t, ipc.SharedMemory)
	d.do(func() { d.refuse[abi.CPGJoinID] = []abi.Status{abi.TryAgain, abi.TryAgain} })
	c := open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	want(t, c, "change 1 +1")
	long := bytes.Repeat([]byte("y"), 3_000_000)
	for name, f := range map[string]func(){
		"interrupted": func() {
			d.answer[abi.CPGPartialID] = []abi.Status{abi.OK, abi.Interrupt, abi.OK, abi.OK, abi.Interrupt}
		},
		"refused":   func() { d.refuse[abi.CPGPartialID] = []abi.Status{abi.TryAgain} },
		"forgotten": func() { d.answer[abi.CPGPartialID] = []abi.Status{abi.OK, abi.TryAgain} },
		"refused between": func() {
			d.answer[abi.CPGPartialID] = []abi.Status{abi.OK}
			d.refuse[abi.CPGPartialID] = []abi.Status{abi.TryAgain, abi.TryAgain}
		},
	} {
		d.do(f)
		if err := c.Send(soon(t), long); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want(t, c, "message 3000000 yyyyyyyyyyyyyyyyyyyy")
	}
	d.do(func() { d.answer[abi.CPGPartialID] = []abi.Status{abi.OK, abi.InvalidParam} })
	if err := c.Send(soon(t), long); !errors.Is(err, libcpg.ErrInvalid) {
		t.Errorf("refused for good: %v", err)
	}
	d.do(func() { d.refuse[abi.CPGLeaveID] = []abi.Status{abi.Access} })
	if err := c.Leave(soon(t)); !errors.Is(err, libcpg.ErrAccess) || err.Error() != "cpg leave: ACCESS" {
		t.Errorf("leave: %v", err)
	}
	must(t, c.Send(soon(t), []byte("still here")))
	want(t, c, "message 10 still here")
}

// TestParts puts long messages of others together. One that is not complete when
// its sender begins another or ends is forgotten.
func TestParts(t *testing.T) {
	d := startDaemon(t, ipc.SharedMemory)
	c := open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	d.do(func() {
		d.peerMoves("g", libcpg.Joined)
		d.peerSays("g", 4, exec.PartContinued, "of an earlier one")
		d.peerSays("g", 4, exec.PartFirst, "lo")
		d.peerSays("g", 6, exec.PartFirst, "an")
	})
	must(t, c.Send(soon(t), []byte("mine")))
	must(t, c.Flush(soon(t)))
	d.do(func() {
		d.peerSays("g", 6, exec.PartContinued, "e")
		d.peerSays("g", 6, exec.PartLast, "w!!")
		d.peerSays("g", 4, exec.PartFirst, "lo")
		d.peerMoves("g", libcpg.NodeDown)
		d.peerMoves("g", libcpg.NodeUp)
		d.peerSays("g", 4, exec.PartLast, "st")
		d.peerSays("g", 2, exec.PartFirst, "")
		d.peerSays("g", 2, exec.PartLast, "ok")
	})
	want(t, c, "change 1 +1", "change 2 +1", "message 4 mine", "message 6 anew!!", "change 1 -3", "change 2 +4", "message 2 ok")
}

// TestAgain leaves and joins again, also where a stock daemon does not let a
// connection do so and goes on to tell it of its group.
func TestAgain(t *testing.T) {
	for _, stock := range []bool{false, true} {
		d := startDaemon(t, ipc.SharedMemory)
		d.stock = stock
		opt := d.opt
		opt.Rings = true
		c := open(t, opt)
		for i := range 3 {
			must(t, c.Join(soon(t), "g"))
			must(t, c.Send(soon(t), []byte("here")))
			must(t, c.Leave(soon(t)))
			want(t, c, "change 1 +1")
			if i == 0 {
				want(t, c, "ring 7 [7]")
			}
			want(t, c, "message 4 here", "change 0 -2")
			d.do(func() { d.peerSays("g", 5, exec.PartFirst, "hello"); d.peerMoves("g", libcpg.Joined) })
			if i == 1 {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				var ev libcpg.Event
				if err := c.Next(ctx, &ev); err != context.DeadlineExceeded {
					t.Errorf("stock %v: event after the leave: %s, %v", stock, short(&ev), err)
				}
				cancel()
			}
			d.do(func() { d.peerMoves("g", libcpg.Left) })
		}
		must(t, c.Join(soon(t), "g")) // without a call of Next between
		must(t, c.Leave(soon(t)))
		must(t, c.Join(soon(t), "h"))
		want(t, c, "change 1 +1", "change 0 -2", "change 1 +1")
	}
}

// TestWaits ends waits by their contexts. A daemon's late answer is told to
// nobody else.
func TestWaits(t *testing.T) { overBoth(t, testWaits) }

func testWaits(t *testing.T, d *daemon) {
	c := open(t, d.opt)
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	d.do(func() { d.mute[abi.CPGJoinID] = true })
	if err := c.Join(brief(), "g"); err != context.DeadlineExceeded {
		t.Errorf("join: %v", err)
	}
	if _, err := c.Members(brief(), "g"); err != context.DeadlineExceeded {
		t.Errorf("members behind it: %v", err)
	}
	if err := c.Next(brief(), new(libcpg.Event)); err != context.DeadlineExceeded {
		t.Errorf("next: %v", err)
	}
	d.do(func() { d.unmute() })
	if all, err := c.Members(soon(t), "g"); err != nil || len(all) != 1 {
		t.Errorf("members: %v, %v", all, err)
	}
	want(t, c, "change 1 +1") // the daemon had the request
	d.do(func() { d.mute[abi.CPGLeaveID] = true; d.answer[abi.CPGLeaveID] = []abi.Status{abi.Busy} })
	if err := c.Leave(brief()); err != context.DeadlineExceeded {
		t.Errorf("leave: %v", err)
	}
	if err := c.Send(soon(t), nil); !errors.Is(err, libcpg.ErrNotExist) {
		t.Errorf("send while leaving: %v", err)
	}
	d.do(func() { d.unmute() })
	if err := c.Join(soon(t), "g"); !errors.Is(err, libcpg.ErrExist) { // it was not let go
		t.Errorf("join: %v", err)
	}
	must(t, c.Send(soon(t), []byte("here")))
	want(t, c, "message 4 here")

	d.do(func() { d.conns[0].SetFlow(2) })
	if !c.Throttled() {
		t.Error("not throttled")
	}
	if err := c.Send(brief(), []byte("x")); err != context.DeadlineExceeded {
		t.Errorf("send: %v", err)
	}
	if err := c.TrySend([]byte("x")); err != error(libcpg.ErrTryAgain) {
		t.Errorf("try: %v", err)
	}
	time.AfterFunc(30*time.Millisecond, func() { d.do(func() { d.conns[0].SetFlow(0) }) })
	must(t, c.Send(soon(t), []byte("later")))
	want(t, c, "message 5 later")
}

// TestKeeps: an event's bytes stay until Next is called again, though others send
// and read events meanwhile.
func TestKeeps(t *testing.T) { overBoth(t, testKeeps) }

func testKeeps(t *testing.T, d *daemon) {
	c := open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	want(t, c, "change 1 +1")
	must(t, c.Send(soon(t), []byte("first")))
	must(t, c.Send(soon(t), []byte("other")))
	var ev libcpg.Event
	must(t, c.Next(soon(t), &ev))
	d.do(func() { d.conns[0].SetFlow(1) })
	time.AfterFunc(20*time.Millisecond, func() { d.do(func() { d.conns[0].SetFlow(0) }) })
	must(t, c.Send(soon(t), []byte("back: "), ev.Data)) // waits, and reads "other"
	if string(ev.Data) != "first" {
		t.Errorf("the event's bytes are %q now", ev.Data)
	}
	want(t, c, "message 5 other", "message 11 back: first")
}

// TestEnds: every wait ends with the connection, whoever ends it.
func TestEnds(t *testing.T) {
	overBoth(t, func(t *testing.T, d *daemon) { testEnds(t, d, libcpg.ErrDisconnected, func(*libcpg.Conn) { d.stop() }) })
	overBoth(t, func(t *testing.T, d *daemon) { testEnds(t, d, libcpg.ErrClosed, func(c *libcpg.Conn) { c.Close() }) })
}

func testEnds(t *testing.T, d *daemon, reason error, end func(*libcpg.Conn)) {
	c, other := open(t, d.opt), open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	want(t, c, "change 1 +1")
	must(t, c.Send(soon(t), []byte("before")))
	must(t, c.Flush(soon(t)))
	d.do(func() {
		d.mute = map[int32]bool{abi.CPGMembershipID: true, abi.CPGJoinID: true, abi.CPGFinalizeID: false}
		for _, m := range d.conns {
			m.SetFlow(2)
		}
	})
	errs := make(chan error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { errs <- c.Send(soon(t), []byte("never")) })
	wg.Go(func() { _, err := c.Members(soon(t), "g"); errs <- err })
	wg.Go(func() {
		for {
			var ev libcpg.Event
			if err := c.Next(soon(t), &ev); err != nil {
				errs <- err
				return
			}
		}
	})
	time.Sleep(50 * time.Millisecond)
	if reason == libcpg.ErrClosed {
		d.do(func() { d.unmute(); d.mute[abi.CPGMembershipID] = true }) // for Close's own question
	}
	begin := time.Now()
	end(c)
	wg.Wait()
	for range 3 {
		if err := <-errs; !errors.Is(err, reason) && err != nil {
			t.Errorf("wait ended with %v, want %v", err, reason)
		}
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
	if reason == libcpg.ErrDisconnected {
		if err := other.Join(soon(t), "g"); !errors.Is(err, reason) {
			t.Errorf("join: %v", err)
		}
		must(t, other.Close())
		if _, err := libcpg.Open(d.opt); !errors.Is(err, reason) {
			t.Errorf("open: %v", err)
		}
	}
}

// TestMany has goroutines send, read, ask, leave, join and close at once; the race
// detector watches.
func TestMany(t *testing.T) { overBoth(t, testMany) }

func testMany(t *testing.T, d *daemon) {
	d.do(func() { d.stock = true })
	for range 3 {
		c := open(t, d.opt)
		must(t, c.Join(soon(t), "g"))
		var wg sync.WaitGroup
		okay := []error{libcpg.ErrClosed, libcpg.ErrNotExist, libcpg.ErrExist, context.Canceled, context.DeadlineExceeded}
		try := func(f func(ctx context.Context) error) {
			wg.Go(func() {
				for i := 0; ; i++ {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%7+1)*time.Millisecond)
					err := f(ctx)
					cancel()
					if err != nil && !slices.ContainsFunc(okay, func(e error) bool { return errors.Is(err, e) }) {
						t.Error(err)
						return
					}
					if errors.Is(err, libcpg.ErrClosed) {
						return
					}
				}
			})
		}
		var ev libcpg.Event
		data := make([]byte, 1500)
		try(func(ctx context.Context) error { return c.Send(ctx, data) })
		try(func(ctx context.Context) error { return c.Send(ctx, data, data[:20]) })
		try(func(ctx context.Context) error { return c.Next(ctx, &ev) })
		try(func(ctx context.Context) error { _, err := c.Members(ctx, "g"); return err })
		try(func(ctx context.Context) error { time.Sleep(5 * time.Millisecond); return c.Leave(ctx) })
		try(func(ctx context.Context) error { return c.Join(ctx, "g") })
		try(c.Flush)
		time.Sleep(300 * time.Millisecond)
		must(t, c.Close())
		wg.Wait()
	}
}

// TestAllocations: a message costs none, sent and received.
func TestAllocations(t *testing.T) { overBoth(t, testAllocations) }

func testAllocations(t *testing.T, d *daemon) {
	c := open(t, d.opt)
	must(t, c.Join(soon(t), "g"))
	want(t, c, "change 1 +1")
	head, body := []byte("head"), make([]byte, 60_000)
	ctx := soon(t)
	var ev libcpg.Event
	both := func() {
		if err := c.Send(ctx, head, body); err != nil {
			t.Fatal(err)
		}
		if err := c.Next(ctx, &ev); err != nil || len(ev.Data) != len(head)+len(body) {
			t.Fatal(err)
		}
	}
	both()
	if n := testing.AllocsPerRun(300, both); n >= 1 {
		t.Errorf("%v allocations for each message", n)
	}
}
