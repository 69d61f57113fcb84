// Package client is the client's end of libqb's IPC over shared memory, without
// the C library: it works with any server of libqb 1.0.4 or later, the stock
// corosync daemon among them. It moves bytes; the messages of a service are
// the caller's.
//
//	c, err := client.Dial("cmap", client.Options{})
//	answer, err := c.Call(request, nil, buf)
//	event, err := c.Event(buf, time.Second)
//
// Three goroutines may use a [Conn] at once: one that sends and waits for
// answers, one that waits for events, one that closes it.
//
// Reference: libqb lib/ipcc.c, lib/ipc_setup.c, lib/ipc_shm.c.
package client

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// Options say where a server is and how much to exchange with it. Zero values
// mean the defaults.
type Options struct {
	// MaxMessage is the longest message to send or receive: 1 MiB, as in the
	// libraries of corosync. The server may grant more, never less than 12328.
	MaxMessage int
	// ForceFile and SocketDirs are as in the server's options.
	ForceFile  string
	SocketDirs []string
	// Timeout bounds the handshake: ten seconds. The reference waits for ever.
	Timeout time.Duration
}

// A Conn is a connection to a service.
type Conn struct {
	sock *net.UnixConn
	max  int
	dir  string // of the ring files

	rings   [3]shm.Memory
	request *shm.Writer

	sendMu sync.Mutex

	recvMu   sync.Mutex
	response *shm.Reader

	eventMu sync.Mutex
	event   *shm.Reader
	told    int   // events that the server told of and nobody took yet
	lost    error // the socket's end, once it was seen
	bytes   [256]byte

	flowLimit atomic.Int32
	closing   atomic.Bool
	inUse     sync.RWMutex // held for reading by whoever touches the rings
}

// Errors beside errno values. A refused connection's error is the errno that
// the server gave; errors.Is finds it.
var (
	// ErrTimeout says that nothing came in time. It is a net.Error timeout too.
	ErrTimeout = os.ErrDeadlineExceeded
	// ErrDisconnected says that the server is gone or dropped the connection.
	ErrDisconnected = errors.New("disconnected")
	// ErrClosed says that Close was called.
	ErrClosed = net.ErrClosed
)

// liveness is how long a wait for an answer lasts before the socket is asked
// whether the server is still there (libqb lib/ipcc.c: QB_IPC_MAX_WAIT_MS).
const liveness = 2 * time.Second

// Dial connects to the named service of this host.
func Dial(service string, opt Options) (*Conn, error) {
	opt.setDefaults()
	c, err := dial(service, opt)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", service, err)
	}
	return c, nil
}

func (o *Options) setDefaults() {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 1 << 20
	}
	if o.ForceFile == "" {
		o.ForceFile = "/etc/libqb/force-filesystem-sockets"
	}
	if o.SocketDirs == nil {
		o.SocketDirs = []string{"/tmp", "/run"}
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
}

func dial(service string, opt Options) (*Conn, error) {
	sock, err := dialSocket(service, opt)
	if err != nil {
		return nil, err
	}
	c := &Conn{sock: sock}
	c.flowLimit.Store(1)
	res, err := c.greet(opt)
	if err == nil {
		err = c.open(res)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// dialSocket finds the service where libqb would: in the abstract namespace, or
// with the switch for it in the file system (qb_ipcc_stream_sock_connect).
func dialSocket(service string, opt Options) (*net.UnixConn, error) {
	if _, err := os.Stat(opt.ForceFile); err != nil {
		name, err := shm.AbstractName(service)
		if err != nil {
			return nil, err
		}
		return net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: name})
	}
	var last error = syscall.ENOENT
	for _, dir := range opt.SocketDirs {
		sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, service)})
		if err == nil {
			return sock, nil
		}
		last = err
	}
	return nil, last
}

// greet asks for a connection and reads the answer.
func (c *Conn) greet(opt Options) (res shm.ConnectResponse, err error) {
	c.sock.SetDeadline(time.Now().Add(opt.Timeout))
	defer c.sock.SetDeadline(time.Time{})
	req := shm.ConnectRequest{MaxMessage: uint32(max(opt.MaxMessage, shm.ResponseLen))}
	if _, err := c.sock.Write(req.Append(nil)); err != nil {
		return res, err
	}
	var buf [shm.ResponseLen]byte
	if _, err := io.ReadFull(c.sock, buf[:]); err != nil {
		return res, fmt.Errorf("%w during the handshake: %w", ErrDisconnected, err)
	}
	if _, err := res.Decode(buf[:]); err != nil {
		return res, err
	}
	if res.Errno != 0 {
		return res, syscall.Errno(res.Errno)
	}
	if res.MaxMessage > 1<<30 {
		return res, fmt.Errorf("connection response: messages of %d bytes", res.MaxMessage)
	}
	return res, nil
}

// open maps the rings.
func (c *Conn) open(res shm.ConnectResponse) (err error) {
	c.max = int(res.MaxMessage)
	c.dir = filepath.Dir(res.Request)
	for i, base := range []string{res.Request, res.Response, res.Event} {
		size := shm.PlainHeadSize
		if i == 0 {
			size = shm.HeadSize
		}
		if c.rings[i], err = shm.Open(base, size, c.max); err != nil {
			return err
		}
	}
	c.request = shm.NewWriter(c.rings[0])
	c.response = shm.NewReader(c.rings[1], c.max)
	c.event = shm.NewReader(c.rings[2], c.max)
	return nil
}

// MaxMessage is the longest message either way.
func (c *Conn) MaxMessage() int { return c.max }

// Dir is the directory of the connection's ring files.
func (c *Conn) Dir() string { return c.dir }

