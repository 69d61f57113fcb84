package ipc_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/client"
)

func TestEcho(t *testing.T) { overBoth(t, testEcho) }

func testEcho(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	c := dial(t, name)
	largest := 1<<20 - h24
	if os.Getuid() != 0 {
		largest = sendable(t, via, largest, 300_001)
	}
	var buf []byte
	for _, size := range []int{0, 1, 2, 3, 4, 5, 1000, 4096, 65537, 300_001, largest} {
		payload := []byte(strings.Repeat("abcdefg", size/7+1)[:size])
		head := message(reqEcho, h16, payload)[:h16]
		var err error
		if buf, err = c.Call(head, payload, buf); err != nil || string(buf[h24:]) != string(payload) {
			t.Fatalf("echo of %d bytes: %d bytes, %v", size, len(buf), err)
		}
	}
	if err := c.Send(make([]byte, 16), make([]byte, 1<<20)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("too long a request: %v", err)
	}
}

// TestFiles: names, sizes, modes and owners are what clients of libqb expect.
func TestFiles(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{})
	c := dial(t, name)
	call(t, c, "x")
	var conn *ipc.Conn
	l.Do(func() {
		for conn = range e.conns {
		}
	})
	if int(conn.PID()) != os.Getpid() || int(conn.UID()) != os.Getuid() || int(conn.GID()) != os.Getgid() ||
		conn.Name() != name || conn.MaxMessage() != 1<<20 {
		t.Errorf("connection %d %d %d %s %d", conn.PID(), conn.UID(), conn.GID(), conn.Name(), conn.MaxMessage())
	}
	if dir := filepath.Base(c.Dir()); !strings.HasPrefix(dir, fmt.Sprintf("qb-%d-%d-", os.Getpid(), os.Getpid())) {
		t.Errorf("directory %s", dir)
	}
	if st, err := os.Stat(c.Dir()); err != nil || st.Mode() != os.ModeDir|0o770 {
		t.Errorf("directory: %v, %v", st.Mode(), err)
	}
	got := make(map[string]int64)
	for _, file := range list(t, c.Dir()) {
		st, err := os.Stat(filepath.Join(c.Dir(), file))
		if err != nil || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", file, st.Mode(), err)
		}
		got[strings.Replace(file, name, "SVC", 1)] = st.Size()
	}
	data := int64((1<<20+13+os.Getpagesize()-1)/os.Getpagesize()) * int64(os.Getpagesize())
	want := map[string]int64{
		"qb-request-SVC-header": 8252, "qb-request-SVC-data": data,
		"qb-response-SVC-header": 8252, "qb-response-SVC-data": data,
		"qb-event-SVC-header": 8252, "qb-event-SVC-data": data,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	c.Close()
	if err := e.await(t); !errors.Is(err, ipc.ErrHungUp) {
		t.Errorf("closed for %v", err)
	}
}

func TestRefused(t *testing.T) { overBoth(t, testRefused) }

