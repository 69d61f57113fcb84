package ipc_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/client"
	"cpgol/compat/ipc/internal/ipctest"
	"cpgol/daemon/service"
)

var (
	_ ipc.Poller   = (*ipctest.Loop)(nil)
	_ service.Conn = (*ipc.Conn)(nil)
	_ ipc.Handler  = (*echo)(nil)
)

// The requests that an echo service knows.
const (
	reqEcho   = 0 // answers with the payload
	reqEvents = 1 // count u32 @16, size u32 @20: that many events, then an answer
	reqAsync  = 2 // counts, no answer
	reqClose  = 3 // disconnects
	reqFlood  = 4 // as reqEvents, no answer
)

// Sizes of the headers.
const (
	h16 = 16
	h24 = 24
)

// An echo is the service behind most tests.
type echo struct {
	refuse    syscall.Errno
	connected func(*ipc.Conn)

	conns   map[*ipc.Conn]bool // in the loop only
	async   atomic.Int64
	closed  atomic.Int64
	reasons chan error
}

func newEcho() *echo {
	return &echo{conns: make(map[*ipc.Conn]bool), reasons: make(chan error, 10000)}
}

func (e *echo) Accept(ipc.Credentials) syscall.Errno { return e.refuse }

func (e *echo) Connected(c *ipc.Conn) {
	e.conns[c] = true
	if e.connected != nil {
		e.connected(c)
	}
}

func (e *echo) Closed(c *ipc.Conn) {
	if !e.conns[c] {
		panic("closed twice, or never connected")
	}
	delete(e.conns, c)
	c.Event(nil, make([]byte, h24)) // must do nothing
	c.Respond(make([]byte, h24))
	c.SetFlow(2)
	c.Close()
	e.closed.Add(1)
	e.reasons <- c.Reason()
}

func (e *echo) Request(c *ipc.Conn, msg []byte) {
	switch id := binary.NativeEndian.Uint32(msg); id {
	case reqEcho:
		c.Respond(message(id, h24, msg[h16:]))
	case reqEvents, reqFlood:
		if len(msg) < 24 {
			return
		}
		count, size := binary.NativeEndian.Uint32(msg[16:]), binary.NativeEndian.Uint32(msg[20:])
		count, size = min(count, 10_000), min(size, uint32(c.MaxMessage()))
		for i := uint32(0); i < count && c.Reason() == nil; i++ {
			c.Event(event(i, size))
		}
		if id == reqEvents {
			c.Respond(message(id, h24, nil))
		}
	case reqAsync:
		e.async.Add(1)
	case reqClose:
		c.Close()
		c.Respond(message(id, h24, nil))
	}
}

// event is number i of a sequence, in two parts.
func event(i, size uint32) (head, body []byte) {
	head = message(100, 32, nil)
	binary.NativeEndian.PutUint32(head[8:], size)
	binary.NativeEndian.PutUint32(head[24:], i)
	body = make([]byte, max(size, 32)-32)
	for j := range body {
		body[j] = byte(int(i) + j)
	}
	return head, body
}

// checkEvent checks a whole event.
func checkEvent(msg []byte, i, size uint32) error {
	head, body := event(i, size)
	if want := append(head, body...); string(want) != string(msg) {
		return fmt.Errorf("event %d of %d bytes: got %d bytes, number %d", i, size, len(msg), binary.NativeEndian.Uint32(msg[24:]))
	}
	return nil
}

// message is a header of the given length and a payload.
func message(id uint32, header int, payload []byte) []byte {
	b := make([]byte, header, header+len(payload))
	binary.NativeEndian.PutUint32(b, id)
	binary.NativeEndian.PutUint32(b[8:], uint32(header+len(payload)))
	return append(b, payload...)
}

func request(id uint32, payload []byte) []byte { return message(id, h16, payload) }

func eventsRequest(id, count, size uint32) []byte {
	p := binary.NativeEndian.AppendUint32(nil, count)
	return request(id, binary.NativeEndian.AppendUint32(p, size))
}

var names atomic.Int64

// uniqueName is a service name that no other run of the tests uses: abstract
// names belong to the whole network namespace.
func uniqueName() string { return fmt.Sprintf("cpgol-ipc-test-%d-%d", os.Getpid(), names.Add(1)) }

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(t *testing.T, via ipc.Transport)) {
	t.Run("rings", func(t *testing.T) { test(t, ipc.SharedMemory) })
	t.Run("sockets", func(t *testing.T) { test(t, ipc.Sockets) })
}

// sendable is the largest of these sizes that a client of stock libqb can send
// over the transport: datagrams have the system's limit, which before Linux 6.18
// is less than a megabyte.
func sendable(t testing.TB, via ipc.Transport, sizes ...int) int {
	t.Helper()
	limit := 1 << 30
	if via == ipc.Sockets {
		limit = 2 * 212992
		if b, err := os.ReadFile("/proc/sys/net/core/wmem_max"); err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
			limit = 2 * n
		}
	}
	slices.Sort(sizes)
	for _, size := range slices.Backward(sizes) {
		if size+100 < limit {
			return size
		}
	}
	t.Fatalf("none of %v can be sent", sizes)
	return 0
}

// serve starts a server with the handler under a name of its own. Its files are
// in a directory of its own too.
func serve(t testing.TB, h ipc.Handler, opt ipc.Options) (l *ipctest.Loop, name string) {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = shmDir(t)
	}
	if opt.ForceFile == "" {
		opt.ForceFile = "/nonexistent"
	}
	l = ipctest.Start(t, opt)
	name = uniqueName()
	var err error
	l.Do(func() { _, err = l.Server.Listen(name, h) })
	if err != nil {
		t.Fatal(err)
	}
	return l, name
}

// shmDir is a directory in shared memory that must be empty in the end.
func shmDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "cpgol-ipc-")
	if err != nil {
		t.Skipf("no shared memory: %v", err)
	}
	os.Chmod(dir, 0o755)
	t.Cleanup(func() {
		if left := list(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		os.RemoveAll(dir)
	})
	return dir
}

func list(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func dial(t testing.TB, name string) *client.Conn {
	t.Helper()
	c, err := client.Dial(name, client.Options{ForceFile: "/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// call does one echo and checks it.
func call(t testing.TB, c *client.Conn, payload string) {
	t.Helper()
	got, err := c.Call(request(reqEcho, nil), nil, nil)
	if err == nil {
		got, err = c.Call(request(reqEcho, []byte(payload)), nil, got)
	}
	if err != nil || string(got[h24:]) != payload {
		t.Fatalf("echo of %q: %q, %v", payload, got, err)
	}
}

// eventually waits for what another goroutine or process brings about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// await is the reason of the next connection that ends.
func (e *echo) await(t testing.TB) error {
	t.Helper()
	select {
	case err := <-e.reasons:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no connection ended")
		return nil
	}
}
