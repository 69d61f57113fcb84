package ipc

import "errors"

// A Transport is how messages travel once a client is connected.
type Transport uint8

const (
	// SharedMemory is a ring in shared memory for each direction: three mapped
	// megabytes a connection, no system call for the bytes.
	SharedMemory Transport = iota
	// Sockets is datagrams: two more descriptors a connection, a system call
	// for each message, and no message longer than the kernel lets the sender's
	// buffer be.
	Sockets
)

// A carrier is what a [Conn] takes requests from and sends to: the difference
// between the transports, and nothing else. Whatever the client does to its
// side shows in an error, never in a fault.
type carrier interface {
	// sinks are where answers and events go.
	sinks() (answers, events sink)
	// longest is how long an answer or event may be.
	longest() int
	// take moves the oldest request into buf's array, or a larger one, and
	// returns it as the client sent it. Beside what ends the connection it gives
	// shm.ErrEmpty, and errAgain if there may be a request and the caller had
	// better see to others first.
	take(buf []byte) ([]byte, error)
	// queued is how many requests there are of which nothing else will tell.
	queued() (uint32, error)
	// seal says that the client hung up, and how many of the requests that are
	// still there may be run at most. More must not be let in.
	seal() (left uint32, err error)
	// setFlow shows the client the flow-control word.
	setFlow(word int32) error
	// hold and release stop and restart the poller's telling of requests, if it
	// is the carrier's to do so.
	hold() error
	release() error
	// told reports whether a byte on the connection's own socket tells the
	// client of each event.
	told() bool
	// close gives everything back but the files.
	close()
}

// A sink takes messages towards the client, whole or not at all.
type sink interface {
	// write gives shm.ErrFull if there is no room now.
	write(head, body []byte) error
}

var errAgain = errors.New("try again in the next turn")
