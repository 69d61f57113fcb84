package replay

import (
	"maps"
	"slices"

	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// A history is what was on the wire, sorted by ring and by node.
type history struct {
	rings map[totem.RingID]*ring
	nodes map[totem.NodeID]*node
}

// A ring is one incarnation, as far as it was seen.
type ring struct {
	id     totem.RingID
	commit *totem.CommitToken // the copy with most entries filled in; nil if none was seen
	// messages are the ordinary multicasts by sequence number, those that were
	// only seen encapsulated too.
	messages map[totem.Seq]*orderedMcast
	// recovery are the numbers that went to encapsulated messages; they are
	// consumed in recovery and never delivered.
	recovery map[totem.Seq]bool
	// recovered are the old messages that were encapsulated on this ring.
	recovered map[totem.RingID]map[totem.Seq]bool
	visits    map[totem.NodeID][]visit // of the token, by who passed it on
	aru       totem.Seq                // the highest that all members were seen to have
	heard     map[totem.NodeID]bool    // who spoke on this ring
	order     []totem.Seq              // see numbers
}

// A visit is a token as a node passed it on.
type visit struct{ tokenSeq, seq totem.Seq }

// An orderedMcast is a message with its place in a ring's order.
type orderedMcast struct {
	totem.Mcast
	frame  *pg.Frame
	copies []*packet
	// messages are those that end in this frame, by where they end in its data.
	messages map[int]*execMessage
}

// A node is what one node's frames tell of its daemon's life.
type node struct {
	id       totem.NodeID
	lives    []*life
	pending  []*stay // rings heard of in commit tokens, not yet followed by a message
	lastPing uint16
	sender   uint32 // SenderSeq of its latest ordinary message, if spoke
	on       totem.RingID
	spoke    bool
	left     bool                  // its last word was a leave
	entries  map[totem.RingID]bool // commit tokens looked at
}

// A life is one run of a node's daemon: the rings that it installed, in order.
type life struct {
	node  totem.NodeID
	stays []*stay
	// presumed tells that the last stay is: the node, not heard again, formed a
	// ring of its own.
	presumed bool
}

// A stay is a life's time in one ring.
type stay struct {
	id totem.RingID
	// unseen tells that nothing of the ring was on the wire: the node was alone
	// in it.
	unseen    bool
	delivered totem.Seq // up to where it says it did, once it has gone on
}

func newHistory() *history {
	return &history{rings: make(map[totem.RingID]*ring), nodes: make(map[totem.NodeID]*node)}
}

func (h *history) ring(id totem.RingID) *ring {
	r := h.rings[id]
	if r == nil {
		r = &ring{
			id:        id,
			messages:  make(map[totem.Seq]*orderedMcast),
			recovery:  make(map[totem.Seq]bool),
			recovered: make(map[totem.RingID]map[totem.Seq]bool),
			visits:    make(map[totem.NodeID][]visit),
			heard:     make(map[totem.NodeID]bool),
		}
		h.rings[id] = r
	}
	return r
}

func (h *history) node(id totem.NodeID) *node {
	n := h.nodes[id]
	if n == nil {
		n = &node{id: id, entries: make(map[totem.RingID]bool)}
		h.nodes[id] = n
	}
	return n
}

// add takes the next packet.
func (h *history) add(p *packet) {
	if p.err != nil {
		return
	}
	if ping, ok := p.knet.(*knet.Ping); ok && ping.Type == knet.TypePing {
		// The count of messages is zero only in a daemon that has sent none.
		n := h.node(totem.NodeID(ping.Node))
		if ping.Seq == 0 && n.lastPing != 0 {
			n.restart()
		}
		n.lastPing = ping.Seq
	}
	switch m := p.message.(type) {
	case *totem.Mcast:
		h.addMcast(p, m)
	case *totem.Token:
		r := h.ring(m.Ring)
		r.visited(m.Node, visit{m.TokenSeq, m.Seq})
		r.heard[m.Node] = true
		if m.TokenSeq != 0 { // the first token's aru is a mark, not a number
			r.aru = later(r.aru, m.ARU)
		}
	case *totem.CommitToken:
		h.addCommit(m)
	case *totem.Join:
		if m.IsLeave() {
			n := h.node(m.From)
			n.restart()
			n.left = true
		}
	}
}

// visited notes a visit; tokens are sent again if the next node keeps silent.
func (r *ring) visited(n totem.NodeID, v visit) {
	if known := r.visits[n]; len(known) == 0 || known[len(known)-1].tokenSeq.Before(v.tokenSeq) {
		r.visits[n] = append(known, v)
	}
}

// idle is the sequence number at which the token last left the node with its
// queue empty, before the visit that took message seq along: it took nothing.
func (r *ring) idle(n totem.NodeID, seq totem.Seq) totem.Seq {
	var idle, before totem.Seq
	for _, v := range r.visits[n] {
		if !v.seq.Before(seq) {
			break
		}
		sent := false
		for s := before + 1; s.AtMost(v.seq) && !sent; s++ {
			m := r.messages[s]
			sent = m == nil || m.Node == n // one that is missing may be its own
		}
		if !sent {
			idle = v.seq
		}
		before = v.seq
	}
	return idle
}

func later(a, b totem.Seq) totem.Seq {
	if a.Before(b) {
		return b
	}
	return a
}

func (h *history) addMcast(p *packet, m *totem.Mcast) {
	r := h.ring(m.Ring)
	r.heard[m.Node] = true
	if p.inner != nil {
		r.recovery[m.Seq] = true
		old := p.inner.Ring
		if r.recovered[old] == nil {
			r.recovered[old] = make(map[totem.Seq]bool)
		}
		r.recovered[old][p.inner.Seq] = true
		oldRing := h.ring(old)
		if oldRing.messages[p.inner.Seq] == nil {
			oldRing.messages[p.inner.Seq] = &orderedMcast{Mcast: *p.inner, frame: p.frame, copies: []*packet{p}}
		}
		p.mcast = oldRing.messages[p.inner.Seq]
		return
	}
	if known := r.messages[m.Seq]; known != nil {
		known.copies = append(known.copies, p)
		p.mcast = known
		return
	}
	p.mcast = &orderedMcast{Mcast: *m, frame: p.frame, copies: []*packet{p}}
	r.messages[m.Seq] = p.mcast
	h.node(m.Node).spokeOn(m)
}

// addCommit keeps the fullest copy of a commit token and notes where each of
// its members comes from.
func (h *history) addCommit(c *totem.CommitToken) {
	r := h.ring(c.Ring)
	if r.commit == nil || c.Index >= r.commit.Index {
		r.commit = c
	}
	for i := range min(c.Index, len(c.Addrs)) {
		h.node(c.Addrs[i]).cameFrom(c.Ring, c.Entries[i], h.rings[c.Entries[i].Ring] != nil)
	}
}

// entry returns what a member told of the ring that it came from.
func (r *ring) entry(n totem.NodeID) (totem.CommitEntry, bool) {
	if r.commit != nil {
		for i := range min(r.commit.Index, len(r.commit.Addrs)) {
			if r.commit.Addrs[i] == n {
				return r.commit.Entries[i], true
			}
		}
	}
	return totem.CommitEntry{}, false
}

// members are the ring's, ascending.
func (r *ring) members() []totem.NodeID {
	if r.commit != nil {
		return slices.Sorted(slices.Values(r.commit.Addrs))
	}
	return slices.Sorted(maps.Keys(r.heard))
}

// fromStart reports whether the ring's order was seen from its beginning.
func (r *ring) fromStart() bool {
	return r.commit != nil || r.messages[1] != nil || r.recovery[1]
}

// first is the lowest sequence number seen, 1 if the ring was seen from its
// beginning.
func (r *ring) first() totem.Seq {
	if r.fromStart() {
		return 1
	}
	if order := r.numbers(); len(order) > 0 {
		return order[0]
	}
	return 1
}

// numbers are those of all messages seen, ascending. The ring must be complete.
func (r *ring) numbers() []totem.Seq {
	if r.order == nil {
		for seq := range r.messages {
			r.order = append(r.order, seq)
		}
		for seq := range r.recovery {
			if r.messages[seq] == nil {
				r.order = append(r.order, seq)
			}
		}
		slices.SortFunc(r.order, compareSeq)
	}
	return r.order
}

func compareSeq(a, b totem.Seq) int {
	switch {
	case a == b:
		return 0
	case a.Before(b):
		return -1
	}
	return 1
}

// spokeOn notes an ordinary multicast, which proves that the node has installed
// the ring. A daemon counts its multicasts from zero, so a count that does not
// go up from one ring to the next is a new daemon's.
func (n *node) spokeOn(m *totem.Mcast) {
	if n.spoke && m.Ring != n.on && m.SenderSeq <= n.sender {
		pending := n.pending // heard of since the old daemon's last word: the new one's
		n.pending = nil
		n.restart()
		n.pending = pending
	}
	n.left = false
	n.spoke, n.on, n.sender = true, m.Ring, max(n.sender, m.SenderSeq)
	l := n.life()
	if k := len(l.stays); k > 0 && l.stays[k-1].id == m.Ring {
		return
	}
	if slices.ContainsFunc(l.stays, func(s *stay) bool { return s.id == m.Ring }) {
		return // a late copy of a message of an earlier ring
	}
	l.stays = append(l.stays, n.pending...)
	n.pending = nil
	l.stays = append(l.stays, &stay{id: m.Ring})
}

// cameFrom notes which ring the node has left for a new one. If that is not the
// one it was last heard on, it was in a ring in between.
func (n *node) cameFrom(to totem.RingID, e totem.CommitEntry, seen bool) {
	if n.entries[to] {
		return
	}
	n.entries[to] = true
	for _, s := range slices.Concat(n.life().stays, n.pending) {
		if s.id == e.Ring {
			s.delivered = e.HighDelivered
			return
		}
	}
	if !seen && e.Ring.Rep == n.id && e.ARU == 0 && e.HighDelivered == 0 {
		return // a daemon's private ring id before its first ring
	}
	n.pending = append(n.pending, &stay{id: e.Ring, unseen: !seen, delivered: e.HighDelivered})
}

// life is the node's present one.
func (n *node) life() *life {
	if len(n.lives) == 0 {
		n.lives = append(n.lives, &life{node: n.id})
	}
	return n.lives[len(n.lives)-1]
}

// restart ends the present life.
func (n *node) restart() {
	if l := n.life(); len(l.stays)+len(n.pending) > 0 { // else this is a new one already
		l.stays = append(l.stays, n.pending...)
		n.lives = append(n.lives, &life{node: n.id})
	}
	n.pending, n.spoke, n.sender = nil, false, 0
}

// finish closes what is still open at the recording's end.
func (h *history) finish() {
	for _, n := range h.nodes {
		if len(n.pending) > 0 {
			l := n.life()
			l.stays = append(l.stays, n.pending...)
			n.pending = nil
		}
	}
}

// companions are the members of a ring that nobody saw: those that later say
// that they come from it.
func (h *history) companions(id totem.RingID, self totem.NodeID) []totem.NodeID {
	found := map[totem.NodeID]bool{self: true}
	for _, r := range h.rings {
		if r.commit == nil {
			continue
		}
		for i := range min(r.commit.Index, len(r.commit.Addrs)) {
			if r.commit.Entries[i].Ring == id {
				found[r.commit.Addrs[i]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// lastHad is the highest sequence number that the node, by the tokens it passed
// on and the messages it sent, must have reached on the ring.
func (r *ring) lastHad(n totem.NodeID) totem.Seq {
	var high totem.Seq
	for _, v := range r.visits[n] {
		high = later(high, v.seq)
	}
	for seq, m := range r.messages {
		if m.Node == n {
			high = later(high, seq)
		}
	}
	return high
}
