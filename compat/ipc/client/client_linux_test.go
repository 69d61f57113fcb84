package client_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cpgol/compat/ipc/client"
)

// stockServer builds testdata/server.c with the host's libqb, once.
var stockServer = sync.OnceValues(func() (path string, err error) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return "", errors.New("no gcc")
	}
	if stockDir, err = os.MkdirTemp("", "cpgol-ipc-c-"); err != nil {
		return "", err
	}
	path = filepath.Join(stockDir, "server")
	out, err := exec.Command(gcc, "-std=gnu11", "-Wall", "-O1", "-o", path, "testdata/server.c", "-lqb").CombinedOutput()
	if bytes.Contains(out, []byte("qb/qbipcs.h")) || bytes.Contains(out, []byte("-lqb")) {
		return "", errors.New("no libqb-dev")
	}
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// stockDir is where the server was built.
var stockDir string

var names atomic.Int64 // of servers

func TestMain(m *testing.M) {
	code := m.Run()
	if stockDir != "" {
		os.RemoveAll(stockDir)
	}
	os.Exit(code)
}

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(t *testing.T, via string)) {
	for _, via := range []string{"shm", "socket"} {
		t.Run(via, func(t *testing.T) { test(t, via) })
	}
}

// serve starts the stock server under a name of its own.
func serve(t *testing.T, via string) (name string, server *os.Process) {
	t.Helper()
	path, err := stockServer()
	if err != nil {
		if strings.HasPrefix(err.Error(), "no ") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	name = fmt.Sprintf("cpgol-client-%d-%d", os.Getpid(), names.Add(1))
	cmd := exec.Command(path, name, via)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		left, _ := filepath.Glob(fmt.Sprintf("/dev/shm/qb-%d-*", cmd.Process.Pid))
		for _, dir := range left {
			os.RemoveAll(dir)
		}
	})
	if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "ready" {
		t.Fatalf("server said %q", s.Text())
	}
	return name, cmd.Process
}

func dial(t *testing.T, name string) *client.Conn {
	t.Helper()
	c, err := client.Dial(name, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// request is a header and a payload of numbers.
func request(id uint32, args ...uint32) []byte {
	b := make([]byte, 16)
	for _, a := range args {
		b = binary.NativeEndian.AppendUint32(b, a)
	}
	binary.NativeEndian.PutUint32(b, id)
	binary.NativeEndian.PutUint32(b[8:], uint32(len(b)))
	return b
}

func TestStockEcho(t *testing.T) { overBoth(t, testStockEcho) }

func testStockEcho(t *testing.T, via string) {
	name, _ := serve(t, via)
	c := dial(t, name)
	if c.MaxMessage() != 1<<20 {
		t.Errorf("messages of %d bytes", c.MaxMessage())
	}
	var buf []byte
	sizes := []int{0, 1, 5, 4096, 300_001, 7}
	if via == "shm" { // stock's answers over sockets have the system's limit
		sizes = append(sizes, 1<<20-24, 7)
	}
	for i, size := range sizes {
		body := bytes.Repeat([]byte{byte('a' + i)}, size)
		head := request(0)
		binary.NativeEndian.PutUint32(head[8:], uint32(16+size))
		// The stock server frees a request after it has answered it, so the
		// next may find the ring full.
		err := error(syscall.EAGAIN)
		for errors.Is(err, syscall.EAGAIN) {
			buf, err = c.Call(head, body, buf)
		}
		if err != nil || !bytes.Equal(buf[24:], body) {
			t.Fatalf("echo of %d bytes: %d bytes, %v", size, len(buf), err)
		}
	}
	for range 5000 {
		if _, err := c.Call(request(0), nil, buf); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStockEvents(t *testing.T) { overBoth(t, testStockEvents) }

func testStockEvents(t *testing.T, via string) {
	name, _ := serve(t, via)
	c := dial(t, name)
	bursts := []struct{ count, size uint32 }{{1, 32}, {1000, 61}, {2000, 300}, {3, 300_000}}
	if via == "socket" { // what the kernel takes: this server drops the rest
		bursts = []struct{ count, size uint32 }{{1, 32}, {200, 61}, {300, 300}, {3, 100_000}}
	}
	for _, a := range bursts {
		if _, err := c.Call(request(1, a.count, a.size), nil, nil); err != nil {
			t.Fatal(err)
		}
		var buf []byte
		for i := range a.count {
			var err error
			buf, err = c.Event(buf, 5*time.Second)
			if err != nil || len(buf) != int(a.size) || binary.NativeEndian.Uint32(buf[24:]) != i || a.size > 40 && buf[40] != byte(i+8) {
				t.Fatalf("event %d of %+v: %d bytes, %v", i, a, len(buf), err)
			}
		}
	}
	if _, err := c.Event(nil, 0); !errors.Is(err, client.ErrTimeout) {
		t.Errorf("event after the last: %v", err)
	}
	if _, err := c.Recv(nil, 10*time.Millisecond); !errors.Is(err, client.ErrTimeout) {
		t.Errorf("answer to nothing: %v", err)
	}
}

func TestStockFlow(t *testing.T) { overBoth(t, testStockFlow) }

func testStockFlow(t *testing.T, via string) {
	name, _ := serve(t, via)
	c := dial(t, name)
	if err := c.Send(request(4, 2, 200), nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		if word, err := c.Flow(); err != nil || time.Now().After(deadline) {
			t.Fatal(word, err)
		} else if word == 2 {
			break
		}
	}
	c.SetFlowLimit(2)
	if err := c.Send(request(2), nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("send at word 2, limit 2: %v", err)
	}
	c.SetFlowLimit(1)
	start := time.Now()
	if _, err := c.Call(request(0), nil, nil); err != nil || time.Since(start) < 50*time.Millisecond {
		t.Errorf("call at word 2, limit 1: %v after %v", err, time.Since(start))
	}
}

func TestStockGoesAway(t *testing.T) { overBoth(t, testStockGoesAway) }

func testStockGoesAway(t *testing.T, via string) {
	name, server := serve(t, via)
	c := dial(t, name)
	if _, err := c.Call(request(3), nil, nil); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("call on a dropped connection: %v", err)
	}
	if err := c.Send(request(0), nil); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("send on a dropped connection: %v", err)
	}
	c = dial(t, name)
	if _, err := c.Call(request(1, 3, 32), nil, nil); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := c.Recv(nil, -1); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("answer from a dead server: %v", err)
	}
	for range 3 { // what it had told of is there
		if _, err := c.Event(nil, time.Second); err != nil {
			t.Errorf("event of a dead server: %v", err)
		}
	}
	if _, err := c.Event(nil, -1); !errors.Is(err, client.ErrDisconnected) {
		t.Errorf("event from a dead server: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		_, err := client.Dial(name, client.Options{})
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("dial: %v", err)
		}
	}
}

// TestClose ends waits at once.
func TestClose(t *testing.T) { overBoth(t, testClose) }

func testClose(t *testing.T, via string) {
	name, _ := serve(t, via)
	c := dial(t, name)
	errs := make(chan error)
	go func() { _, err := c.Recv(nil, -1); errs <- err }()
	go func() { _, err := c.Event(nil, -1); errs <- err }()
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	c.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, client.ErrClosed) {
			t.Errorf("wait ended with %v", err)
		}
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("Close took %v", d)
	}
	if err := c.Send(request(0), nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("send after Close: %v", err)
	}
	if _, err := c.Event(nil, 0); !errors.Is(err, client.ErrClosed) {
		t.Errorf("event after Close: %v", err)
	}
}
