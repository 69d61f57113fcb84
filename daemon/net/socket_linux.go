package net

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Clock tells the loop's time since an arbitrary origin.
type Clock func() time.Duration

const (
	// receiveRounds bounds the recvmmsg calls per wake-up, so that a flood on
	// one socket leaves the others and the timers their turn.
	receiveRounds = 4
	// drainRounds is the same where all that waits must be read (Drain).
	drainRounds = 64
	// starvedPause is how long to leave a full device queue (ENOBUFS) alone: a
	// writable socket says nothing about it. The reference sleeps 12.5 ms.
	starvedPause = time.Millisecond
	// failuresKept bounds what one flush can report; more are only counted.
	failuresKept = 64
)

// A SocketConfig says what to open.
type SocketConfig struct {
	// Bind is the local address; port 0 lets the kernel choose.
	Bind netip.AddrPort
	// Scope is the interface for addresses that mean nothing without one
	// (link-local), of Bind and of every destination.
	Scope uint32
	// Buffer is SO_RCVBUF and SO_SNDBUF in bytes.
	Buffer  int
	Options []Option
	Clock   Clock
	// Datagram gets each datagram received, from inside Poller.Wait. The bytes
	// are the socket's and valid during the call. Nil leaves the socket's input
	// unread, for one that only sends.
	Datagram func(from netip.AddrPort, b []byte)
	// Failed, if not nil, gets what could not be sent, and what the network says
	// about what was sent. It may send.
	Failed func(SendError)
	// Before, if not nil, runs after a datagram was read and before Datagram.
	Before func()
	// Inbox memory is shared with other sockets of the same transport.
	inbox *inbox
}

// SocketStats counts since the socket was opened.
type SocketStats struct {
	Sent, SentBytes, SendCalls            uint64 // datagrams, their bytes, successful system calls
	Received, ReceivedBytes, ReceiveCalls uint64
	Truncated                             uint64 // received ones larger than any datagram may be
	Dropped                               uint64 // not sent: the backlog was full
	Failed                                uint64 // not sent: the kernel refused them
	Refusals                              uint64 // ICMP errors that mean "not there"
	Blocked                               uint64 // times the kernel took no more
	Unsegmented                           uint64 // runs that the kernel would not cut apart itself
	Unreported                            uint64 // failures beyond what one flush reports
}

// A Socket is a UDP socket that belongs to a [Poller] and its goroutine. Sends
// are gathered and handed to the kernel together; nothing on the way of a
// datagram allocates.
type Socket struct {
	fd     int
	poller *Poller
	cfg    SocketConfig
	local  netip.AddrPort
	v6     bool
	stats  SocketStats

	out *outbox
	// segmentMax is the largest segment that the kernel will cut for us, 0 if it
	// does not; a larger one goes out datagram by datagram.
	segmentMax int
	payloadMax int
	queue      backlog
	wait       sendWait
	retryAt    time.Duration // with waitPause

	errors    *errorReader
	failures  []SendError
	reporting bool
}

// sendWait is why the socket does not send now.
type sendWait uint8

const (
	waitNone     sendWait = iota
	waitWritable          // until the descriptor is writable
	waitPause             // until retryAt
)

// OpenSocket opens a socket and lets the poller watch it.
func OpenSocket(p *Poller, cfg SocketConfig) (*Socket, error) {
	fd, segments, err := open(cfg.Bind, cfg.Scope, cfg.Buffer, cfg.Options)
	if err != nil {
		return nil, fmt.Errorf("udp socket %v: %w", cfg.Bind, err)
	}
	s := &Socket{
		fd: fd, poller: p, cfg: cfg, v6: cfg.Bind.Addr().Is6(),
		out: newOutbox(), errors: newErrorReader(), failures: make([]SendError, 0, failuresKept),
		payloadMax: maxPayload4,
	}
	if s.v6 {
		s.payloadMax = maxPayload6
	}
	if segments {
		s.segmentMax = s.payloadMax
	}
	if s.cfg.inbox == nil {
		s.cfg.inbox = newInbox(inboxSlots)
	}
	if s.local, err = localAddr(fd); err == nil {
		err = p.AddLast(fd, s.interest(), s.ready)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("udp socket %v: %w", cfg.Bind, err)
	}
	return s, nil
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, err
}

