package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// rings carry messages over shared memory (libqb lib/ipc_shm.c).
type rings struct {
	conn  *Conn
	mem   [3]shm.Memory
	inUse sync.RWMutex // held for reading by whoever touches the memory

	request  *shm.Writer
	response *shm.Reader
	events   *shm.Reader

	told  int   // events that the server told of and nobody took yet
	lost  error // the socket's end, once it was seen
	bytes [256]byte
}

// liveness is how long a wait for an answer lasts before the socket is asked
// whether the server is still there (libqb lib/ipcc.c: QB_IPC_MAX_WAIT_MS).
const liveness = 2 * time.Second

// openRings maps the rings. On error nothing stays mapped.
func openRings(c *Conn, res shm.ConnectResponse) (carrier, error) {
	r := &rings{conn: c}
	for i, base := range []string{res.Request, res.Response, res.Event} {
		size := shm.PlainHeadSize
		if i == 0 {
			size = shm.HeadSize
		}
		var err error
		if r.mem[i], err = shm.Open(base, size, c.max); err != nil {
			r.unmap()
			return nil, err
		}
	}
	r.request = shm.NewWriter(r.mem[0])
	r.response = shm.NewReader(r.mem[1], c.max)
	r.events = shm.NewReader(r.mem[2], c.max)
	return r, nil
}

func (r *rings) flow() (word int32, err error) {
	err = r.use(0, func() error {
		word = r.mem[0].Flow()
		return nil
	})
	return word, err
}

// wakeUp is the byte that follows a request; its value means nothing.
var wakeUp = []byte{1}

// send puts a request into the server's ring and wakes the server.
func (r *rings) send(head, body []byte) error {
	err := r.use(0, func() error {
		if r.mem[0].Refs() != 2 {
			return ErrDisconnected
		}
		if r.conn.refused(r.mem[0].Flow()) {
			return syscall.EAGAIN
		}
		wake, err := r.request.Write(head, body)
		if wake {
			r.mem[0].Wake()
		}
		return err
	})
	if err != nil {
		if errors.Is(err, shm.ErrFull) {
			return syscall.EAGAIN
		}
		return err
	}
	if _, err := r.conn.sock.Write(wakeUp); err != nil {
		return r.conn.ended(err)
	}
	return nil
}

// recv sleeps on the ring's semaphore and looks now and then whether the server
// lives.
func (r *rings) recv(buf []byte, timeout time.Duration) (msg []byte, err error) {
	deadline := time.Now().Add(timeout)
	for {
		wait := liveness
		if timeout >= 0 {
			wait = min(wait, time.Until(deadline))
		}
		err = r.use(1, func() (err error) {
			msg, err = r.response.Take(buf)
			if errors.Is(err, shm.ErrEmpty) && wait > 0 {
				r.mem[1].Sleep(wait)
				msg, err = r.response.Take(buf)
			}
			return err
		})
		if !errors.Is(err, shm.ErrEmpty) {
			return msg, err
		}
		if err := r.alive(); err != nil {
			return nil, err
		}
		if timeout >= 0 && time.Until(deadline) <= 0 {
			return nil, ErrTimeout
		}
	}
}

// event takes an event that a byte on the socket has told of.
func (r *rings) event(buf []byte, timeout time.Duration) (msg []byte, err error) {
	if r.told == 0 {
		if err := r.awaitEvent(timeout); err != nil {
			return nil, err
		}
	}
	err = r.use(2, func() (err error) {
		msg, err = r.events.Take(buf)
		return err
	})
	if errors.Is(err, shm.ErrEmpty) {
		return nil, fmt.Errorf("told of an event that is not there: %w", shm.ErrCorrupt)
	}
	if err == nil {
		r.told--
	}
	return msg, err
}

// awaitEvent waits for the bytes that tell of events, one each.
func (r *rings) awaitEvent(timeout time.Duration) error {
	if r.lost != nil {
		return r.lost
	}
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	n, err := r.readNow(r.bytes[:])
	if errors.Is(err, syscall.EAGAIN) && timeout != 0 {
		r.conn.sock.SetReadDeadline(deadline)
		n, err = r.conn.sock.Read(r.bytes[:])
	}
	switch {
	case err == nil:
		r.told = n
		return nil
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	}
	r.lost = r.conn.ended(err)
	return r.lost
}

// readNow reads what the socket has, or EAGAIN. The runtime's own Read tries
// nothing once its deadline has passed.
func (r *rings) readNow(b []byte) (n int, err error) {
	raw, err := r.conn.sock.SyscallConn()
	if err != nil {
		return 0, err
	}
	ctlErr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), b) })
	switch {
	case ctlErr != nil:
		return 0, ctlErr
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// alive asks the socket for the server's end without taking bytes off it.
func (r *rings) alive() error {
	raw, err := r.conn.sock.SyscallConn()
	if err != nil {
		return r.conn.ended(err)
	}
	var end error
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
			end = ErrDisconnected
		}
	})
	if err != nil {
		return r.conn.ended(err)
	}
	return end
}

// use runs access to a ring unless the connection is being closed.
func (r *rings) use(ring int, access func() error) error {
	r.inUse.RLock()
	defer r.inUse.RUnlock()
	if r.conn.closing.Load() {
		return ErrClosed
	}
	return r.mem[ring].Guard(access)
}

func (r *rings) close() {
	for !r.inUse.TryLock() { // somebody waits for an answer, or is about to
		r.mem[1].Wake()
		time.Sleep(time.Millisecond)
	}
	defer r.inUse.Unlock()
	r.unmap()
}

func (r *rings) unmap() {
	for _, m := range r.mem {
		if m.Data != nil {
			m.Guard(func() error {
				m.Detach()
				return nil
			})
		}
		m.Unmap()
	}
}