func testRefused(t *testing.T, via ipc.Transport) {
	e := newEcho()
	e.refuse = syscall.EACCES
	l, name := serve(t, e, ipc.Options{Transport: via, MaxMessage: 1 << 20, MaxConnections: 1})
	if _, err := client.Dial(name, client.Options{}); !errors.Is(err, syscall.EACCES) {
		t.Errorf("not allowed: %v", err)
	}
	l.Do(func() { e.refuse = 0 })
	if _, err := client.Dial(name, client.Options{MaxMessage: 1<<20 + 1}); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("too large messages: %v", err)
	}
	c := dial(t, name)
	if _, err := client.Dial(name, client.Options{}); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := client.Dial(name+"-other", client.Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("no such service: %v", err)
	}
	c.Close()
	e.await(t)
	small, err := client.Dial(name, client.Options{MaxMessage: 100})
	if err != nil || small.MaxMessage() != 12328 {
		t.Fatalf("small messages: %v, %v", small, err)
	}
	small.Close()
	l.Do(func() {
		st := l.Server.Stats()
		want := ipc.Stats{Active: st.Active, Accepted: 2, Refused: 3, HungUp: st.HungUp}
		if diff := cmp.Diff(want, st); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// TestEventsToSlowReader queues far more than the ring and the socket hold.
func TestEventsToSlowReader(t *testing.T) { overBoth(t, testEventsToSlowReader) }

func testEventsToSlowReader(t *testing.T, via ipc.Transport) {
	for _, size := range []uint32{32, 61, 5000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			e := newEcho()
			l, name := serve(t, e, ipc.Options{Transport: via})
			c := dial(t, name)
			const count = 2000
			if _, err := c.Call(eventsRequest(reqEvents, count, size), nil, nil); err != nil {
				t.Fatal(err)
			}
			var buf []byte
			for i := range uint32(count) {
				if i%500 == 0 {
					time.Sleep(20 * time.Millisecond)
				}
				var err error
				if buf, err = c.Event(buf, 10*time.Second); err == nil {
					err = checkEvent(buf, i, size)
				}
				if err != nil {
					t.Fatalf("event %d: %v", i, err)
				}
			}
			if _, err := c.Event(buf, 30*time.Millisecond); !errors.Is(err, client.ErrTimeout) {
				t.Errorf("one event too many: %v", err)
			}
			l.Do(func() {
				for conn := range e.conns {
					if n := conn.Counters(); n.Dispatched != count || n.Queueing || n.Queued != 0 {
						t.Errorf("counters %+v", n)
					}
				}
				if st := l.Server.Stats(); st.QueuedBytes != 0 {
					t.Errorf("%d bytes still queued", st.QueuedBytes)
				}
				if d := l.Server.Deadline(); d != ipc.Never {
					t.Errorf("deadline %v with nothing to do", d)
				}
			})
		})
	}
}

// TestEventBeforeAnswer: who has seen an answer finds the events before it
// without waiting, which several tools depend on.
func TestEventBeforeAnswer(t *testing.T) { overBoth(t, testEventBeforeAnswer) }

