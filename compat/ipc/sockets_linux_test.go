package ipc_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/client"
	"cpgol/compat/ipc/internal/dgram"
	"cpgol/compat/ipc/internal/shm"
)

// TestSocketFiles: names, sizes, modes and owners are what clients of libqb
// expect.
func TestSocketFiles(t *testing.T) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	c := dial(t, name)
	call(t, c, "x")
	if st, err := os.Stat(c.Dir()); err != nil || st.Mode() != os.ModeDir|0o770 {
		t.Errorf("directory: %v, %v", st.Mode(), err)
	}
	if got := list(t, c.Dir()); len(got) != 1 || got[0] != "qb-control-"+name {
		t.Fatalf("files %v", got)
	}
	st, err := os.Stat(filepath.Join(c.Dir(), "qb-control-"+name))
	if err != nil || st.Mode() != 0o600 || st.Size() != 24 {
		t.Errorf("control file: %v, %v", st, err)
	}
	// The list is read in pieces, between which it changes; and the process's first
	// thread may be in the namespace of another test.
	for _, end := range []string{"request", "response", "event-tx", "event"} {
		want := "@" + c.Dir() + "/qb-" + name + "-" + end + "@"
		eventually(t, "there is a socket "+want, func() bool {
			b, err := os.ReadFile("/proc/thread-self/net/unix")
			return err == nil && strings.Contains(string(b), want)
		})
	}
}

// A rawSocket is one end of a connection, in the hands of the test.
type rawSocket struct {
	t    *testing.T
	base string
	*dgram.Socket
}

// rawSockets does the handshake and gives the base of the names.
func rawSockets(t *testing.T, name string) (sock *net.UnixConn, res shm.ConnectResponse) {
	t.Helper()
	sock, res, err := rawConnect(name)
	if err != nil || res.Transport != shm.TypeSocket {
		t.Fatalf("%+v, %v", res, err)
	}
	t.Cleanup(func() { sock.Close() })
	return sock, res
}

// open makes a socket bound to one of the connection's names, if any, and
// connected to another, if any.
func open(t *testing.T, base, local, remote string) rawSocket {
	t.Helper()
	s, err := dgram.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := rawSocket{t, base, s}
	if local != "" {
		r.must(s.Bind(r.name(local)))
	}
	if remote != "" {
		r.must(s.Connect(r.name(remote)))
	}
	return r
}

func (r rawSocket) name(suffix string) *dgram.Name {
	r.t.Helper()
	n, err := dgram.MakeName(r.base, suffix)
	r.must(err)
	return &n
}

func (r rawSocket) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// echo sends a request and waits for its answer.
func (r rawSocket) echo(payload string) {
	r.t.Helper()
	r.must(r.Send(request(reqEcho, []byte(payload)), nil))
	buf := make([]byte, 30000)
	eventually(r.t, "the answer "+payload, func() bool {
		n, _, err := r.Recv(buf)
		return err == nil && string(buf[h24:n]) == payload
	})
}

// sendAs sends a request with credentials of root's choice.
func (r rawSocket) sendAs(msg []byte, cred unix.Ucred) {
	r.t.Helper()
	r.must(unix.Sendmsg(r.FD(), msg, unix.UnixCredentials(&cred), nil, 0))
}

func foreign(l interface{ Do(func()) }, s *ipc.Server) (n uint64) {
	l.Do(func() { n = s.Stats().Foreign })
	return n
}

// TestStrangers: abstract names are there for everybody, but a connection is
// the client's alone.
func TestStrangers(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	_, res := rawSockets(t, name)
	msg := request(reqAsync, nil)
	strangers := []rawSocket{
		open(t, res.Response, "", "request"),         // nameless
		open(t, res.Response, "stranger", "request"), // by another name
	}
	for i := range 200 {
		s := strangers[i%2]
		for dgram.Full(s.Send(msg, nil)) {
			time.Sleep(time.Millisecond)
		}
	}
	eventually(t, "strangers' messages are dropped", func() bool { return foreign(l, l.Server) == 200 })

	if os.Getuid() == 0 { // somebody takes the client's name first
		thief := open(t, res.Response, "response", "request")
		thief.sendAs(msg, unix.Ucred{Pid: 1, Uid: 65534, Gid: 65534})
		eventually(t, "the thief's message is dropped", func() bool { return foreign(l, l.Server) == 201 })
		thief.Close()
	}
	ours := open(t, res.Response, "response", "request")
	events := open(t, res.Response, "event", "event-tx")
	ours.echo("mine")
	for i, s := range strangers {
		if err := s.Send(msg, nil); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("stranger %d sends to a client's connection: %v", i, err)
		}
	}
	late, err := dgram.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	for _, end := range []string{"request", "event-tx"} {
		if err := late.Connect(ours.name(end)); !errors.Is(err, unix.EPERM) {
			t.Errorf("a stranger connects to %s: %v", end, err)
		}
	}
	if n := e.async.Load(); n != 0 {
		t.Errorf("%d requests of strangers were run", n)
	}
	// The client's child under another user goes on.
	if os.Getuid() == 0 {
		ours.sendAs(msg, unix.Ucred{Pid: 1, Uid: 65534, Gid: 65534})
		eventually(t, "the child's request is run", func() bool { return e.async.Load() == 1 })
	}
	ours.must(ours.Send(eventsRequest(reqFlood, 1, 40), nil))
	eventually(t, "the event comes", func() bool {
		n, _, err := events.Recv(make([]byte, 100))
		return err == nil && n == 40
	})
}

