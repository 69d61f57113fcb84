// Package client is the client's end of libqb's IPC, without the C library: it
// works with any server of libqb 1.0.4 or later, the stock corosync daemon among
// them, over shared memory or over sockets as the server says. It moves bytes;
// the messages of a service are the caller's.
//
//	c, err := client.Dial("cmap", client.Options{})
//	answer, err := c.Call(request, nil, buf)
//	event, err := c.Event(buf, time.Second)
//
// Three goroutines may use a [Conn] at once: one that sends and waits for
// answers, one that waits for events, one that closes it.
//
// Reference: libqb lib/ipcc.c, lib/ipc_setup.c, lib/ipc_shm.c,
// lib/ipc_socket.c.
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
	dir  string // of the connection's files

	carrier carrier
	sendMu  sync.Mutex
	recvMu  sync.Mutex
	eventMu sync.Mutex

	flowLimit atomic.Int32
	closing   atomic.Bool
}

// A carrier moves messages once the connection stands. Of each method one call
// at a time is under way, and any number of flow's; close comes once, beside
// any of them, after the connection's socket was closed, and makes them return
// ErrClosed.
type carrier interface {
	// send gives EAGAIN if there is no room.
	send(head, body []byte) error
	recv(buf []byte, timeout time.Duration) ([]byte, error)
	event(buf []byte, timeout time.Duration) ([]byte, error)
	flow() (int32, error)
	close()
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

// open attaches to what the server made for the connection.
func (c *Conn) open(res shm.ConnectResponse) (err error) {
	c.max = int(res.MaxMessage)
	c.dir = filepath.Dir(res.Request)
	if res.Transport == shm.TypeSocket {
		c.carrier, err = openSockets(c, res)
	} else {
		c.carrier, err = openRings(c, res)
	}
	return err
}

// MaxMessage is the longest message either way.
func (c *Conn) MaxMessage() int { return c.max }

// Dir is the directory of the connection's files.
func (c *Conn) Dir() string { return c.dir }

// SetFlowLimit says up to which value of the server's flow-control word sends
// are refused: 1, or 2 around a cpg multicast (qb_ipcc_fc_enable_max_set).
func (c *Conn) SetFlowLimit(limit int32) { c.flowLimit.Store(limit) }

// Flow is the server's flow-control word now.
func (c *Conn) Flow() (word int32, err error) {
	if c.closing.Load() {
		return 0, ErrClosed
	}
	return c.carrier.flow()
}

// Send sends a request, head followed by body. It gives EAGAIN if the server
// wants no more now or there is no room, and EMSGSIZE for a message that is too
// long (libqb lib/ipcc.c:qb_ipcc_sendv).
func (c *Conn) Send(head, body []byte) error {
	if len(head)+len(body) > c.max {
		return syscall.EMSGSIZE
	}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	return c.carrier.send(head, body)
}

// refused reports whether a flow-control word keeps this sender from sending.
func (c *Conn) refused(word int32) bool { return word > 0 && word <= c.flowLimit.Load() }

// Recv waits for the next answer and returns it in buf's array, or in a new one
// if it is longer. A timeout below zero means for ever; the server's end is
// noticed within two seconds. The server's answers carry no mark of what they
// answer: after a timeout the next answer may be a late one.
func (c *Conn) Recv(buf []byte, timeout time.Duration) (msg []byte, err error) {
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	return c.carrier.recv(buf, timeout)
}

// Call sends a request and waits for its answer, as long as the server lives.
func (c *Conn) Call(head, body, buf []byte) ([]byte, error) {
	if err := c.Send(head, body); err != nil {
		return nil, err
	}
	return c.Recv(buf, -1)
}

// Event waits for the next event and returns it in buf's array, or in a new one
// if it is longer. A timeout below zero means for ever. Events that were sent
// before the server's end are still returned, which the reference does not do
// (qb_ipcc_event_recv).
func (c *Conn) Event(buf []byte, timeout time.Duration) (msg []byte, err error) {
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	return c.carrier.event(buf, timeout)
}

// ended names the end of a socket.
func (c *Conn) ended(err error) error {
	if c.closing.Load() {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}

// Close ends the connection. Calls under way return ErrClosed. It may be called
// more than once (libqb lib/ipc_shm.c:qb_ipcc_shm_disconnect, which also
// removes the files of a server that died; ours sweeps at its start).
func (c *Conn) Close() error {
	if c.closing.Swap(true) {
		return nil
	}
	err := c.sock.Close()
	if c.carrier != nil {
		c.carrier.close()
	}
	return err
}
