package ipc

import (
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Server serves any number of names. It belongs to one goroutine.
type Server struct {
	poll   Poller
	opt    Options
	parent int // descriptor of opt.Dir
	spare  int // descriptor to give up when there is none left to accept with

	listeners []*Listener
	greeting  []*greeting // accepted, not yet heard of, oldest first
	conns     map[*Conn]struct{}

	pace     int
	dirty    []*Conn // bytes owed to them that go out when the turn ends
	scan     []*Conn // requests may be left in their rings
	nextScan []*Conn // scan's array in the next turn
	waiting  []*Conn // answers or events wait for room in their rings
	doomed   []*Conn // to be torn down when nothing of theirs is on the stack
	busy     bool    // within a callback
	closed   bool

	retryAt   time.Duration
	retryStep time.Duration

	buf    []byte // the request being handled
	bytes  [512]byte
	blocks blockPool
	stats  Stats
}

// Waiting events are tried again at every turn of the loop if few clients wait,
// as the reference does, for nothing tells a server that a client has read; and
// at the latest after a quarter of a millisecond. As long as no client makes room
// that pause doubles, up to ten milliseconds.
const (
	minRetry = 250 * time.Microsecond
	maxRetry = 10 * time.Millisecond
	few      = 8
)

// defaultPace is how many requests of one client are handled in a row, as at
// the reference's middle queue level (libqb lib/ipcs.c:_request_q_len_get).
const defaultPace = 5

var serials atomic.Uint64

// NewServer makes a server that waits on p.
func NewServer(p Poller, opt Options) (*Server, error) {
	opt.setDefaults()
	var err error
	if opt.Dir, err = filepath.Abs(opt.Dir); err != nil {
		return nil, err
	}
	parent, err := unix.Open(opt.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: opt.Dir, Err: err}
	}
	s := &Server{
		poll:   p,
		opt:    opt,
		parent: parent,
		conns:  make(map[*Conn]struct{}),
		pace:   defaultPace,

		retryStep: minRetry,
	}
	s.spare, err = openSpare()
	if err != nil {
		unix.Close(parent)
		return nil, err
	}
	return s, nil
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if o.Dir == "" {
		o.Dir = "/dev/shm"
	}
	def(&o.MaxMessage, 4<<20)
	def(&o.MaxConnections, maxConnections(o.Transport))
	def(&o.MaxQueue, 128<<20)
	def(&o.MaxQueued, 512<<20)
	if o.ForceFile == "" {
		o.ForceFile = "/etc/libqb/force-filesystem-sockets"
	}
	if o.SocketDirs == nil {
		o.SocketDirs = []string{"/tmp", "/run"}
	}
}

// maxConnections leaves 128 descriptors to the rest of the process.
func maxConnections(t Transport) int {
	const reserve, least, most = 128, 16, 4096
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return least
	}
	each := uint64(1)
	if t == Sockets {
		each = 3
	}
	return int(min((max(limit.Cur, reserve+least*each)-reserve)/each, most))
}

// SetPace sets how many requests of one client are handled in a row before the
// others have their turn (corosync exec/ipc_glue.c:cs_ipcs_check_for_flow_control: 50, 5 or 1).
func (s *Server) SetPace(n int) { s.pace = max(n, 1) }

// Stats is the state of the server's counters.
func (s *Server) Stats() Stats {
	st := s.stats
	st.Active = len(s.conns)
	return st
}

// Conns are the connections there are, in no order, for what concerns them all:
// flow control and statistics. A client that has hung up is among them until its
// last request is run.
func (s *Server) Conns() iter.Seq[*Conn] { return maps.Keys(s.conns) }

// Deadline is when Tick is due: zero for at once, Never if only the poller has
// something to wait for.
func (s *Server) Deadline() time.Duration {
	switch {
	case len(s.dirty)+len(s.scan)+len(s.doomed) > 0:
		return 0
	case len(s.waiting) > 0:
		return s.retryAt
	}
	return Never
}

// Tick does what is due: tells clients of their events, goes on with requests
// that the pace left, tries waiting messages again, and tears down what ended.
// Call it at the end of every turn of the loop, at the latest at the deadline:
// events reach their clients no earlier than this.
func (s *Server) Tick(now time.Duration) {
	s.enter(func() {
		s.rescan()
		s.retry(now)
		s.flush()
	})
}

// enter runs f as the outermost call and then tears down what f doomed.
func (s *Server) enter(f func()) {
	if s.busy {
		f()
		return
	}
	s.busy = true
	f()
	s.reap()
	s.busy = false
	if s.closed && s.parent >= 0 {
		unix.Close(s.parent)
		unix.Close(s.spare)
		s.parent, s.spare = -1, -1
	}
}

// rescan gives each connection that was left with requests another turn.
func (s *Server) rescan() {
	turn := s.scan
	s.scan = s.nextScan[:0]
	for _, c := range turn {
		c.inScan = false
		c.process()
	}
	clear(turn)
	s.nextScan = turn
}

func (s *Server) retry(now time.Duration) {
	due := now >= s.retryAt
	if len(s.waiting) == 0 || !due && len(s.waiting) > few {
		return
	}
	progress := false
	s.waiting = slices.DeleteFunc(s.waiting, func(c *Conn) bool {
		progress = c.drain() || progress
		c.inWaiting = c.hasWaiting()
		return !c.inWaiting
	})
	switch {
	case progress || len(s.waiting) == 0:
		s.retryStep = minRetry
	case due:
		s.retryStep = min(2*s.retryStep, maxRetry)
	default:
		return
	}
	s.retryAt = now + s.retryStep
}

// flush sends the bytes that are owed for events since the last turn.
func (s *Server) flush() {
	for _, c := range s.dirty {
		c.inDirty = false
		c.notify()
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
}

// reap tears down what is doomed, and what that dooms.
func (s *Server) reap() {
	for i := 0; i < len(s.doomed); i++ {
		s.doomed[i].teardown()
	}
	clear(s.doomed)
	s.doomed = s.doomed[:0]
}

// enforce keeps the memory of waiting messages within its bounds, at the cost
// of whoever reads least.
func (s *Server) enforce(c *Conn) {
	if c.queuedBytes > s.opt.MaxQueue {
		c.fail(ErrOverrun)
	}
	for s.stats.QueuedBytes > s.opt.MaxQueued {
		var worst *Conn
		for c := range s.conns {
			if worst == nil || c.queuedBytes > worst.queuedBytes {
				worst = c
			}
		}
		if worst == nil || worst.queuedBytes == 0 {
			return
		}
		worst.fail(ErrOverrun)
	}
}

// Close closes all listeners and disconnects all clients, as [Listener.Close]
// does.
func (s *Server) Close() {
	s.enter(func() {
		s.closed = true
		for len(s.listeners) > 0 {
			s.listeners[0].Close()
		}
	})
}