// SetFlowLimit says up to which value of the server's flow-control word sends
// are refused: 1, or 2 around a cpg multicast (qb_ipcc_fc_enable_max_set).
func (c *Conn) SetFlowLimit(limit int32) { c.flowLimit.Store(limit) }

// Flow is the server's flow-control word now.
func (c *Conn) Flow() (word int32, err error) {
	err = c.use(0, func() error {
		word = c.rings[0].Flow()
		return nil
	})
	return word, err
}

// wakeUp is the byte that follows a request; its value means nothing.
var wakeUp = []byte{1}

// Send puts a request, head followed by body, into the server's ring. It gives
// EAGAIN if the server wants no more now or the ring is full, and EMSGSIZE for
// a message that is too long (libqb lib/ipcc.c:qb_ipcc_sendv).
func (c *Conn) Send(head, body []byte) error {
	if len(head)+len(body) > c.max {
		return syscall.EMSGSIZE
	}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	err := c.use(0, func() error {
		if c.rings[0].Refs() != 2 {
			return ErrDisconnected
		}
		if word := c.rings[0].Flow(); word > 0 && word <= c.flowLimit.Load() {
			return syscall.EAGAIN
		}
		wake, err := c.request.Write(head, body)
		if wake {
			c.rings[0].Wake()
		}
		return err
	})
	if err != nil {
		if errors.Is(err, shm.ErrFull) {
			return syscall.EAGAIN
		}
		return err
	}
	if _, err := c.sock.Write(wakeUp); err != nil {
		return c.ended(err)
	}
	return nil
}

// Recv waits for the next answer and returns it in buf's array, or in a new one
// if it is longer. A timeout below zero means for ever; the server's end is
// noticed within two seconds. The server's answers carry no mark of what they
// answer: after a timeout the next answer may be a late one.
func (c *Conn) Recv(buf []byte, timeout time.Duration) (msg []byte, err error) {
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	deadline := time.Now().Add(timeout)
	for {
		wait := liveness
		if timeout >= 0 {
			wait = min(wait, time.Until(deadline))
		}
		err = c.use(1, func() (err error) {
			msg, err = c.response.Take(buf)
			if errors.Is(err, shm.ErrEmpty) && wait > 0 {
				c.rings[1].Sleep(wait)
				msg, err = c.response.Take(buf)
			}
			return err
		})
		if !errors.Is(err, shm.ErrEmpty) {
			return msg, err
		}
		if err := c.alive(); err != nil {
			return nil, err
		}
		if timeout >= 0 && time.Until(deadline) <= 0 {
			return nil, ErrTimeout
		}
	}
}

// Call sends a request and waits for its answer, as long as the server lives.
func (c *Conn) Call(head, body, buf []byte) ([]byte, error) {
	if err := c.Send(head, body); err != nil {
		return nil, err
	}
	return c.Recv(buf, -1)
}

// Event waits for the next event and returns it in buf's array, or in a new one
// if it is longer. A timeout below zero means for ever. Events that were
// told of before the server's end are still returned, which the reference does
// not do (qb_ipcc_event_recv).
func (c *Conn) Event(buf []byte, timeout time.Duration) (msg []byte, err error) {
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	if c.told == 0 {
		if err := c.awaitEvent(timeout); err != nil {
			return nil, err
		}
	}
	err = c.use(2, func() (err error) {
		msg, err = c.event.Take(buf)
		return err
	})
	if errors.Is(err, shm.ErrEmpty) {
		return nil, fmt.Errorf("told of an event that is not there: %w", shm.ErrCorrupt)
	}
	if err == nil {
		c.told--
	}
	return msg, err
}

// awaitEvent waits for the bytes that tell of events, one each.
func (c *Conn) awaitEvent(timeout time.Duration) error {
	if c.lost != nil {
		return c.lost
	}
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	n, err := c.readNow(c.bytes[:])
	if errors.Is(err, syscall.EAGAIN) && timeout != 0 {
		c.sock.SetReadDeadline(deadline)
		n, err = c.sock.Read(c.bytes[:])
	}
	switch {
	case err == nil:
		c.told = n
		return nil
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	}
	c.lost = c.ended(err)
	return c.lost
}

// readNow reads what the socket has, or EAGAIN. The runtime's own Read tries
// nothing once its deadline has passed.
func (c *Conn) readNow(b []byte) (n int, err error) {
	raw, err := c.sock.SyscallConn()
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
func (c *Conn) alive() error {
	raw, err := c.sock.SyscallConn()
	if err != nil {
		return c.ended(err)
	}
	var end error
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err == nil && n > 0 && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
			end = ErrDisconnected
		}
	})
	if err != nil {
		return c.ended(err)
	}
	return end
}

// ended names the end of the socket.
func (c *Conn) ended(err error) error {
	if c.closing.Load() {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}

// use runs access to a ring unless the connection is being closed.
func (c *Conn) use(ring int, access func() error) error {
	c.inUse.RLock()
	defer c.inUse.RUnlock()
	if c.closing.Load() {
		return ErrClosed
	}
	return c.rings[ring].Guard(access)
}

// Close ends the connection. Calls under way return ErrClosed. It may be called
// more than once (libqb lib/ipc_shm.c:qb_ipcc_shm_disconnect, which also
// removes the files of a server that died; ours sweeps at its start).
func (c *Conn) Close() error {
	if c.closing.Swap(true) {
		return nil
	}
	err := c.sock.Close()
	for !c.inUse.TryLock() { // somebody waits for an answer, or is about to
		c.rings[1].Wake()
		time.Sleep(time.Millisecond)
	}
	defer c.inUse.Unlock()
	for _, m := range c.rings {
		if m.Data != nil {
			m.Guard(func() error {
				m.Detach()
				return nil
			})
		}
		m.Unmap()
	}
	return err
}
