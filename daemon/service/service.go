// Package service says what a service engine is to the node that runs it, and
// what the node is to the engine: a table of client requests, a table of
// messages in the ring's order, and four hooks for synchronisation.
//
// A service keeps no clock and no socket. Its state changes only in methods
// that the node calls from its one loop, and what other nodes must agree on
// changes only in message handlers, which run in the ring's order.
//
// Reference: include/corosync/coroapi.h (struct corosync_service_engine),
// exec/service.c, exec/main.c.
package service

import (
	"errors"
	"time"

	"cpgol/wire/totem"
)

// An ID is a service's number in message and socket tables (corodefs.h).
type ID int32

// The services of the reference. Pload, Mon and Wd have numbers but no clients.
const (
	CMAP       ID = 0
	CFG        ID = 1
	CPG        ID = 2
	Quorum     ID = 3
	Pload      ID = 4
	Votequorum ID = 5
	Mon        ID = 6
	Wd         ID = 7
)

// A Conn is one client's connection. Values are comparable: a service may use
// them as map keys until its Closed hook has run.
type Conn interface {
	// Respond answers the request being handled, or later one that a service
	// left unanswered. The bytes are copied.
	Respond(msg []byte)
	// Event queues a message that the client did not ask for, head followed by
	// body (which may be nil), as one message. The bytes are copied.
	Event(head, body []byte)
	// PID, UID and GID are the client's, as the kernel told them at connect.
	PID() uint32
	UID() uint32
	GID() uint32
	// Serial is unique among all connections of the process.
	Serial() uint64
}

// A Request is one row of a service's client interface; its index is the
// request's number.
type Request struct {
	Name string
	Size int // smallest request accepted, header included
	// Throttled requests wait while the ring's queue is full or a
	// synchronisation runs: the client is told to try again.
	Throttled bool
	// Async requests have no answer, not even an error (cpg mcast only).
	Async bool
	// Handle gets the whole request, header included, at least Size bytes and
	// exactly as long as its header says. msg is valid during the call only.
	Handle func(c Conn, msg []byte)
}

// A Message is one row of what a service's instances say to each other through
// the ring; its index is the function number.
type Message struct {
	Name string
	Size int // smallest message accepted, header included
	// Handle gets the message in the ring's order on every node. msg starts
	// with the request header and is valid during the call only.
	Handle func(from totem.NodeID, msg []byte)
}

// A Service is one engine.
type Service interface {
	ID() ID
	Name() string // short name: the IPC socket's and the statistics'
	Requests() []Request
	Messages() []Message
	// Connected and Closed tell of clients. Closed is called once, after which
	// the connection takes no more answers.
	Connected(c Conn)
	Closed(c Conn)
}

// A Syncer is a service that takes part in synchronisation after a membership
// change. The hooks run in this order on every node; see package daemon/sync.
type Syncer interface {
	Service
	// SyncInit starts a round: trans are the members that came along from this
	// node's previous ring, members the new ring's, both ascending. Neither may
	// be kept without a copy.
	SyncInit(trans, members []totem.NodeID, ring totem.RingID)
	// SyncProcess sends what this service must tell its peers. It is called
	// again at the next token until it returns true.
	SyncProcess() bool
	// SyncActivate runs when every member has passed this service's barrier.
	SyncActivate()
	// SyncAbort runs when another membership change ends the round early.
	SyncAbort()
}

// ErrQueueFull tells that the ring takes no message now; try at a later token.
var ErrQueueFull = errors.New("send queue full")

// A Host is the node as its services see it.
type Host interface {
	Self() totem.NodeID
	// Now is the loop's time since an arbitrary origin.
	Now() time.Duration
	// After calls f from the loop once d has passed, unless cancel was called.
	After(d time.Duration, f func()) (cancel func())
	// Multicast queues a message of the service engines (header included) for
	// delivery to every node, this one too, as head followed by body. The bytes
	// are copied. It returns ErrQueueFull and nothing else.
	Multicast(head, body []byte) error
	// SyncInProgress reports whether a synchronisation round is running.
	SyncInProgress() bool
	// Shutdown stops this daemon in good order once the loop is done with the
	// present event; reason is for the log.
	Shutdown(reason string)
	// Exit ends this daemon at once, without leaving the ring in good order
	// (cfg kill).
	Exit(code int, reason string)
}
