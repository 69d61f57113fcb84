package ipc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/client"
	"cpgol/compat/ipc/internal/shm"
)

// TestTruncatedFiles cuts each ring file of a client at different lengths and
// makes the server use it in each way. Only that client is lost.
func TestTruncatedFiles(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{})
	good := dial(t, name)
	call(t, good, "x")
	var goodConn *ipc.Conn
	l.Do(func() {
		for goodConn = range e.conns {
		}
	})
	uses := map[string]func(c *client.Conn, conn *ipc.Conn){
		"request": func(c *client.Conn, _ *ipc.Conn) { c.Send(request(reqEcho, make([]byte, 50_000)), nil) },
		"respond": func(_ *client.Conn, conn *ipc.Conn) { conn.Respond(make([]byte, 50_000)) },
		"event":   func(_ *client.Conn, conn *ipc.Conn) { conn.Event(make([]byte, 50_000), nil) },
		"flow":    func(_ *client.Conn, conn *ipc.Conn) { conn.SetFlow(2); conn.SetFlow(0) },
		"close":   func(_ *client.Conn, conn *ipc.Conn) { conn.Close() },
		"hang up": func(c *client.Conn, _ *ipc.Conn) { go c.Close() },
		"backlog": func(c *client.Conn, conn *ipc.Conn) {
			for range 100 {
				conn.Event(make([]byte, 50_000), nil)
			}
		},
	}
	for what, use := range uses {
		for _, ring := range []string{"request", "response", "event"} {
			for _, part := range []string{"header", "data"} {
				for _, size := range []int64{0, 4096} {
					c := dial(t, name)
					call(t, c, "x")
					file := filepath.Join(c.Dir(), fmt.Sprintf("qb-%s-%s-%s", ring, name, part))
					if err := os.Truncate(file, size); err != nil {
						t.Fatal(err)
					}
					l.Do(func() {
						for conn := range e.conns {
							if conn != goodConn {
								use(c, conn)
							}
						}
					})
					c.Close()
					err := e.await(t)
					if !errors.Is(err, ipc.ErrFault) && !errors.Is(err, ipc.ErrCorrupt) && !errors.Is(err, ipc.ErrHungUp) && !errors.Is(err, ipc.ErrClosed) {
						t.Errorf("%s after %s-%s was cut to %d: closed for %v", what, ring, part, size, err)
					}
				}
			}
		}
	}
	call(t, good, "still here")
	l.Do(func() {
		if st := l.Server.Stats(); st.Faults == 0 || st.Active != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestScribblers: clients that write random words all over their rings, while
// the server uses them, hurt themselves alone.
func TestScribblers(t *testing.T) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{MaxQueue: 1 << 20})
	good := dial(t, name)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	stop := time.Now().Add(time.Second)
	for i := range uint64(3) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, i))
			for time.Now().Before(stop) {
				scribble(t, name, random)
			}
		})
	}
	for i := 0; time.Now().Before(stop); i++ {
		call(t, good, fmt.Sprint(i))
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
	call(t, good, "still here")
}

