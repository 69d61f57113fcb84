package libcpg

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
	"cpgol/wire/exec"
)

// Options say how to connect. The zero value is what most programs want.
type Options struct {
	// Rings asks for events of kind NewRing: one when the first Join is done, and
	// one for each new membership of the ring, in a group or not.
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
// time. A process may have several, each in another group.
type Conn struct {
	opt  Options
	ipc  line
	node NodeID
	pid  uint32

	context atomic.Value

	sending chan struct{}         // whoever has it sends: messages keep their order
	room    chan struct{}         // whoever waits to send may try
	calling chan struct{}         // whoever has it asks
	answer  []byte                // the last answer's storage
	owed    []func(st abi.Status) // answers to come that nobody waits for

	read  chan struct{} // whoever has it reads events
	buf   []byte        // the event that Next tells
	aside []byte        // the event that others read

	mu     sync.Mutex
	head   [abi.CPGMcastLen]byte // of the message being sent in the ring
	joint  []byte                // its parts
	unsaid bool                  // the daemon may not have read all that was sent
	group  exec.GroupName
	state  state
	stale  bool // has left a group, which stock daemons don't get over
	rung   bool // has been in a group
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

// Open connects to the daemon. While that starts it gives ErrTryAgain, before
// that ErrDisconnected.
func Open(opt Options) (*Conn, error) {
	ipc, err := dial(&opt)
	if err != nil {
		return nil, opError("open", err)
	}
	c := &Conn{opt: opt, pid: uint32(os.Getpid()), long: make(map[Member][]byte), room: make(chan struct{}, 1)}
	c.ipc.conn.Store(ipc)
	for _, ch := range []*chan struct{}{&c.sending, &c.calling, &c.read} {
		*ch = make(chan struct{}, 1)
		*ch <- struct{}{}
	}
	if err := c.greet(); err != nil {
		ipc.Close()
		return nil, opError("open", err)
	}
	return c, nil
}

func dial(opt *Options) (*client.Conn, error) {
	ipc, err := client.Dial("cpg", client.Options{SocketDirs: opt.SocketDirs, ForceFile: opt.ForceFile})
	return ipc, ipcError(err)
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

// Node is the node that this process runs on (cpg_local_get).
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

// errNone says that no event came in time.
var errNone = errors.New("no event")

// readEvent reads the daemon's next event into buf, and gives the connection that
// it came over. It waits as long as most says, or if that is negative, as the
// context does. The caller has c.read.
func (c *Conn) readEvent(ctx context.Context, buf *[]byte, most time.Duration) ([]byte, *client.Conn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		wait := most
		if most < 0 {
			wait = untilLook(ctx)
		}
		from := c.ipc.now()
		b, err := from.Event(*buf, wait)
		switch {
		case err == nil:
			*buf = b[:0]
			return b, from, nil
		case from != c.ipc.now(): // closed because there is a new one
		case !errors.Is(err, client.ErrTimeout):
			return nil, nil, ipcError(err)
		case most >= 0:
			return nil, nil, errNone
		}
	}
}

// Close ends the connection once what was sent has its place in the order, but
// waits no longer than five seconds for that. The group is told that the process
// ended. Calls under way return ErrClosed.
func (c *Conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := c.flush(ctx) // daemons drop what they have not read when a client hangs up
	c.fail(ErrClosed)
	if errors.Is(err, ErrDisconnected) || errors.Is(err, ErrClosed) || errors.Is(err, ErrBroken) {
		err = nil
	}
	return opError("close", err)
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
	if c.failed == nil || why == ErrClosed {
		c.failed = why
	}
	ipc := c.ipc.now()
	c.mu.Unlock()
	c.off.close()
	ipc.Close()
	c.wake()
}

// why is the reason for an error of the IPC's, where we ended it ourselves.
func (c *Conn) why(err error) error {
	if !errors.Is(err, ErrClosed) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	return err
}
