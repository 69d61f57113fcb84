package ipc

import (
	"errors"
	"math"
	"syscall"
	"time"

	"cpgol/compat/ipc/internal/shm"
)

// Never is the deadline of who waits for nothing.
const Never time.Duration = math.MaxInt64

// A Poller tells when descriptors are ready: level-triggered, with epoll's
// event bits. It calls ready from the goroutine that the server belongs to. A
// call for what was ready before a Remove is harmless.
type Poller interface {
	Add(fd int, events uint32, ready func(events uint32)) error
	Modify(fd int, events uint32) error
	Remove(fd int) error
}

// Credentials are a client's, as the kernel attached them to its first message:
// the real user and group, not the effective ones, and never a supplementary
// group (libqb lib/ipc_setup.c:qb_ipc_auth_creds). PID is zero for a process
// that is not visible from this one's namespace.
type Credentials struct {
	PID, UID, GID uint32
}

// A Handler is a service behind a listener. The server calls it from its own
// goroutine. Any method may call any method of any connection; a connection
// that is closed thereby sees its Closed call after the present one returned.
type Handler interface {
	// Accept says whether a client may connect: zero, or the errno that its
	// library maps to a status (EAGAIN, EACCES, …).
	Accept(Credentials) syscall.Errno
	// Connected is called once the client has been told that it is.
	Connected(*Conn)
	// Request hands over one request: a private copy, as long as its header
	// says and at least 16 bytes, valid during the call.
	Request(c *Conn, msg []byte)
	// Closed is called once for each Connected. The connection takes no more
	// answers.
	Closed(*Conn)
}

// Options are a server's limits and places. Zero values mean the defaults.
type Options struct {
	// Transport is what the clients are told to use: SharedMemory (cmap
	// system.qb_ipc_type).
	Transport Transport
	// Dir is where the connections' files are made: /dev/shm.
	Dir string
	// MaxMessage bounds the message size that a client may ask for, and with it
	// the 3 × MaxMessage bytes of shared memory that a connection costs. The
	// default, 4 MiB, is beyond what a request may have before it is refused as
	// invalid (corosync exec/main.c:corosync_sending_allowed); libraries ask for 1 MiB.
	// The reference has no bound.
	MaxMessage int
	// MaxConnections bounds the connections of all listeners. By default it is
	// what the limit of open files leaves when 128 are set aside (a connection
	// over sockets takes three), and at most 4096, so that their mappings stay far
	// below vm.max_map_count. A client beyond it is refused with EMFILE.
	MaxConnections int
	// MaxQueue bounds the memory of events that wait for one client, beside the
	// megabyte in its ring: 128 MiB by default. A client that falls further
	// behind is disconnected. The reference queues without bound, so a stopped
	// client grows the daemon until the system runs out of memory. The default is
	// more than a second of the fastest ring's traffic and hours of a resource
	// manager's.
	MaxQueue int
	// MaxQueued bounds that memory for all clients together, 512 MiB by
	// default. Beyond it the client with the most waiting is disconnected.
	MaxQueued int
	// ForceFile is the file whose presence moves the sockets from the abstract
	// namespace to the file system: /etc/libqb/force-filesystem-sockets.
	ForceFile string
	// SocketDirs are the directories of such sockets. Clients have one compiled
	// in, which differs by distribution, so the default is /tmp (Debian) and
	// /run (upstream); the ones that exist are used.
	SocketDirs []string
}

// Why connections end; see [Conn.Reason].
var (
	ErrHungUp    = errors.New("client hung up")
	ErrAsked     = errors.New("client asked to be disconnected")
	ErrClosed    = errors.New("closed by the service")
	ErrMalformed = errors.New("malformed request")
	ErrOverrun   = errors.New("client does not read its events")
	ErrTooLong   = errors.New("answer longer than the client's buffer")
	ErrCorrupt   = shm.ErrCorrupt
	ErrFault     = shm.ErrFault
)

// Stats counts what happened to a server's connections. Closed is by cause, in
// the order of the errors above.
type Stats struct {
	Active   int    // connections there are
	Accepted uint64 // that became connections
	Refused  uint64 // told an errno
	Strays   uint64 // closed without an answer: no proper first message
	Foreign  uint64 // datagrams dropped that were not the client's

	HungUp, Asked, Closed, Malformed, Overrun, TooLong, Corrupt, Faults uint64

	QueuedBytes int // memory of waiting events and answers now
}

func (s *Stats) count(reason error) {
	for _, row := range []struct {
		err error
		n   *uint64
	}{
		{ErrHungUp, &s.HungUp}, {ErrAsked, &s.Asked}, {ErrClosed, &s.Closed}, {ErrMalformed, &s.Malformed},
		{ErrOverrun, &s.Overrun}, {ErrTooLong, &s.TooLong}, {ErrCorrupt, &s.Corrupt}, {ErrFault, &s.Faults},
	} {
		if errors.Is(reason, row.err) {
			*row.n++
			return
		}
	}
}
