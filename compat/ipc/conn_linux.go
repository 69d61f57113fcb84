package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// notifyBatch is how many events a client is told of at once while the loop's
// turn lasts, so that it starts to read a long burst before the burst ends.
const notifyBatch = 16

// headerLen is the size of a request's header: id int32 @0, size int32 @8
// (libqb include/qb/qbipc_common.h).
const headerLen = 16

// idDisconnect asks for the end of the connection (QB_IPC_MSG_DISCONNECT).
const idDisconnect = -3

// A Conn is one client's connection. After its Closed call, and once it is
// doomed to one, its methods do nothing.
type Conn struct {
	server   *Server
	listener *Listener
	fd       int // -1 once the client has hung up
	cred     Credentials
	serial   uint64
	max      int // longest message, either way, as agreed
	dir      directory

	carrier  carrier
	response outlet
	event    outlet

	flow        int32 // asked for by the service; pauses reading
	word        int32 // in the client's sight: flow, or more while it lags
	owed        int   // events committed that the client was not told of
	blocked     bool  // its socket takes no byte now: wait until it is writable
	left        int   // requests to be run after the hang-up
	queuedBytes int   // memory of waiting answers and events
	reason      error

	// Membership in the server's lists.
	inDirty, inScan, inWaiting bool

	lagging bool // too many events wait for it

	counters Counters
}

// Counters are a connection's statistics, named as the keys under stats.ipcs
// (corosync exec/stats.c).
type Counters struct {
	Requests, Responses, Dispatched uint64
	SendRetries, RecvRetries        uint64
	FlowControl                     int32  // the word
	FlowControlCount                uint64 // its changes
	Queueing                        bool   // events wait
	Queued                          uint32 // how many
	Dropped                         uint64 // events longer than the client's buffer
}

// PID, UID and GID are the client's; see [Credentials].
func (c *Conn) PID() uint32 { return c.cred.PID }
func (c *Conn) UID() uint32 { return c.cred.UID }
func (c *Conn) GID() uint32 { return c.cred.GID }

// Serial is unique among the connections of the process.
func (c *Conn) Serial() uint64 { return c.serial }

// Name is the service's, as given to Listen.
func (c *Conn) Name() string { return c.listener.name }

// MaxMessage is the longest message that the client sends or takes.
func (c *Conn) MaxMessage() int { return c.max }

// Reason is why the connection ended, nil before that.
func (c *Conn) Reason() error { return c.reason }

// Counters is the state of the connection's statistics.
func (c *Conn) Counters() Counters {
	n := c.counters
	n.FlowControl = c.word
	n.Queueing = !c.event.waiting.empty()
	n.Queued = uint32(c.event.waiting.count)
	return n
}

// Respond answers a request. The bytes are copied. While answers do not fit
// into the client's ring they wait, and its requests too.
func (c *Conn) Respond(msg []byte) {
	if !c.open() {
		return
	}
	if limit := c.carrier.longest(); len(msg) > limit {
		// The client waits for this answer and can never have it.
		c.fail(fmt.Errorf("answer of %d bytes, at most %d: %w", len(msg), limit, ErrTooLong))
		return
	}
	if !c.blocked {
		c.notify() // events before this answer are seen before it
	}
	sent, err := c.response.send(msg, nil)
	c.counters.Responses += uint64(sent)
	c.sent(err)
}

// Event sends head followed by body as one message that the client did not ask
// for. The bytes are copied. A message longer than the client's buffer is
// counted and dropped, as in the reference (msg_send_or_queue).
func (c *Conn) Event(head, body []byte) {
	if !c.open() {
		return
	}
	if len(head)+len(body) > c.carrier.longest() {
		c.counters.Dropped++
		return
	}
	sent, err := c.event.send(head, body)
	c.committed(sent)
	c.sent(err)
}

// SetFlow sets the flow-control word. While it is not zero the client's
// requests are not read; libraries refuse to send cpg messages at any value
// and everything at 1 (libqb lib/ipcs.c:qb_ipcs_flowcontrol_set).
func (c *Conn) SetFlow(word int32) {
	if c.reason != nil || word == c.flow {
		return
	}
	c.flow = word
	c.showFlow()
	c.rescan() // no byte will tell of requests that came meanwhile
}

