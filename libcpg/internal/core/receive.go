package core

import "time"

// Arrived says that a message of another member is here, all of it. Those that
// come in vain are dropped: of another view, again, or beyond what was granted.
func (c *Core) Arrived(from Member, v View, seq uint64, payload Payload, out *Output) {
	p := c.peer(from)
	if p == nil || v != c.view || seq <= p.got || p.taken+uint64(payload.Len()) > p.granted {
		out.add(Effect{Kind: Drop, Payload: payload})
		return
	}
	p.got = seq
	p.taken += uint64(payload.Len())
	p.holding += payload.Len()
	p.arrived.push(arrival{seq, payload})
	out.add(c.holdEffect(p))
}

// hold tells a sender what is held of its messages, and how much it may send.
func (c *Core) hold(p *peer, out *Output) {
	share := max(c.cfg.Credit/max(len(c.peers), 1), c.cfg.LargeLimit)
	room := max(share-p.holding-c.unread[p.Member], 0)
	if limit := p.taken + uint64(room); limit > p.granted {
		p.granted = limit
		out.add(c.holdEffect(p))
	}
}

func (c *Core) holdEffect(p *peer) Effect {
	return Effect{Kind: Hold, Peer: p.Member, View: c.view, Seq: p.got, Credit: p.granted}
}

// Ordered says that count messages of a member, from number first on, have their
// place in the order here. The view is over for the group if they are not held.
func (c *Core) Ordered(now time.Duration, v View, from Member, first uint64, count uint32, out *Output) {
	if v != c.view || c.off() {
		return // the daemons order nothing of a view that is over
	}
	for i := range uint64(count) {
		payload := c.take(from, first+i, out)
		if payload == nil {
			out.add(Effect{Kind: Broken, Peer: from})
			return
		}
		c.release(from, payload, out)
	}
	c.advance(now, out)
}

// OrderedInline says that a message of a member, whose bytes came with the order,
// has its place here. payload is not used if it is an own one.
func (c *Core) OrderedInline(now time.Duration, v View, from Member, seq uint64, payload Payload, out *Output) {
	if from == c.self {
		c.Ordered(now, v, from, seq, 1, out)
		return
	}
	if v != c.view || c.off() {
		out.add(Effect{Kind: Drop, Payload: payload})
		return
	}
	c.release(from, payload, out)
}

// take takes the message with a number from where it is kept, nil if it is not
// the next one there.
func (c *Core) take(from Member, seq uint64, out *Output) Payload {
	if from == c.self {
		if c.asked == c.popped || c.own(c.popped).seq != seq {
			return nil
		}
		payload := c.own(c.popped).payload
		c.pop(out)
		return payload
	}
	p := c.peer(from)
	if p == nil || p.arrived.len() == 0 || p.arrived.at(0).seq != seq {
		return nil
	}
	payload := p.arrived.pop().payload
	p.holding -= payload.Len()
	return payload
}

func (c *Core) release(from Member, payload Payload, out *Output) {
	if from != c.self {
		c.unread[from] += payload.Len()
	}
	out.add(Effect{Kind: Release, From: from, Payload: payload})
}

// Consumed says that the application took a message of size bytes that was
// released as from's.
func (c *Core) Consumed(from Member, size int, out *Output) {
	n, ok := c.unread[from]
	if !ok {
		return // an own one, or its sender is gone
	}
	if n -= size; n > 0 {
		c.unread[from] = n
	} else {
		delete(c.unread, from)
	}
	if p := c.peer(from); p != nil {
		c.hold(p, out)
	}
}
