package core

import "time"

// Arrived says that a message of another member is here, all of it. Those that
// come in vain are dropped: of another view, again, or beyond what was granted.
func (c *Core) Arrived(from Member, v View, seq uint64, payload Payload, out *Output) {
	p := c.peer(from)
	if p == nil || v != c.view || seq <= p.got || p.taken+uint64(c.cost(payload.Len())) > p.granted {
		out.add(Effect{Kind: Drop, Payload: payload})
		return
	}
	p.got = seq
	p.taken += uint64(c.cost(payload.Len()))
	p.holding += c.cost(payload.Len()) // kept as granted until now
	p.arrived.push(arrival{seq, payload})
	if !c.hold(p, out) {
		out.add(c.holdEffect(p))
	}
}

// open is how many bytes the peer was granted and has not sent.
func (p *peer) open() int { return int(p.granted - p.taken) }

// share grants every peer what it may have.
func (c *Core) share(out *Output) {
	c.short = false
	for _, p := range c.peers {
		c.hold(p, out)
	}
}

// hold tells a sender what is held of its messages and how much it may send, if
// that is not enough any more: its share, less what is kept of it. What an earlier view
// left, of those who have less of a share now or are gone, counts against all.
func (c *Core) hold(p *peer, out *Output) (told bool) {
	all := max(c.cfg.Credit, len(c.peers)*c.cost(c.cfg.LargeLimit))
	share := all / len(c.peers)
	if p.open() >= max(share/2, c.cost(c.cfg.LargeLimit)) {
		return false
	}
	room := share - p.holding - c.unread[p.Member] - p.open()
	if room > all-c.kept {
		room, c.short = all-c.kept, true
	}
	if room <= 0 {
		return false
	}
	p.granted += uint64(room)
	c.kept += room
	out.add(c.holdEffect(p))
	return true
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
	p.holding -= c.cost(payload.Len())
	c.kept -= c.cost(payload.Len()) // until release
	return payload
}

func (c *Core) release(from Member, payload Payload, out *Output) {
	if from != c.self {
		c.unread[from] += c.cost(payload.Len())
		c.kept += c.cost(payload.Len())
	}
	out.add(Effect{Kind: Release, From: from, Payload: payload})
}

// Consumed says that the application took a message of size bytes that was
// released as from's.
func (c *Core) Consumed(from Member, size int, out *Output) {
	n := c.unread[from]
	size = min(c.cost(size), n) // none of an own one
	if c.kept -= size; n == size {
		delete(c.unread, from)
	} else {
		c.unread[from] = n - size
	}
	if c.short {
		c.share(out)
	} else if p := c.peer(from); p != nil {
		c.hold(p, out)
	}
}