// showFlow writes the word that the client sees: the service's, but at least
// the one that refuses asynchronous messages while the client has too many
// events unread. Whoever sends faster than it reads is thereby slowed down to
// what it reads, instead of growing the daemon; its other requests are read and
// answered as ever, so a client that waits for an answer is never stuck.
func (c *Conn) showFlow() {
	word := c.flow
	if c.lagging {
		word = max(word, flowAsync)
	}
	if word == c.word {
		return
	}
	c.word = word
	c.counters.FlowControlCount++
	c.fail(c.carrier.setFlow(word))
}

// flowAsync makes libraries refuse cpg_mcast_joined with TRY_AGAIN and nothing
// else (corosync lib/cpg.c raises its limit to 2 around that send).
const flowAsync = 2

// A client lags when more than lagHigh bytes of events wait for it beside its
// full ring, and no longer when fewer than lagLow do. A client does not read
// while it sends one long message in fragments, nor while its program sends
// burst upon burst, and gets its own messages back: less than the longest of
// those would keep it from ever ending.
const (
	lagHigh = 64 << 20
	lagLow  = 16 << 20
)

// Close disconnects the client once the present callback returns.
func (c *Conn) Close() {
	c.fail(ErrClosed)
}

// open reports whether the client takes messages.
func (c *Conn) open() bool { return c.reason == nil && c.fd >= 0 }

// fail dooms the connection for a reason; nil is none.
func (c *Conn) fail(reason error) {
	if reason == nil || c.reason != nil {
		return
	}
	c.reason = reason
	c.event.waiting.drop()
	c.response.waiting.drop()
	c.account()
	c.server.stats.count(reason)
	c.server.doomed = append(c.server.doomed, c)
}

// sent does what follows every send: it notes an error, or what must wait.
func (c *Conn) sent(err error) {
	c.fail(err)
	if c.hasWaiting() {
		c.counters.SendRetries++
		if !c.inWaiting {
			c.inWaiting = true
			c.server.waiting = append(c.server.waiting, c)
		}
	}
	c.account()
	c.server.enforce(c)
}

func (c *Conn) hasWaiting() bool { return !c.event.waiting.empty() || !c.response.waiting.empty() }

// account brings the server's sum of waiting bytes up to date.
func (c *Conn) account() {
	now := c.event.waiting.bytes + c.response.waiting.bytes
	c.server.stats.QueuedBytes += now - c.queuedBytes
	c.queuedBytes = now
	if lagging := now > lagHigh || c.lagging && now > lagLow; lagging != c.lagging && c.reason == nil {
		c.lagging = lagging
		c.showFlow()
	}
}

// drain tries what waits again and reports whether any of it went.
func (c *Conn) drain() (progress bool) {
	if !c.open() || !c.hasWaiting() {
		return false
	}
	answers, err := c.response.drain()
	c.counters.Responses += uint64(answers)
	c.fail(err)
	if c.reason != nil {
		return true
	}
	events, err := c.event.drain()
	c.committed(events)
	c.fail(err)
	c.account()
	if answers > 0 {
		c.rescan() // requests wait while answers do
	}
	return answers+events > 0
}

// committed notes n events that the client is to be told of.
func (c *Conn) committed(n int) {
	if n == 0 {
		return
	}
	c.counters.Dispatched += uint64(n)
	if !c.carrier.told() {
		return
	}
	c.owed += n
	if c.blocked {
		return
	}
	if c.owed >= notifyBatch {
		c.notify()
	} else if !c.inDirty {
		c.inDirty = true
		c.server.dirty = append(c.server.dirty, c)
	}
}

// zeros are the bytes that tell of events; their values mean nothing.
var zeros [512]byte

