package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/dgram"
	"cpgol/compat/ipc/internal/shm"
)

// sockets carry messages as datagrams (libqb lib/ipc_socket.c). Nothing is ever
// said on the connection's own socket; its end is the server's.
type sockets struct {
	conn     *Conn
	requests *channel // and answers
	events   *channel

	inUse   sync.RWMutex // held for reading by whoever touches the control file
	control shm.Control

	watched chan struct{} // closed when the watching of the server has ended
}

// A channel is one of our datagram sockets.
type channel struct {
	sock     *net.UnixConn
	in, out  *dgram.Socket // the same with the working space of one goroutine each
	lost     atomic.Bool   // the server is gone
	deadline sync.Mutex    // the socket's read deadline, against lost
	scratch  []byte        // where messages arrive: how long one is shows afterwards
}

// openSockets attaches to the server's sockets. On error nothing stays open.
func openSockets(c *Conn, res shm.ConnectResponse) (_ carrier, err error) {
	s := &sockets{conn: c, watched: make(chan struct{})}
	defer func() {
		if err != nil {
			s.requests.close()
			s.events.close()
			s.control.Unmap()
		}
	}()
	if s.control, err = shm.OpenControl(res.Request); err != nil {
		return nil, err
	}
	if s.requests, err = openChannel(res.Response, "response", "request", c.max); err != nil {
		return nil, err
	}
	if s.events, err = openChannel(res.Response, "event", "event-tx", c.max); err != nil {
		return nil, err
	}
	go s.watch()
	return s, nil
}

// openChannel makes our socket and gives it its name last: when others can send
// to it, it is connected, and the kernel keeps them out. The reference binds
// first.
func openChannel(base, local, remote string, max int) (*channel, error) {
	ours, err := dgram.MakeName(base, local)
	if err != nil {
		return nil, err
	}
	theirs, err := dgram.MakeName(base, remote)
	if err != nil {
		return nil, err
	}
	sock, err := dgram.Open()
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(sock.FD()), base)
	defer file.Close()
	if err := sock.Connect(&theirs); err != nil {
		return nil, err
	}
	if err := sock.Bind(&ours); err != nil {
		return nil, err
	}
	if _, err := sock.Reserve(max); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	ch := &channel{sock: conn.(*net.UnixConn), scratch: make([]byte, max)}
	raw, err := ch.sock.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			ch.in, ch.out = dgram.Adopt(int(fd)), dgram.Adopt(int(fd))
		})
	}
	if err != nil {
		ch.close()
		return nil, err
	}
	return ch, nil
}

func (ch *channel) close() {
	if ch != nil {
		ch.sock.Close()
	}
}

// watch waits for the server's end and wakes who waits for messages.
func (s *sockets) watch() {
	defer close(s.watched)
	var b [1]byte
	s.conn.sock.Read(b[:]) // libqb takes a byte for the end as well (qb_ipc_us_ready)
	for _, ch := range []*channel{s.requests, s.events} {
		ch.deadline.Lock()
		ch.lost.Store(true)
		ch.sock.SetReadDeadline(time.Unix(1, 0))
		ch.deadline.Unlock()
	}
}

func (s *sockets) flow() (word int32, err error) {
	err = s.use(func() error {
		word = s.control.Flow()
		return nil
	})
	return word, err
}

func (s *sockets) send(head, body []byte) error {
	word, err := s.flow()
	switch {
	case err != nil:
		return err
	case s.requests.lost.Load():
		return s.conn.ended(syscall.ENOTCONN)
	case s.conn.refused(word):
		return syscall.EAGAIN
	}
	raw, err := s.requests.sock.SyscallConn()
	if err != nil {
		return s.conn.ended(err)
	}
	ctlErr := raw.Control(func(uintptr) { err = s.requests.out.Send(head, body) })
	switch {
	case ctlErr != nil:
		return s.conn.ended(ctlErr)
	case err == nil:
		return s.use(func() error {
			s.control.Sent(shm.RequestChannel)
			return nil
		})
	case dgram.Full(err):
		return syscall.EAGAIN
	case errors.Is(err, unix.EMSGSIZE): // beyond the system's limit
		return syscall.EMSGSIZE
	}
	return s.conn.ended(err)
}

func (s *sockets) recv(buf []byte, timeout time.Duration) ([]byte, error) {
	return s.take(s.requests, shm.ResponseChannel, buf, timeout)
}

func (s *sockets) event(buf []byte, timeout time.Duration) ([]byte, error) {
	return s.take(s.events, shm.EventChannel, buf, timeout)
}

// take waits for a message. What came before the server's end is still taken.
func (s *sockets) take(ch *channel, which shm.Channel, buf []byte, timeout time.Duration) ([]byte, error) {
	n, err := ch.recv(timeout)
	switch {
	case err == nil:
	case ch.lost.Load() || !errors.Is(err, syscall.EAGAIN):
		return nil, s.conn.ended(err)
	default:
		return nil, ErrTimeout
	}
	return append(buf[:0], ch.scratch[:n]...), s.use(func() error {
		s.control.Taken(which)
		return nil
	})
}

// recv gives EAGAIN if nothing came in time, or before the server ended.
func (ch *channel) recv(timeout time.Duration) (n int, err error) {
	if n, err = ch.recvNow(); timeout == 0 || !errors.Is(err, syscall.EAGAIN) {
		return n, err
	}
	if !ch.setDeadline(timeout) {
		return ch.recvNow()
	}
	raw, err := ch.sock.SyscallConn()
	if err != nil {
		return 0, err
	}
	waitErr := raw.Read(func(uintptr) bool {
		n, err = ch.message()
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case errors.Is(waitErr, os.ErrDeadlineExceeded):
		return ch.recvNow() // the server may have ended just behind a message
	case waitErr != nil:
		return 0, waitErr
	}
	return n, err
}

// setDeadline reports whether waiting is of use.
func (ch *channel) setDeadline(timeout time.Duration) bool {
	ch.deadline.Lock()
	defer ch.deadline.Unlock()
	if ch.lost.Load() {
		return false
	}
	var at time.Time
	if timeout > 0 {
		at = time.Now().Add(timeout)
	}
	ch.sock.SetReadDeadline(at)
	return true
}

func (ch *channel) recvNow() (n int, err error) {
	raw, err := ch.sock.SyscallConn()
	if err != nil {
		return 0, err
	}
	if ctlErr := raw.Control(func(uintptr) { n, err = ch.message() }); ctlErr != nil {
		return 0, ctlErr
	}
	return n, err
}

// message receives what there is, or gives EAGAIN.
func (ch *channel) message() (int, error) {
	n, whole, err := ch.in.Recv(ch.scratch)
	if err == nil && !whole {
		return 0, fmt.Errorf("message of more than %d bytes: %w", len(ch.scratch), shm.ErrCorrupt)
	}
	return n, err
}

// use runs access to the control file unless the connection is being closed.
func (s *sockets) use(access func() error) error {
	s.inUse.RLock()
	defer s.inUse.RUnlock()
	if s.conn.closing.Load() {
		return ErrClosed
	}
	return s.control.Guard(access)
}

func (s *sockets) close() {
	s.requests.close()
	s.events.close()
	s.inUse.Lock()
	defer s.inUse.Unlock()
	s.control.Unmap()
	<-s.watched
}
