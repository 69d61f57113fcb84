package libcpg

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
	"cpgol/wire/exec"
)

// Options say how to connect. The zero value is what most programs want.
type Options struct {
	// Rings asks for events of kind NewRing: one when the own join is done, and
	// one for each new membership of the ring.
	Rings bool
	// InRing keeps this process from offloading. A group with such a process in it
	// is not offloaded.
	InRing bool
	// SocketDirs and ForceFile are for hosts whose libqb uses sockets in the file
	// system: where they are, and the file that says so.
	SocketDirs []string
	ForceFile  string
}

// A Conn is a connection to the daemon of this host, and at most one membership
// of a group. Its methods may be called from any goroutine, Next from one at a
// time.
type Conn struct {
	opt  Options
	ipc  *client.Conn
	node NodeID
	pid  uint32

	context atomic.Value

	sending chan struct{} // whoever has it sends: messages keep their order
	room    chan struct{} // whoever waits to send may try
	callMu  sync.Mutex    // one request with an answer at a time
	answer  []byte

	read chan struct{} // whoever has it reads events
	buf  []byte        // the event being read

	mu     sync.Mutex
	group  exec.GroupName
	state  state
	inbox  inbox
	long   map[Member][]byte // messages that come in parts
	failed error             // why nothing more comes

	off *offloader // nil: the daemon can't
}

// A state is what a connection is to its group.
type state uint8

const (
	outside state = iota
	entering
	inside
	leaving
)

// Open connects to the daemon.
func Open(opt Options) (*Conn, error) {
	ipc, err := client.Dial("cpg", client.Options{SocketDirs: opt.SocketDirs, ForceFile: opt.ForceFile})
	if err != nil {
		return nil, ipcError(err)
	}
	c := &Conn{opt: opt, ipc: ipc, pid: uint32(os.Getpid()),
		sending: make(chan struct{}, 1), room: make(chan struct{}, 1), read: make(chan struct{}, 1), long: make(map[Member][]byte)}
	c.read <- struct{}{}
	c.sending <- struct{}{}
	if err := c.greet(); err != nil {
		ipc.Close()
		return nil, err
	}
	return c, nil
}

// greet asks for the node's number, and whether the daemon can order offloaded
// messages.
func (c *Conn) greet() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.call(ctx, abi.AppendRequest(nil, abi.CPGLocalID, abi.RequestLen), func(b []byte) (st abi.Status, err error) {
		c.node, st, err = abi.CutCPGLocalRes(b)
		return st, err
	})
	if err == nil && !c.opt.InRing {
		c.off, err = newOffloader(ctx, c)
	}
	return err
}

// Node is the node that this process runs on.
func (c *Conn) Node() NodeID { return c.node }

// Self is this process as the groups know it.
func (c *Conn) Self() Member { return Member{Node: c.node, PID: c.pid} }

// SetContext keeps a value of the program's with the connection; Context gives
// it back (cpg_context_set, cpg_context_get).
func (c *Conn) SetContext(v any) { c.context.Store(&v) }

// Context is what SetContext was given last, nil before that.
func (c *Conn) Context() any {
	if v, ok := c.context.Load().(*any); ok {
		return *v
	}
	return nil
}

// Pauses between tries of what the daemon does not take now.
const (
	firstPause = 500 * time.Microsecond
	lastPause  = 20 * time.Millisecond
)

// pause waits a little longer each time.
func pause(ctx context.Context, d *time.Duration) error {
	*d = min(max(2**d, firstPause), lastPause)
	t := time.NewTimer(*d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// call sends a request until the daemon takes it, and gives its answer to cut.
func (c *Conn) call(ctx context.Context, request []byte, cut func(b []byte) (abi.Status, error)) error {
	var d time.Duration
	for {
		st, err := c.ask(request, cut)
		if err != nil && !errors.Is(err, ErrTryAgain) {
			return err
		}
		if err == nil && st != abi.TryAgain {
			return check(st)
		}
		if err := pause(ctx, &d); err != nil {
			return err
		}
	}
}

func (c *Conn) ask(request []byte, cut func(b []byte) (abi.Status, error)) (st abi.Status, err error) {
	c.callMu.Lock()
	defer c.callMu.Unlock()
	b, err := c.ipc.Call(request, nil, c.answer)
	if err != nil {
		return 0, ipcError(err)
	}
	c.answer = b[:0]
	// The daemon's gate answers with a bare header of number 0.
	if id, size, st, err := abi.CutResponse(b); err == nil && id == 0 && size == abi.ResponseLen && st != abi.OK {
		return st, nil
	}
	return cut(b)
}

// bare cuts an answer that is a result and no more.
func bare(b []byte) (abi.Status, error) {
	_, _, st, err := abi.CutResponse(b)
	return st, err
}

// slice is how often a wait for an event looks at its context: the IPC knows
// only time.
const slice = 50 * time.Millisecond

// errNone says that no event came in time.
var errNone = errors.New("no event")

// readEvent reads the daemon's next event into c.buf. It waits as long as most
// says, or if that is negative, as the context does. The caller has c.read.
func (c *Conn) readEvent(ctx context.Context, most time.Duration) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		wait := most
		if most < 0 && ctx.Done() != nil {
			wait = slice
		}
		b, err := c.ipc.Event(c.buf, wait)
		switch {
		case err == nil:
			c.buf = b[:0]
			return b, nil
		case !errors.Is(err, client.ErrTimeout) && !errors.Is(err, syscall.EAGAIN):
			return nil, ipcError(err)
		case most >= 0:
			return nil, errNone
		}
	}
}

// Close ends the connection once what was sent has its place in the order, but
// waits no longer than five seconds for that. The group is told that the process
// ended. Calls under way return ErrClosed.
func (c *Conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := c.Flush(ctx)
	c.fail(ErrClosed)
	if errors.Is(err, ErrDisconnected) || errors.Is(err, ErrClosed) {
		err = nil
	}
	return err
}

// wake lets whoever waits to send try again.
func (c *Conn) wake() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

// fail ends everything.
func (c *Conn) fail(why error) {
	c.mu.Lock()
	if c.failed == nil {
		c.failed = why
	}
	c.mu.Unlock()
	c.off.close()
	c.ipc.Close()
}
