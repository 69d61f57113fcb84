package core

import (
	"cmp"
	"slices"
	"time"
)

// A Core is the protocol in one process. It belongs to one goroutine at a time.
type Core struct {
	self Member
	cfg  Config

	view  View // zero: off
	began time.Duration
	peers []*peer // the view's other members, ascending

	// Own messages without a place in the order, oldest first. Positions in it
	// count from the first message ever: popped is that of the front.
	queue    deque[outgoing]
	popped   uint64
	waiting  int           // what those in queue cost
	inRing   int           // own messages that the ring has taken and not delivered
	full     bool          // Send said ErrFull
	ringing  bool          // the front goes in the ring, whatever begins meanwhile
	numbered uint64        // position of the first without a number in this view
	asked    uint64        // position of the first that was not submitted in this view
	heldTo   uint64        // position of the first that some peer lacks
	batch    int           // what those from asked to heldTo cost
	batchAt  time.Duration // when that is submitted at the latest
	next     uint64        // the next number in this view
	last     uint64        // the highest number whose bytes others must hold

	unread map[Member]int // bytes released to the application, and not taken by it
	kept   int            // bytes of others': unread, in arrived, and granted
	short  bool           // somebody was granted less than its share

	announceAt time.Duration
	pause      time.Duration // before the next announcement
}

// An outgoing message is in the queue until the ring has taken it, or it has its
// place in the order.
type outgoing struct {
	payload Payload
	size    int
	seq     uint64 // its number, if it has one in this view
}

// A peer is another member of the view, as receiver and as sender.
type peer struct {
	Member

	// What it has of ours. Positions are the queue's, bytes count from the
	// beginning of the view.
	up        bool
	next      uint64 // position of what is transmitted next
	sent      uint64 // bytes transmitted
	held      uint64 // it holds all numbers up to this
	heldAt    uint64 // position behind what it holds
	heldBytes uint64
	limit     uint64        // bytes that it takes
	since     time.Duration // when it last held something new, or lacked nothing
	told      bool          // its suspension was asked for

	// What we have of its.
	arrived deque[arrival] // without a place in the order
	got     uint64         // number of the last that arrived
	taken   uint64         // bytes that arrived
	holding int            // bytes in arrived
	granted uint64         // bytes that it was told it may send
}

type arrival struct {
	seq     uint64
	payload Payload
}

// New makes the core of a process; no view is on.
func New(self Member, cfg Config) *Core {
	return &Core{self: self, cfg: cfg, announceAt: Never, pause: cfg.Backoff, unread: make(map[Member]int)}
}

// View is the view that is on, the zero View if none is.
func (c *Core) View() View { return c.view }

func (c *Core) off() bool { return c.view == View{} }

// ViewOn begins a view at its place in the order. members has every process of
// the group, this one too, and is not kept.
func (c *Core) ViewOn(now time.Duration, v View, members []Member, out *Output) {
	c.end(out)
	c.view, c.began, c.announceAt = v, now, Never
	for _, m := range members {
		if m != c.self {
			c.peers = append(c.peers, &peer{Member: m, next: c.popped, heldAt: c.popped, since: now})
		}
	}
	slices.SortFunc(c.peers, func(a, b *peer) int { return compare(a.Member, b.Member) })
	c.share(out)
	c.advance(now, out)
}

// ViewOff ends the view at its place in the order. suspended says that this
// process is why: it offers itself again after a while.
func (c *Core) ViewOff(now time.Duration, suspended bool, out *Output) {
	if !c.off() && now-c.began >= c.cfg.MaxBackoff {
		c.pause = c.cfg.Backoff
	}
	c.end(out)
	if suspended {
		c.announceAt = now + c.pause
		c.pause = min(2*c.pause, c.cfg.MaxBackoff)
	}
}

// end forgets everything of the present view but own messages.
func (c *Core) end(out *Output) {
	for _, p := range c.peers {
		c.drop(p, out)
	}
	c.view, c.peers = View{}, nil
	for i := range c.queue.len() {
		c.queue.at(i).seq = 0
	}
	c.numbered, c.asked, c.heldTo, c.batch, c.next, c.last = c.popped, c.popped, c.popped, 0, 1, 0
}

// drop gives back what of a sender's messages has no place in the order. It may
// send no more.
func (c *Core) drop(p *peer, out *Output) {
	for p.arrived.len() > 0 {
		out.add(Effect{Kind: Drop, Payload: p.arrived.pop().payload})
	}
	c.kept -= p.holding + p.open()
	p.holding, p.granted = 0, p.taken
}

// Left takes processes out of the group at their place in the order. Nothing of
// theirs is ordered from there on.
func (c *Core) Left(now time.Duration, members []Member, out *Output) {
	c.peers = slices.DeleteFunc(c.peers, func(p *peer) bool {
		gone := slices.Contains(members, p.Member)
		if gone {
			c.drop(p, out)
		}
		return gone
	})
	c.share(out) // each may have more now
	c.advance(now, out)
}

func (c *Core) peer(m Member) *peer {
	at, ok := slices.BinarySearchFunc(c.peers, m, func(p *peer, m Member) int { return compare(p.Member, m) })
	if !ok {
		return nil
	}
	return c.peers[at]
}

func compare(a, b Member) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.PID, b.PID)) }

// lacks reports whether a peer does not hold all that it should.
func (c *Core) lacks(p *peer) bool { return p.held < c.last }

// Deadline is when Tick is due.
func (c *Core) Deadline() time.Duration {
	d := c.announceAt
	if c.heldTo > c.asked {
		d = min(d, c.batchAt)
	}
	for _, p := range c.peers {
		if c.lacks(p) && !p.told {
			d = min(d, p.since+c.cfg.AckTimeout)
		}
	}
	return d
}

// Tick does what is due.
func (c *Core) Tick(now time.Duration, out *Output) {
	if now >= c.announceAt {
		c.announceAt = Never
		out.add(Effect{Kind: Announce})
	}
	c.submit(now, out)
	for _, p := range c.peers {
		if c.lacks(p) && !p.told && now >= p.since+c.cfg.AckTimeout {
			p.told = true
			out.add(Effect{Kind: Suspend, Peer: p.Member, View: c.view})
		}
	}
}