// TestEventBeforeClient: what is sent before the client has made its sockets
// waits for it.
func TestEventBeforeClient(t *testing.T) {
	e := newEcho()
	e.connected = func(c *ipc.Conn) {
		for i := range uint32(30) {
			c.Event(event(i, 500))
		}
	}
	_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	_, res := rawSockets(t, name)
	time.Sleep(30 * time.Millisecond)
	events := open(t, res.Response, "event", "event-tx")
	buf := make([]byte, 1000)
	for i := range uint32(30) {
		eventually(t, "event "+fmt.Sprint(i), func() bool {
			n, _, err := events.Recv(buf)
			return err == nil && checkEvent(buf[:n], i, 500) == nil
		})
	}
}

// TestNoEventSocket: a client that never makes its second socket is answered,
// and disconnected when too much waits for it.
func TestNoEventSocket(t *testing.T) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets, MaxQueue: 1 << 20})
	_, res := rawSockets(t, name)
	ours := open(t, res.Response, "response", "request")
	ours.echo("still")
	ours.must(ours.Send(eventsRequest(reqFlood, 10_000, 1000), nil))
	if err := e.await(t); !errors.Is(err, ipc.ErrOverrun) {
		t.Errorf("closed for %v", err)
	}
}

// TestOddDatagrams: every message is a datagram, whatever is in it.
func TestOddDatagrams(t *testing.T) {
	lies := func(size int32, n int) []byte {
		b := make([]byte, n)
		binary.NativeEndian.PutUint32(b[8:], uint32(size))
		return b
	}
	for what, c := range map[string]struct {
		msg  []byte
		want error
	}{
		"nothing":           {nil, ipc.ErrMalformed},
		"half a header":     {make([]byte, 8), ipc.ErrMalformed},
		"almost a header":   {make([]byte, 15), ipc.ErrMalformed},
		"size zero":         {lies(0, 16), ipc.ErrMalformed},
		"size below zero":   {lies(-1, 16), ipc.ErrMalformed},
		"size beyond":       {lies(17, 16), ipc.ErrMalformed},
		"more than agreed":  {lies(30000, 30000), ipc.ErrMalformed},
		"one byte too many": {lies(20001, 20001), ipc.ErrMalformed},
		"disconnect":        {message(^uint32(2), h16, nil), ipc.ErrAsked},
	} {
		e := newEcho()
		_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
		_, res := rawSockets(t, name)
		ours := open(t, res.Response, "response", "request")
		ours.echo("before")
		ours.must(ours.Send(c.msg, nil))
		if err := e.await(t); !errors.Is(err, c.want) {
			t.Errorf("%s: closed for %v", what, err)
		}
	}
}

