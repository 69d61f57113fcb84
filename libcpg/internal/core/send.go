package core

import (
	"time"

	"cpgol/wire/offload"
)

// Send takes a message of the application's, or says ErrFull; then the payload
// stays the caller's.
func (c *Core) Send(now time.Duration, p Payload, out *Output) error {
	if !c.Takes(p.Len()) {
		return ErrFull
	}
	c.queue.push(outgoing{payload: p, size: p.Len()})
	c.waiting += c.cost(p.Len())
	c.advance(now, out)
	return nil
}

// Takes reports whether Send would take a message of this size; if not, Room tells
// when it does.
func (c *Core) Takes(size int) bool {
	if c.waiting > 0 && c.waiting+c.cost(size) > c.cfg.Window {
		c.full = true
		return false
	}
	return true
}

// cost is what a message of so many bytes counts where memory is bounded.
func (c *Core) cost(size int) int { return size + c.cfg.Overhead }

// Direct reports whether a message of this size could be sent in the ring at once,
// without being given to Send: nothing is before it, and the ring is its way. If it
// is sent so, DirectSent must be told.
func (c *Core) Direct(size int) bool {
	return c.queue.len() == 0 && (c.off() || c.byRing(size))
}

// DirectSent says that the daemon has a message that was not given to Send, or the
// first part of one.
func (c *Core) DirectSent() { c.inRing++ }

// RingDelivered says that a message of this process's came from the ring, or never
// will.
func (c *Core) RingDelivered() { c.inRing = max(0, c.inRing-1) }

// Waiting is what own messages cost that have no place in the order yet.
func (c *Core) Waiting() int { return c.waiting }

// Ring is the message that is to be sent in the ring next, nil if there is none:
// the oldest one, if no view is on, or if the ring is its way.
func (c *Core) Ring() Payload {
	if c.queue.len() == 0 || c.numbered > c.popped {
		return nil
	}
	if first := c.queue.at(0); c.off() || c.ringing || c.byRing(first.size) {
		return first.payload
	}
	return nil
}

// byRing reports whether a message travels in the ring if nothing is before it:
// a small one is there sooner unless others are under way, one that is too large has
// no other way.
func (c *Core) byRing(size int) bool {
	return size <= c.cfg.SmallLimit && c.inRing == 0 || size > c.cfg.LargeLimit
}

// RingBegun says that the first part of the message that Ring gave is on its way.
// From now on it goes in the ring, also if a view begins before the last part.
func (c *Core) RingBegun() {
	c.ringing = true
	c.inRing++ // it may be delivered before RingSent
}

// RingSent says that the daemon has taken the message that Ring gave, all of it.
// The payload is the caller's again.
func (c *Core) RingSent(now time.Duration, out *Output) {
	if !c.ringing {
		c.inRing++
	}
	c.ringing = false
	c.pop(out)
	c.advance(now, out)
}

// pop takes the oldest message out of the queue.
func (c *Core) pop(out *Output) {
	c.waiting -= c.cost(c.queue.pop().size)
	c.popped++
	c.numbered, c.asked, c.heldTo = max(c.numbered, c.popped), max(c.asked, c.popped), max(c.heldTo, c.popped)
	for _, p := range c.peers { // one in the ring was before what it holds
		p.next, p.heldAt = max(p.next, c.popped), max(p.heldAt, c.popped)
	}
	if c.full && c.waiting < c.cfg.Window {
		c.full = false
		out.add(Effect{Kind: Room})
	}
}

// own is the message at a position.
func (c *Core) own(position uint64) *outgoing { return c.queue.at(int(position - c.popped)) }

// end of the queue, as a position.
func (c *Core) newest() uint64 { return c.popped + uint64(c.queue.len()) }

// advance does what can be done now with the queue: number messages, transmit
// them, submit those that all others hold.
func (c *Core) advance(now time.Duration, out *Output) {
	if c.off() {
		return
	}
	c.number(now)
	c.transmit(out)
	c.submit(now, out)
}