// scribble connects, and writes to memory and to the socket at random until it
// is disconnected, or a little longer.
func scribble(t *testing.T, name string, random *rand.Rand) {
	sock, res, err := rawConnect(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer sock.Close()
	var rings []shm.Memory
	for i, base := range []string{res.Request, res.Response, res.Event} {
		size := []int{shm.HeadSize, shm.PlainHeadSize, shm.PlainHeadSize}[i]
		m, err := shm.Open(base, size, int(res.MaxMessage))
		if err != nil {
			return
		}
		defer m.Unmap()
		rings = append(rings, m)
	}
	w := shm.NewWriter(rings[0])
	for range random.IntN(300) {
		m := rings[random.IntN(3)]
		at := []int{0, 4, 8, 8208, 8212}[random.IntN(5)]
		value := random.Uint32() >> random.IntN(32)
		switch random.IntN(8) {
		case 0:
			*word(m.Head, at) = value
		case 1:
			*word(m.Data, random.IntN(64)*4) = value
		case 2:
			*word(m.Data, random.IntN(len(m.Data)/4)*4) = 0xA1A1A1A1
		case 3:
			w.Write(eventsRequest(uint32(random.IntN(6)), uint32(random.IntN(50)), uint32(random.IntN(10000))), nil)
		case 4:
			w.Write(request(value, make([]byte, random.IntN(100))), nil)
		case 5:
			w.Write(make([]byte, random.IntN(40)), nil)
		}
		if _, err := sock.Write(make([]byte, 1+random.IntN(3))); err != nil {
			return
		}
	}
}

// TestSpinningWriter: a client whose thread keeps its ring full for ever, with
// and without its socket, gets no more than its share.
func TestSpinningWriter(t *testing.T) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{})
	sock, res, err := rawConnect(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := shm.Open(res.Request, shm.HeadSize, int(res.MaxMessage))
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		w := shm.NewWriter(m)
		for msg := request(reqAsync, nil); ; {
			select {
			case <-stop:
				m.Unmap()
				return
			default:
				m.Guard(func() error { _, err := w.Write(msg, nil); return err })
			}
		}
	})
	eventually(t, "requests are run", func() bool {
		sock.Write([]byte{1})
		return e.async.Load() > 10_000
	})
	good := dial(t, name)
	call(t, good, "meanwhile")
	sock.Close()
	if err := e.await(t); !errors.Is(err, ipc.ErrHungUp) && !errors.Is(err, ipc.ErrCorrupt) {
		t.Errorf("closed for %v", err)
	}
	call(t, good, "afterwards")
	close(stop)
	wg.Wait()
	l.Do(func() {})
}

// TestGreetings: every way to begin badly.
func TestGreetings(t *testing.T) { overBoth(t, testGreetings) }

func testGreetings(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	abstract, _ := shm.AbstractName(name)
	open := func() *net.UnixConn {
		for {
			c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: abstract})
			if errors.Is(err, unix.EAGAIN) {
				time.Sleep(time.Millisecond) // more at once than are let in
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}
	}
	hello := (&shm.ConnectRequest{MaxMessage: 20000}).Append(nil)
	strays := func() (n uint64) {
		l.Do(func() { n = l.Server.Stats().Strays })
		return n
	}

	silent := open()
	for n := range hello { // hang up after every prefix
		c := open()
		c.Write(hello[:n])
		c.Close()
	}
	eventually(t, "prefixes are dropped", func() bool { return strays() == uint64(len(hello)) })

	wrong := open()
	wrong.Write(append([]byte{1}, hello[1:]...))
	if n, err := wrong.Read(make([]byte, 1)); err == nil {
		t.Errorf("wrong id was answered with %d bytes", n)
	}

	slow := open() // a byte at a time is slow but right
	for _, b := range hello {
		slow.Write([]byte{b})
		time.Sleep(100 * time.Microsecond)
	}
	if res, err := readResponse(slow); err != nil || res.Errno != 0 || res.MaxMessage != 20000 {
		t.Errorf("slow: %+v, %v", res, err)
	}

	gift := open() // descriptors that come along are not kept
	file, err := os.CreateTemp(t.TempDir(), "gift")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	gift.WriteMsgUnix(hello, unix.UnixRights(int(file.Fd()), int(file.Fd())), nil)
	if res, err := readResponse(gift); err != nil || res.Errno != 0 {
		t.Errorf("gift: %+v, %v", res, err)
	}
	for _, fd := range list(t, "/proc/self/fd") {
		if target, _ := os.Readlink("/proc/self/fd/" + fd); target == file.Name() && fd != fmt.Sprint(file.Fd()) {
			t.Errorf("descriptor %s is the client's", fd)
		}
	}
	gift.Close()
	slow.Close()
	e.await(t)
	e.await(t)

	for range 300 { // a crowd that says nothing keeps nobody out
		open()
	}
	call(t, dial(t, name), "through the crowd")
	eventually(t, "the crowd is bounded", func() bool { return strays() >= uint64(len(hello))+1+300+1-128 })
	silent.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := silent.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest of the crowd was not hung up on")
	}
}

// TestNoDescriptors: with none left, clients are turned away and the loop does
// not spin.
func TestNoDescriptors(t *testing.T) { overBoth(t, testNoDescriptors) }