// TestTruncatedControl cuts the control file and makes the server use it in each
// way. Only that client is lost.
func TestTruncatedControl(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	good := dial(t, name)
	call(t, good, "x")
	var goodConn *ipc.Conn
	l.Do(func() {
		for goodConn = range e.conns {
		}
	})
	for what, use := range map[string]func(c *client.Conn, conn *ipc.Conn){
		"request": func(c *client.Conn, _ *ipc.Conn) { c.Send(request(reqAsync, nil), nil) },
		"respond": func(_ *client.Conn, conn *ipc.Conn) { conn.Respond(make([]byte, 5000)) },
		"event":   func(_ *client.Conn, conn *ipc.Conn) { conn.Event(make([]byte, 5000), nil) },
		"flow":    func(_ *client.Conn, conn *ipc.Conn) { conn.SetFlow(2); conn.SetFlow(0) },
		"close":   func(_ *client.Conn, conn *ipc.Conn) { conn.Close() },
	} {
		c := dial(t, name)
		call(t, c, "x")
		if err := os.Truncate(filepath.Join(c.Dir(), "qb-control-"+name), 0); err != nil {
			t.Fatal(err)
		}
		l.Do(func() {
			for conn := range e.conns {
				if conn != goodConn {
					use(c, conn)
				}
			}
		})
		if what != "close" {
			c.Flow() // finds it gone, and lives
		}
		c.Close()
		err := e.await(t)
		if !errors.Is(err, ipc.ErrFault) && !errors.Is(err, ipc.ErrHungUp) && !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("%s: closed for %v", what, err)
		}
	}
	call(t, good, "still here")
	l.Do(func() {
		if st := l.Server.Stats(); st.Faults == 0 || st.Active != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestControlGarbage: what a client writes into the control file concerns itself
// alone.
func TestControlGarbage(t *testing.T) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	c := dial(t, name)
	for _, fill := range []byte{0xff, 0x7f, 0x80, 0x00} {
		if err := os.WriteFile(filepath.Join(c.Dir(), "qb-control-"+name), []byte(strings.Repeat(string([]byte{fill}), 24)), 0); err != nil {
			t.Fatal(err)
		}
		c.SetFlowLimit(-1) // of what the client itself wrote there
		call(t, c, "x")
		if _, err := c.Call(eventsRequest(reqEvents, 20, 100), nil, nil); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := c.Event(nil, time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSocketSpinner: a client that sends without end, with and without its
// connection, gets no more than its share.
func TestSocketSpinner(t *testing.T) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	sock, res := rawSockets(t, name)
	ours := open(t, res.Response, "response", "request")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for msg := request(reqAsync, nil); ; {
			select {
			case <-stop:
				return
			default:
				ours.Send(msg, nil)
			}
		}
	}()
	eventually(t, "requests are run", func() bool { return e.async.Load() > 10_000 })
	good := dial(t, name)
	call(t, good, "meanwhile")
	sock.Close()
	if err := e.await(t); !errors.Is(err, ipc.ErrHungUp) {
		t.Errorf("closed for %v", err)
	}
	call(t, good, "afterwards")
	close(stop)
	<-stopped
}

// TestFaithlessClient: a client that connects its socket to another one is
// given up, also while its requests are not read.
func TestFaithlessClient(t *testing.T) {
	for _, word := range []int32{0, 2} {
		e := newEcho()
		l, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
		_, res := rawSockets(t, name)
		ours := open(t, res.Response, "response", "request")
		ours.echo("x")
		l.Do(func() {
			for c := range e.conns {
				c.SetFlow(word)
				c.Respond(make([]byte, 24)) // lies in its queue when it leaves
			}
		})
		open(t, res.Response, "lover", "")
		ours.must(ours.Connect(ours.name("lover")))
		if err := e.await(t); !errors.Is(err, ipc.ErrCorrupt) {
			t.Errorf("word %d: closed for %v", word, err)
		}
		turns := l.Turns.Load()
		time.Sleep(20 * time.Millisecond)
		if n := l.Turns.Load() - turns; n > 10 {
			t.Errorf("word %d: %d turns with nothing to do", word, n)
		}
	}
}

// TestHeldIsQuiet: requests that may not be read do not keep the loop turning.
func TestHeldIsQuiet(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: ipc.Sockets})
	c := dial(t, name)
	call(t, c, "x")
	flow := func(word int32) {
		l.Do(func() {
			for conn := range e.conns {
				conn.SetFlow(word)
			}
		})
	}
	flow(2)
	for range 10 {
		if err := c.Send(request(reqAsync, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	turns := l.Turns.Load()
	time.Sleep(50 * time.Millisecond)
	if n := l.Turns.Load() - turns; n > 10 || e.async.Load() != 0 {
		t.Errorf("%d turns, %d requests run while held", n, e.async.Load())
	}
	flow(0)
	eventually(t, "all are run", func() bool { return e.async.Load() == 10 })
}

// TestLongNames: a directory that leaves no room for the sockets' names is
// refused, where the reference cuts them.
func TestLongNames(t *testing.T) {
	dir := filepath.Join(shmDir(t), strings.Repeat("d", 60))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	_, name := serve(t, newEcho(), ipc.Options{Transport: ipc.Sockets, Dir: dir})
	if _, err := client.Dial(name, client.Options{}); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("dial: %v", err)
	}
	if left := list(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