// number gives messages their numbers in the view. The only one may go in the ring
// instead, if that is its way or it is on it. A small one behind others can't, as it could be
// ordered before them; one too large to be held waits until it is the oldest,
// and all behind it wait too.
func (c *Core) number(now time.Duration) {
	if c.ringing {
		return
	}
	for ; c.numbered < c.newest(); c.numbered++ {
		m := c.own(c.numbered)
		if m.size > c.cfg.LargeLimit || c.queue.len() == 1 && c.byRing(m.size) {
			return
		}
		m.seq = c.next
		c.next++
		for _, p := range c.peers {
			if !c.lacks(p) {
				p.since = now
			}
		}
		c.last = m.seq
	}
}

// transmit sends each peer what it was not sent, as far as it takes it. Those
// that come to a message together are sent it together.
func (c *Core) transmit(out *Output) {
	for {
		at := c.numbered
		for _, p := range c.peers {
			if c.ready(p) {
				at = min(at, p.next)
			}
		}
		if at == c.numbered {
			return
		}
		m := c.own(at)
		begin := len(out.members)
		for _, p := range c.peers {
			if p.next == at && c.ready(p) {
				p.next++
				p.sent += uint64(c.cost(m.size))
				out.members = append(out.members, p.Member)
			}
		}
		to := out.members[begin:len(out.members):len(out.members)]
		out.add(Effect{Kind: Transmit, To: to, View: c.view, Seq: m.seq, Payload: m.payload})
	}
}

// ready reports whether the next message for a peer can be transmitted now.
func (c *Core) ready(p *peer) bool {
	return p.up && p.next < c.numbered && p.sent+uint64(c.cost(c.own(p.next).size)) <= p.limit
}

// submit asks for the order of what all others hold, once that is worth it.
func (c *Core) submit(now time.Duration, out *Output) {
	c.look(now)
	if c.heldTo == c.asked || c.heldTo < c.numbered && c.batch < c.cfg.Batch && now < c.batchAt {
		return
	}
	for c.asked < c.heldTo {
		n := min(c.heldTo-c.asked, offload.MaxCount)
		out.add(Effect{Kind: Submit, View: c.view, Seq: c.own(c.asked).seq, Count: uint32(n)})
		c.asked += n
	}
	c.batch = 0
}

// look finds out how far all others hold what is numbered.
func (c *Core) look(now time.Duration) {
	held := c.next
	for _, p := range c.peers {
		held = min(held, p.held)
	}
	for ; c.heldTo < c.numbered; c.heldTo++ {
		m := c.own(c.heldTo)
		if m.seq > held {
			return
		}
		if c.heldTo == c.asked {
			c.batchAt = now + c.cfg.BatchDelay
		}
		c.batch += c.cost(m.size)
	}
}

// PeerUp says that messages can be transmitted to a member of the view. What it
// does not hold, as far as it said, is transmitted, perhaps again.
func (c *Core) PeerUp(now time.Duration, m Member, v View, out *Output) {
	p := c.peer(m)
	if p == nil || v != c.view {
		return
	}
	p.up, p.next, p.sent = true, p.heldAt, p.heldBytes
	c.advance(now, out)
}

// PeerDown says that nothing can be transmitted to it until the next PeerUp.
func (c *Core) PeerDown(m Member) {
	if p := c.peer(m); p != nil {
		p.up = false
	}
}

// Held says that a member holds all messages up to number seq, and takes limit
// bytes, counted from the view's beginning. Neither is ever taken back.
func (c *Core) Held(now time.Duration, m Member, v View, seq, limit uint64, out *Output) {
	p := c.peer(m)
	if p == nil || v != c.view {
		return
	}
	if seq > p.held && seq < c.next || limit > p.limit {
		p.since = now
	}
	p.limit = max(p.limit, limit)
	if seq < c.next { // it can't hold what was not sent
		p.held = max(p.held, seq)
	}
	for ; p.heldAt < c.numbered; p.heldAt++ {
		m := c.own(p.heldAt)
		if m.seq > p.held {
			break
		}
		p.heldBytes += uint64(c.cost(m.size))
	}
	if p.next < p.heldAt { // it holds what was transmitted over an earlier connection
		p.next, p.sent = p.heldAt, p.heldBytes
	}
	c.advance(now, out)
}

// Progress says that a part of a message reached a member.
func (c *Core) Progress(now time.Duration, m Member) {
	if p := c.peer(m); p != nil {
		p.since = now
	}
}
