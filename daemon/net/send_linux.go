package net

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Send queues datagrams for one destination: b itself if segment is 0,
// otherwise b cut into pieces of segment bytes (the last may be shorter). The
// bytes must stay as they are until Flush has returned. The tag comes back if the
// kernel refuses it.
//
// What the kernel will not take is reported to Failed, what it cannot take now
// is copied and sent later, in order, as far as the backlog has room.
func (s *Socket) Send(to netip.AddrPort, b []byte, segment int, tag uint32) {
	if segment <= 0 || segment > len(b) {
		segment = len(b)
	}
	if s.fd < 0 || len(b) == 0 {
		return
	}
	if to.Addr().Is6() != s.v6 || !to.IsValid() {
		s.stats.Failed++
		s.fail(SendError{To: to, Errno: unix.EAFNOSUPPORT, Tag: tag})
		return
	}
	run := s.run(segment)
	for len(b) > 0 {
		n := min(run, len(b))
		p := parcel{to: to, b: b[:n], tag: tag}
		if n > segment {
			p.segment = segment
		}
		s.put(p)
		b = b[n:]
	}
}

// run is how many bytes of such segments the kernel takes at a time.
func (s *Socket) run(segment int) int {
	if segment > s.segmentMax {
		return segment
	}
	return segment * max(1, min(maxSegments, s.payloadMax/segment))
}

func (s *Socket) put(p parcel) {
	if s.wait != waitNone {
		s.defers(p)
		return
	}
	if s.out.full() {
		s.hand()
		if s.wait != waitNone {
			s.defers(p)
			return
		}
	}
	s.out.add(p, s.cfg.Scope)
}

// defers copies a parcel to the backlog, behind all that wait already.
func (s *Socket) defers(p parcel) {
	if !s.queue.push(p) {
		s.stats.Dropped += uint64(p.datagrams())
	}
}

// Flush hands what was queued to the kernel, and reports what it refused.
func (s *Socket) Flush() {
	for s.fd >= 0 && s.out.n > 0 && s.wait == waitNone {
		s.hand()
		s.report() // may queue more
	}
	s.report()
}

// Tick resumes after a pause. Deadline tells when it is due.
func (s *Socket) Tick(now time.Duration) {
	if s.fd >= 0 && s.wait == waitPause && now >= s.retryAt {
		s.resume()
		s.report()
	}
}

// Deadline is when Tick must be called next, [Never] if it need not be.
func (s *Socket) Deadline() time.Duration {
	if s.wait == waitPause {
		return s.retryAt
	}
	return Never
}

// hand empties the outbox: to the kernel, and what that does not take now to
// the backlog.
func (s *Socket) hand() {
	o := s.out
	if why := s.transmit(); why != waitNone {
		for _, p := range o.parcels[o.head:o.n] {
			s.defers(p)
		}
		s.stop(why)
	}
	o.reset()
}

// resume sends the backlog.
func (s *Socket) resume() {
	o := s.out
	for s.queue.len() > 0 {
		first := 0
		s.queue.each(func(p parcel) bool {
			o.add(p, s.cfg.Scope)
			return !o.full()
		})
		why := s.transmit()
		if o.head < o.n {
			first = s.queue.items[s.queue.head+o.head].size - len(o.parcels[o.head].b)
		}
		s.queue.drop(o.head, first)
		o.reset()
		if why != waitNone {
			s.stop(why)
			return
		}
	}
	s.stop(waitNone)
}

// stop notes why nothing is sent now and what will end that.
func (s *Socket) stop(why sendWait) {
	s.wait = why
	if why != waitNone {
		s.stats.Blocked++
	}
	if why == waitPause {
		s.retryAt = s.cfg.Clock() + starvedPause
	}
	if err := s.poller.Modify(s.fd, s.interest()); err != nil && why == waitWritable {
		// Cannot be told of writability: come back by the clock.
		s.wait, s.retryAt = waitPause, s.cfg.Clock()+starvedPause
	}
}

// transmit hands parcels over from head on until all are done, or the kernel
// takes no more for the reason returned. A parcel sent in part is shortened.
func (s *Socket) transmit() sendWait {
	o := s.out
	for tries := 0; o.head < o.n; {
		n, errno := sendMany(s.fd, o.headers[o.head:o.n])
		switch errno {
		case 0:
			s.stats.SendCalls++
			for range n {
				s.sent(&o.parcels[o.head])
				o.head++
			}
			tries = 0
			continue
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return waitWritable
		case unix.ENOBUFS, unix.ENOMEM:
			return waitPause
		}
		// A pending ICMP error about any earlier datagram fails the next send,
		// whatever its destination: take it away and try again.
		read := s.readErrors()
		if (read.icmp || meansGone(errno)) && tries < 2 {
			tries++
			continue
		}
		tries = 0
		if why := s.refused(errno, read); why != waitNone {
			return why
		}
	}
	return waitNone
}

// refused deals with the parcel at head, which the kernel would not take.
func (s *Socket) refused(errno unix.Errno, read errorsRead) sendWait {
	p := &s.out.parcels[s.out.head]
	if p.segment != 0 && len(p.b) > p.segment {
		switch errno {
		case unix.EIO, unix.EOPNOTSUPP: // no checksum offload, or a transformed route
			s.segmentMax = 0
			return s.sendApart(0)
		case unix.EINVAL, unix.EMSGSIZE: // larger than the route's packets, or unknown to the kernel
			return s.sendApart(p.segment)
		}
	}
	s.lost(p, len(p.b), errno, read)
	s.out.head++
	return waitNone
}

// sendApart sends the parcel at head datagram by datagram. If all of them go
// (IP fragments them then), segments of limit bytes are not tried again.
func (s *Socket) sendApart(limit int) sendWait {
	o := s.out
	i := o.head
	p := &o.parcels[i]
	s.stats.Unsegmented++
	header := o.headers[i].Hdr
	header.Control = nil
	header.SetControllen(0)
	for tries, whole := 0, true; ; {
		n := min(p.segment, len(p.b))
		o.vectors[i].Base = &p.b[0]
		o.vectors[i].SetLen(n)
		errno := sendOne(s.fd, &header)
		switch errno {
		case 0:
			s.stats.SendCalls++
			s.sent(&parcel{b: p.b[:n]})
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return waitWritable
		case unix.ENOBUFS, unix.ENOMEM:
			return waitPause
		default:
			read := s.readErrors()
			if (read.icmp || meansGone(errno)) && tries < 2 {
				tries++
				continue
			}
			whole = false
			s.lost(p, n, errno, read)
		}
		tries = 0
		if n == len(p.b) {
			if whole && limit > 0 {
				s.segmentMax = min(s.segmentMax, limit-1)
			}
			o.head++
			return waitNone
		}
		p.b = p.b[n:]
	}
}

func (s *Socket) sent(p *parcel) {
	s.stats.Sent += uint64(p.datagrams())
	s.stats.SentBytes += uint64(len(p.b))
}

// lost reports n bytes of a parcel as refused. The error queue may have told the
// size that would have passed.
func (s *Socket) lost(p *parcel, n int, errno unix.Errno, read errorsRead) {
	part := parcel{b: p.b[:n], segment: p.segment}
	s.stats.Failed += uint64(part.datagrams())
	e := SendError{To: p.to, Errno: errno, Tag: p.tag}
	if errno == unix.EMSGSIZE && read.tooBig == p.to.Addr() {
		e.MTU = read.mtu
	}
	s.fail(e)
}