// Local is the address bound to, with the port that the kernel chose.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Stats are the counters so far.
func (s *Socket) Stats() SocketStats { return s.stats }

// Close closes the descriptor; what waits to be sent is lost. It may be called
// from the socket's own callbacks, none of which is called again.
func (s *Socket) Close() error {
	if s.fd < 0 {
		return nil
	}
	err := s.poller.Remove(s.fd)
	if closeErr := unix.Close(s.fd); err == nil {
		err = closeErr
	}
	s.fd = -1
	s.queue = backlog{}
	s.out.reset()
	return err
}

func (s *Socket) interest() uint32 {
	var events uint32
	if s.cfg.Datagram != nil {
		events |= unix.EPOLLIN
	}
	if s.wait == waitWritable {
		events |= unix.EPOLLOUT
	}
	return events
}

// ready is what the poller calls.
func (s *Socket) ready(events uint32) {
	if events&unix.EPOLLERR != 0 && !s.readErrors().some {
		// Not in the queue (it is off, or was full): taking it clears it.
		unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	}
	if events&unix.EPOLLIN != 0 {
		s.receive(receiveRounds)
	}
	if events&unix.EPOLLOUT != 0 && s.fd >= 0 && s.wait == waitWritable {
		s.resume()
	}
	s.report()
}

// Drain reads and hands on everything that waits now.
func (s *Socket) Drain() { s.receive(drainRounds) }

// receive reads at most rounds batches and hands them on.
func (s *Socket) receive(rounds int) {
	in := s.cfg.inbox
	for range rounds {
		if s.fd < 0 {
			return
		}
		in.prepare(in.slots)
		n, errno := receiveMany(s.fd, in.headers)
		switch errno {
		case 0:
		case unix.EAGAIN:
			return
		default:
			s.readErrors() // an ICMP error of an earlier send, or EINTR: go on
			continue
		}
		s.stats.ReceiveCalls++
		for i := 0; i < n && s.fd >= 0; i++ {
			s.deliver(in, i)
		}
		if n < in.slots {
			return // the poller tells if more came meanwhile
		}
	}
}

// deliver hands on the datagrams of one message.
func (s *Socket) deliver(in *inbox, i int) {
	b, segment, whole := in.received(i)
	if !whole {
		s.stats.Truncated++
		return
	}
	from := in.names[i].addr()
	for len(b) > 0 && s.fd >= 0 {
		n := min(segment, len(b))
		s.stats.Received++
		s.stats.ReceivedBytes += uint64(n)
		if s.cfg.Before != nil {
			s.cfg.Before()
			if s.fd < 0 {
				return
			}
		}
		s.cfg.Datagram(from, b[:n:n])
		b = b[n:]
	}
}

// errorsRead sums up what the error queue held.
type errorsRead struct {
	some, icmp bool
	// The last local EMSGSIZE. It belongs to the send that failed just now.
	tooBig netip.Addr
	mtu    int
}

// readErrors empties the error queue (at most one batch of it) and keeps the
// refusals for the report.
func (s *Socket) readErrors() (r errorsRead) {
	for range errorQueueBatch {
		e, icmp, ok := s.errors.next(s.fd)
		if !ok {
			break
		}
		r.some, r.icmp = true, r.icmp || icmp
		switch {
		case e.Refused:
			s.stats.Refusals++
			s.fail(e)
		case e.Errno == unix.EMSGSIZE:
			r.tooBig, r.mtu = e.To.Addr(), e.MTU
		}
	}
	return r
}

func (s *Socket) fail(e SendError) {
	if s.cfg.Failed == nil {
		return
	}
	if len(s.failures) == cap(s.failures) {
		s.stats.Unreported++
		return
	}
	s.failures = append(s.failures, e)
}

// report calls Failed for what was kept, also for what its own sends add.
func (s *Socket) report() {
	if s.reporting || len(s.failures) == 0 {
		return
	}
	s.reporting = true
	for i := 0; i < len(s.failures) && s.fd >= 0; i++ {
		s.cfg.Failed(s.failures[i])
	}
	s.failures = s.failures[:0]
	s.reporting = false
}