func testEventBeforeAnswer(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	c := dial(t, name)
	for i := range 200 {
		if _, err := c.Call(eventsRequest(reqEvents, 1, 40), nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Event(nil, 0); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}

// TestFlow: a client at word 1 may send nothing; at 2 it may, and waits; a
// client that lowers its limit is refused at 2 (cpg_mcast_joined).
func TestFlow(t *testing.T) { overBoth(t, testFlow) }

func testFlow(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	c := dial(t, name)
	call(t, c, "before")
	setFlow := func(word int32) {
		l.Do(func() {
			for conn := range e.conns {
				conn.SetFlow(word)
			}
		})
	}
	setFlow(1)
	if err := c.Send(request(reqAsync, nil), nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("word 1: %v", err)
	}
	setFlow(2)
	c.SetFlowLimit(2)
	if err := c.Send(request(reqAsync, nil), nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("word 2, limit 2: %v", err)
	}
	c.SetFlowLimit(1)
	if err := c.Send(request(reqEcho, []byte("held")), nil); err != nil {
		t.Errorf("word 2, limit 1: %v", err)
	}
	if _, err := c.Recv(nil, 50*time.Millisecond); !errors.Is(err, client.ErrTimeout) {
		t.Errorf("answered while held: %v", err)
	}
	setFlow(0)
	if got, err := c.Recv(nil, 5*time.Second); err != nil || string(got[h24:]) != "held" {
		t.Errorf("after release: %q, %v", got, err)
	}
	l.Do(func() {
		for conn := range e.conns {
			if n := conn.Counters(); n.FlowControlCount != 3 || n.FlowControl != 0 || n.Requests != 3 || n.Responses != 3 {
				t.Errorf("counters %+v", n)
			}
		}
	})
}

// TestHangUpRunsRequests: what a client had sent is run though it is gone.
func TestHangUpRunsRequests(t *testing.T) { overBoth(t, testHangUpRunsRequests) }

func testHangUpRunsRequests(t *testing.T, via ipc.Transport) {
	for _, held := range []bool{false, true} {
		e := newEcho()
		l, name := serve(t, e, ipc.Options{Transport: via})
		for round := range 20 {
			c := dial(t, name)
			call(t, c, "x") // connected
			l.Do(func() {
				for conn := range e.conns {
					if held {
						conn.SetFlow(2)
					}
				}
			})
			e.async.Store(0)
			for range 100 {
				if err := c.Send(request(reqAsync, nil), nil); err != nil {
					t.Fatal(err)
				}
			}
			c.Close()
			if held {
				time.Sleep(2 * time.Millisecond)
				if n := e.async.Load(); n != 0 || e.closed.Load() != int64(round) {
					t.Fatalf("%d requests were run, %d connections closed, while held", n, e.closed.Load())
				}
				l.Do(func() {
					for conn := range e.conns {
						conn.SetFlow(0)
					}
				})
			}
			if err := e.await(t); !errors.Is(err, ipc.ErrHungUp) {
				t.Fatalf("closed for %v", err)
			}
			if n := e.async.Load(); n != 100 {
				t.Fatalf("%d of 100 requests were run", n)
			}
		}
	}
}

// TestAnswersWait: a client that sends and does not read its answers makes its
// own requests wait, and loses none.
func TestAnswersWait(t *testing.T) { overBoth(t, testAnswersWait) }

func testAnswersWait(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	c := dial(t, name)
	const count, size = 100, 50_000
	go func() {
		payload := make([]byte, size)
		for i := 0; i < count; {
			payload[0] = byte(i)
			if err := c.Send(request(reqEcho, payload), nil); err == nil {
				i++
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	time.Sleep(50 * time.Millisecond)
	for i := range count {
		got, err := c.Recv(nil, 10*time.Second)
		if err != nil || len(got) != h24+size || got[h24] != byte(i) {
			t.Fatalf("answer %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// TestOverrun: a client that reads nothing is disconnected, at its own bound or
// when it is the worst of all; the others go on.
func TestOverrun(t *testing.T) { overBoth(t, testOverrun) }

func testOverrun(t *testing.T, via ipc.Transport) {
	for _, opt := range []ipc.Options{{Transport: via, MaxQueue: 2 << 20}, {Transport: via, MaxQueued: 3 << 20}} {
		e := newEcho()
		l, name := serve(t, e, opt)
		good, bad := dial(t, name), dial(t, name)
		if _, err := good.Call(eventsRequest(reqEvents, 150, 10_000), nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := bad.Send(eventsRequest(reqFlood, 600, 10_000), nil); err != nil {
			t.Fatal(err)
		}
		if err := e.await(t); !errors.Is(err, ipc.ErrOverrun) {
			t.Errorf("closed for %v", err)
		}
		var err error
		for err == nil { // the events that were told of may still come
			_, err = bad.Event(nil, time.Second)
		}
		if !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("client that does not read: %v", err)
		}
		for i := range uint32(150) {
			got, err := good.Event(nil, time.Second)
			if err == nil {
				err = checkEvent(got, i, 10_000)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		l.Do(func() {
			if st := l.Server.Stats(); st.Overrun != 1 || st.QueuedBytes != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestServiceCloses(t *testing.T) { overBoth(t, testServiceCloses) }

func testServiceCloses(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	c := dial(t, name)
	if _, err := c.Call(request(reqClose, nil), nil, nil); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("call: %v", err)
	}
	if err := e.await(t); !errors.Is(err, ipc.ErrClosed) {
		t.Errorf("closed for %v", err)
	}
	if err := c.Send(request(reqEcho, nil), nil); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("send: %v", err)
	}
	// Listener.Close takes its clients along.
	c = dial(t, name)
	l.Do(l.Server.Close)
	if e.closed.Load() != 2 {
		t.Errorf("%d closed, want 2", e.closed.Load())
	}
	if _, err := c.Event(nil, time.Second); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("event: %v", err)
	}
}

// TestCloseWithin closes the server from one of its own calls: everything is
// given back when that returns.
func TestCloseWithin(t *testing.T) { overBoth(t, testCloseWithin) }

func testCloseWithin(t *testing.T, via ipc.Transport) {
	h := &closer{echo: newEcho()}
	opt := ipc.Options{Transport: via, Dir: shmDir(t)}
	l, name := serve(t, h, opt)
	h.server = l.Server
	a, b := dial(t, name), dial(t, name)
	call(t, a, "x")
	call(t, b, "x")
	if err := a.Send(request(reqClose, nil), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.await(t); !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("closed for %v", err)
		}
	}
	l.Do(func() {
		if left := list(t, opt.Dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A closer closes the server where an echo closes the connection.
type closer struct {
	*echo
	server *ipc.Server
}

func (h *closer) Request(c *ipc.Conn, msg []byte) {
	if msg[0] == reqClose {
		h.server.Close()
		c.Event(msg, nil)
		return
	}
	h.echo.Request(c, msg)
}

func TestConnectedMayClose(t *testing.T) { overBoth(t, testConnectedMayClose) }

func testConnectedMayClose(t *testing.T, via ipc.Transport) {
	e := newEcho()
	e.connected = func(c *ipc.Conn) { c.Close() }
	_, name := serve(t, e, ipc.Options{Transport: via})
	c, err := client.Dial(name, client.Options{})
	if err == nil { // the answer came before the rings went, or not
		c.Close()
	}
	e.await(t)
}

// TestPace: a client with many requests does not hold up another one.
func TestPace(t *testing.T) { overBoth(t, testPace) }

func testPace(t *testing.T, via ipc.Transport) {
	var order []uint64
	h := &recorder{echo: newEcho(), order: &order}
	l, name := serve(t, h, ipc.Options{Transport: via})
	a, b := dial(t, name), dial(t, name)
	call(t, a, "x")
	call(t, b, "x")
	l.Do(func() {
		l.Server.SetPace(2)
		order = nil
		for range 6 { // both rings are filled within one turn
			a.Send(request(reqAsync, nil), nil)
			b.Send(request(reqAsync, nil), nil)
		}
	})
	eventually(t, "all requests ran", func() bool { return h.async.Load() == 12 })
	l.Do(func() {
		first := order[0]
		var got []bool
		for _, serial := range order {
			got = append(got, serial == first)
		}
		want := []bool{true, true, false, false}
		if want = slices.Concat(want, want, want); !slices.Equal(got, want) {
			t.Errorf("order %v, want pairs", got)
		}
	})
}

// A recorder notes whose requests ran.
type recorder struct {
	*echo
	order *[]uint64
}

func (r *recorder) Request(c *ipc.Conn, msg []byte) {
	*r.order = append(*r.order, c.Serial())
	r.echo.Request(c, msg)
}

// TestFilesystemSockets: with the switch, sockets are where libqb's clients
// look for them.
func TestFilesystemSockets(t *testing.T) { overBoth(t, testFilesystemSockets) }

func testFilesystemSockets(t *testing.T, via ipc.Transport) {
	dir := t.TempDir()
	opt := ipc.Options{Transport: via, ForceFile: filepath.Join(dir, "switch"), SocketDirs: []string{filepath.Join(dir, "none"), dir}}
	if err := os.WriteFile(opt.ForceFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, name := serve(t, newEcho(), opt)
	path := filepath.Join(dir, name)
	if st, err := os.Stat(path); err != nil || st.Mode() != os.ModeSocket|0o777 {
		t.Errorf("socket %v, %v", st, err)
	}
	c, err := client.Dial(name, client.Options{ForceFile: opt.ForceFile, SocketDirs: opt.SocketDirs})
	if err != nil {
		t.Fatal(err)
	}
	call(t, c, "x")
	c.Close()
	l.Do(l.Server.Close)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket left behind: %v", err)
	}
}

// TestLaggingClient: a client with megabytes of unread events is told to send no
// more asynchronous messages, is still answered, and may send again once it has
// read.
func TestLaggingClient(t *testing.T) { overBoth(t, testLaggingClient) }

func testLaggingClient(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	c := dial(t, name)
	call(t, c, "before")
	const events, size = 1100, 64 << 10
	l.Do(func() {
		for conn := range e.conns {
			for range events {
				conn.Event(message(0, h24, make([]byte, size)), nil)
			}
		}
	})
	flow := func(want int32) {
		t.Helper()
		if word, err := c.Flow(); err != nil || word != want {
			t.Errorf("flow word %d, %v; want %d", word, err, want)
		}
	}
	flow(2)
	c.SetFlowLimit(2)
	if err := c.Send(request(reqAsync, nil), nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("asynchronous send while lagging: %v", err)
	}
	c.SetFlowLimit(1)
	call(t, c, "while lagging")
	buf := make([]byte, size+h24+64)
	for i := range events {
		if _, err := c.Event(buf, 5*time.Second); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	flow(0)
}