// notify sends a byte for each event that the client was not told of, as many
// as its socket takes now: about 278 single ones fit (libqb
// lib/ipcs.c:resend_event_notifications). Bytes sent and owed are always as
// many as chunks were committed, or the client would hang or spin.
func (c *Conn) notify() {
	if !c.open() || c.owed == 0 {
		return
	}
	for c.owed > 0 {
		n, err := unix.Write(c.fd, zeros[:min(c.owed, len(zeros))])
		if n > 0 {
			c.owed -= n
			continue
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if !errors.Is(err, unix.EAGAIN) {
			c.owed = 0 // hung up: the poller will say so
		}
		break
	}
	if blocked := c.owed > 0; blocked != c.blocked {
		events := uint32(unix.EPOLLIN)
		if blocked {
			events |= unix.EPOLLOUT
		}
		c.blocked = blocked
		c.fail(c.server.poll.Modify(c.fd, events))
	}
}

// ready is the poller's call for the socket. Bytes that a client sends are
// wake-ups and no more: which requests there are, the ring says.
func (c *Conn) ready(events uint32) {
	c.server.enter(func() {
		if !c.open() {
			return
		}
		if events&unix.EPOLLOUT != 0 {
			c.notify()
		}
		if events&^unix.EPOLLOUT == 0 || !c.open() {
			return
		}
		n, err := unix.Read(c.fd, c.server.bytes[:])
		switch {
		case n > 0:
			c.process()
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		default:
			c.hangUp()
		}
	})
}

// hangUp closes the socket. Requests that were committed before are still run,
// at the usual pace and under flow control, and no more than were there: the
// process may live and go on sending. The reference drops them
// (qb_ipcs_dispatch_connection_request: POLLHUP before POLLIN).
func (c *Conn) hangUp() {
	c.closeSocket()
	c.event.waiting.drop()
	c.response.waiting.drop()
	c.account()
	left, err := c.carrier.seal()
	c.fail(err)
	if c.left = int(left); c.left == 0 {
		c.fail(ErrHungUp)
		return
	}
	c.rescan()
}

// rescan sees to it that requests are looked for in the next turn.
func (c *Conn) rescan() {
	if c.readable() && !c.inScan {
		c.inScan = true
		c.server.scan = append(c.server.scan, c)
	}
}

// readable reports whether requests may be read: none while the client is to
// send none, nor while it has not taken its answers.
func (c *Conn) readable() bool {
	return c.reason == nil && c.flow == 0 && c.response.waiting.empty()
}

// process runs requests at the server's pace.
func (c *Conn) process() {
	if !c.readable() {
		return
	}
	c.fail(c.carrier.release())
	for n := range c.server.pace {
		if !c.readable() {
			return
		}
		msg, err := c.take()
		switch {
		case err == nil:
		case errors.Is(err, shm.ErrEmpty):
			if n == 0 {
				c.counters.RecvRetries++
			}
			if c.fd < 0 {
				c.fail(ErrHungUp)
			}
			return
		case errors.Is(err, errAgain):
			c.rescan()
			return
		default:
			c.fail(err)
			return
		}
		c.counters.Requests++
		c.listener.handler.Request(c, msg)
		if c.fd < 0 {
			if c.left--; c.left == 0 {
				c.fail(ErrHungUp)
			}
		}
	}
	if c.reason != nil {
		return
	}
	queued, err := c.carrier.queued()
	c.fail(err)
	if queued > 0 {
		c.rescan()
	}
}

// take takes the oldest request, then checks it, which is a copy by now (libqb
// lib/ipcs.c:_process_request_, as of 2.0.10; corosync's services trust the
// size before that).
func (c *Conn) take() ([]byte, error) {
	msg, err := c.carrier.take(c.server.buf)
	if err != nil {
		return nil, err
	}
	c.server.buf = msg[:0]
	if len(msg) < headerLen {
		return nil, fmt.Errorf("request of %d bytes, want %d: %w", len(msg), headerLen, ErrMalformed)
	}
	if int32(binary.NativeEndian.Uint32(msg)) == idDisconnect {
		return nil, ErrAsked
	}
	size := int(int32(binary.NativeEndian.Uint32(msg[8:])))
	if size < headerLen || size > len(msg) {
		return nil, fmt.Errorf("request of %d bytes says it has %d: %w", len(msg), size, ErrMalformed)
	}
	return msg[:size], nil
}

// teardown ends the connection: socket, handler, carrier, files (libqb
// lib/ipcs.c:qb_ipcs_disconnect).
func (c *Conn) teardown() {
	if c.fd >= 0 {
		c.carrier.seal() // who sees the hang-up can send no more
	}
	c.closeSocket()
	delete(c.server.conns, c)
	c.listener.handler.Closed(c)
	c.release()
}

func (c *Conn) closeSocket() {
	if c.fd >= 0 {
		c.server.poll.Remove(c.fd)
		unix.Close(c.fd)
		c.fd = -1
	}
}

// release gives back what the connection holds outside the server's lists.
func (c *Conn) release() {
	c.closeSocket()
	c.carrier.close()
	c.removeFiles()
}