func testNoDescriptors(t *testing.T, via ipc.Transport) {
	l, name := serve(t, newEcho(), ipc.Options{Transport: via})
	abstract, _ := shm.AbstractName(name)
	good := dial(t, name)
	call(t, good, "x")
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sock)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var hoard []int
	l.Do(func() {
		low := limit
		low.Cur = 256
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Error(err)
			return
		}
		for {
			fd, err := unix.Dup(sock)
			if err != nil {
				break
			}
			hoard = append(hoard, fd)
		}
	})
	restore := func() {
		for _, fd := range hoard {
			unix.Close(fd)
		}
		hoard = nil
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	defer restore()
	sa := &unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	for i := 1; i < len(abstract); i++ {
		sa.Path[i] = int8(abstract[i])
	}
	if err := connectRaw(sock, sa); err != nil {
		t.Fatal(err)
	}
	eventually(t, "turned away", func() bool {
		n, err := unix.Read(sock, make([]byte, 1))
		return n == 0 && err == nil || errors.Is(err, unix.ECONNRESET)
	})
	turns := l.Turns.Load()
	time.Sleep(50 * time.Millisecond)
	if n := l.Turns.Load() - turns; n > 10 {
		t.Errorf("%d turns in 50 ms with nothing to do", n)
	}
	call(t, good, "still here")
	restore()
	call(t, dial(t, name), "again")
}

// TestNoLeaks connects and disconnects a thousand times, in many ways, and holds
// 200 connections at once.
func TestNoLeaks(t *testing.T) { overBoth(t, testNoLeaks) }

func testNoLeaks(t *testing.T, via ipc.Transport) {
	e := newEcho()
	opt := ipc.Options{Transport: via, Dir: shmDir(t)}
	l, name := serve(t, e, opt)
	small := func() *client.Conn {
		c, err := client.Dial(name, client.Options{ForceFile: "/nonexistent", MaxMessage: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	keep := small()
	defer keep.Close()
	call(t, keep, "x")
	files, maps, routines := openFiles(t), mappings(t, opt.Dir), runtime.NumGoroutine()
	for i := range 1000 {
		c := small()
		switch i % 5 {
		case 0:
			call(t, c, "x")
		case 1:
			c.Send(eventsRequest(reqFlood, 700, 3000), nil)
		case 2:
			c.Send(request(reqClose, nil), nil)
		case 3:
			c.Send([]byte("malformed"), nil)
		}
		c.Close()
		e.await(t)
	}
	var held []*client.Conn
	for range 200 {
		held = append(held, small())
	}
	for _, c := range held {
		call(t, c, "held")
	}
	for _, c := range held {
		c.Close()
		e.await(t)
	}
	eventually(t, "everything is given back", func() bool {
		return openFiles(t) == files && mappings(t, opt.Dir) == maps && runtime.NumGoroutine() <= routines && len(list(t, opt.Dir)) == 1
	})
	l.Do(func() {
		if st := l.Server.Stats(); st.Active != 1 || st.QueuedBytes != 0 || st.Malformed == 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestSwappedDirectory: a client that puts another directory in the place of
// its own has nothing removed there.
func TestSwappedDirectory(t *testing.T) { overBoth(t, testSwappedDirectory) }

func testSwappedDirectory(t *testing.T, via ipc.Transport) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: via})
	victim := t.TempDir()
	file := filepath.Join(victim, "qb-request-"+name+"-header")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, place := range []func(dir string) error{
		func(dir string) error { return os.Symlink(victim, dir) },
		func(dir string) error { return os.Rename(victim, dir) },
	} {
		c := dial(t, name)
		call(t, c, "x")
		dir := c.Dir()
		if err := os.Rename(dir, dir+"-moved"); err != nil {
			t.Fatal(err)
		}
		if err := place(dir); err != nil && !errors.Is(err, unix.EXDEV) {
			t.Fatal(err)
		}
		c.Close()
		e.await(t)
		time.Sleep(5 * time.Millisecond)
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		os.Remove(dir)
		os.RemoveAll(dir + "-moved")
	}
}

func openFiles(t testing.TB) int { return len(list(t, "/proc/self/fd")) }

// mappings counts this process's mappings of files in dir.
func mappings(t testing.TB, dir string) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), dir)
}
