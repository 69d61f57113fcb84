// Package ipctest drives an [ipc.Server] in tests: the smallest loop that a
// daemon could have.
package ipctest

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc"
)

// A Loop owns a server and the goroutine that it belongs to.
type Loop struct {
	Server *ipc.Server // to be touched within [Loop.Do] only

	epoll   int
	wake    int
	ready   map[int]func(events uint32)
	calls   chan func()
	stopped chan struct{}
	stop    bool
	start   time.Time

	// Turns counts turns of the loop.
	Turns atomic.Int64
}

// Start runs a server until the test ends.
func Start(tb testing.TB, opt ipc.Options) *Loop {
	tb.Helper()
	l := &Loop{
		ready:   make(map[int]func(uint32)),
		calls:   make(chan func()),
		stopped: make(chan struct{}),
		start:   time.Now(),
	}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		tb.Fatal(err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		tb.Fatal(err)
	}
	if l.Server, err = ipc.NewServer(l, opt); err != nil {
		tb.Fatal(err)
	}
	if err := l.Add(l.wake, unix.EPOLLIN, l.runCalls); err != nil {
		tb.Fatal(err)
	}
	go l.run()
	tb.Cleanup(func() {
		l.Stop()
		unix.Close(l.wake)
		unix.Close(l.epoll)
	})
	return l
}

// Stop closes the server and ends the loop.
func (l *Loop) Stop() {
	l.Do(func() {
		l.Server.Close()
		l.stop = true
	})
	<-l.stopped
}

// Do runs f in the loop, between two turns.
func (l *Loop) Do(f func()) {
	done := make(chan struct{})
	go func() {
		l.calls <- func() { defer close(done); f() }
	}()
	unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	select {
	case <-done:
	case <-l.stopped:
	}
}

// Isolate moves the loop's thread into a network namespace of its own, where
// any socket name is free. What is started within [Loop.Do] then is there too.
// The namespace ends with its last user.
func (l *Loop) Isolate(tb testing.TB) {
	tb.Helper()
	var err error
	l.Do(func() { err = unix.Unshare(unix.CLONE_NEWNET) })
	if err != nil {
		tb.Skipf("no network namespace: %v", err)
	}
}

func (l *Loop) runCalls(uint32) {
	var n [8]byte
	unix.Read(l.wake, n[:])
	(<-l.calls)()
}

func (l *Loop) run() {
	defer close(l.stopped)
	runtime.LockOSThread() // for good: see [Loop.Isolate]
	var events [64]unix.EpollEvent
	for !l.stop {
		n, err := unix.EpollWait(l.epoll, events[:], l.timeout())
		if err != nil && err != unix.EINTR {
			panic(err)
		}
		for _, ev := range events[:max(n, 0)] {
			if ready := l.ready[int(ev.Fd)]; ready != nil {
				ready(ev.Events)
			}
		}
		l.Server.Tick(time.Since(l.start))
		l.Turns.Add(1)
	}
}

func (l *Loop) timeout() int {
	deadline := l.Server.Deadline()
	if deadline == ipc.Never {
		return -1
	}
	wait := deadline - time.Since(l.start)
	return int((max(wait, 0) + time.Millisecond - 1) / time.Millisecond)
}

// Add, Modify and Remove make the loop a [ipc.Poller].
func (l *Loop) Add(fd int, events uint32, ready func(events uint32)) error {
	l.ready[fd] = ready
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *Loop) Modify(fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *Loop) Remove(fd int) error {
	delete(l.ready, fd)
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}
