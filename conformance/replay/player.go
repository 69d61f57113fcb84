package replay

import (
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// A player is one life of one node's daemon, rebuilt: it takes the ordered
// messages as that daemon delivered them.
type player struct {
	history *history
	life    *life
	// switchEarly is how daemons before 3.1.6 changed over to the transitional
	// assembly set: before the old ring's last messages.
	switchEarly bool
	// had is what to believe of the doubts, by their number.
	had    map[int]totem.Seq
	doubts []doubt

	normal, trans assembler
	useTrans      bool
	round         round
	// barriersSent counts this node's barriers in each round by what reached
	// the wire.
	barriersSent map[totem.RingID]int
	ownBarriers  map[totem.RingID]int // being counted
	cpg          cpgState
	members      []totem.NodeID
	changed      place // where clients were last told of a change
	lost         []gap // delivered by the node, but not in the recording
}

// A place is a message's in a ring's order.
type place struct {
	ring totem.RingID
	seq  totem.Seq
}

// A gap is n missing messages from a place on.
type gap struct {
	place
	n int
}

// playLife plays a life. It takes two passes: whether an abandoned round was past
// a barrier of this node's is only known from what it sent later.
func playLife(h *history, l *life, switchEarly bool, had map[int]totem.Seq) *player {
	var p *player
	for range 2 {
		var sent map[totem.RingID]int
		if p != nil {
			sent = p.ownBarriers
		}
		p = &player{
			history: h, life: l, switchEarly: switchEarly, had: had, barriersSent: sent,
			normal: make(assembler), trans: make(assembler), useTrans: true, ownBarriers: make(map[totem.RingID]int),
			cpg: cpgState{self: l.node, life: l, known: make(map[process]bool)},
		}
		p.play()
	}
	return p
}

// play goes through the rings of the life.
func (p *player) play() {
	for i, s := range p.life.stays {
		if i == 0 && !s.unseen && !p.history.rings[s.id].fromStart() {
			p.begin(s)
			continue
		}
		p.enter(i, s)
	}
	if k := len(p.life.stays); k > 0 && !p.life.stays[k-1].unseen {
		p.finish(p.history.rings[p.life.stays[k-1].id])
	}
}

// begin takes a ring that was there before the recording: synchronised, its
// members those that are heard on it, its processes to be learnt.
func (p *player) begin(s *stay) {
	p.members = p.history.rings[s.id].members()
	p.useTrans = false
	p.cpg.learning = true
	p.cpg.members, p.cpg.active, p.cpg.ring, p.cpg.activeRing = p.members, p.members, s.id, s.id
}

// enter goes from the ring before to the i-th (memb_state_operational_enter).
func (p *player) enter(i int, s *stay) {
	r := p.history.rings[s.id]
	members := p.history.companions(s.id, p.life.node)
	if !s.unseen {
		members = r.members()
	}
	var trans, rest []totem.NodeID
	var after []*orderedMcast
	if i > 0 {
		trans = p.transitional(p.life.stays[i-1].id, r, s, members)
		if old := p.life.stays[i-1]; !old.unseen {
			var before []*orderedMcast
			before, after = p.tail(p.history.rings[old.id], r, s, trans)
			for _, m := range before {
				p.deliver(m)
			}
		}
	}
	for _, n := range p.members {
		if !slices.Contains(trans, n) {
			rest = append(rest, n)
		}
	}
	p.configured()
	for _, n := range rest {
		p.normal.forget(n)
		p.trans.forget(n)
	}
	p.useTrans = p.useTrans || p.switchEarly
	for _, m := range after {
		p.deliver(m)
	}
	p.useTrans = true
	p.configured()
	p.members = members
	p.round.start(s.id, members)
	p.cpg.init(trans, members, s.id)
	if s.unseen || !r.fromStart() || len(members) == 1 && !r.synchronised() {
		p.assumeSynchronised(s)
	}
}

// configured is what the daemon does at every configuration: it gives up a round
// that is under way. Stock drops what CPG has collected only while its own part
// of the round is not over (sync_abort).
func (p *player) configured() {
	if p.round.running && !p.round.building && p.round.at < len(p.round.services) &&
		p.round.services[p.round.at] == serviceCPG && p.barriersSent[p.round.ring] <= p.round.at {
		p.cpg.joinlist = nil
	}
	p.round.running = false
}

// assumeSynchronised completes a round of which nothing was seen. A node alone
// is done with it at its first few tokens.
func (p *player) assumeSynchronised(s *stay) {
	if s.unseen && s.delivered == 0 {
		return // it left before it had said anything
	}
	p.cpg.now = place{ring: s.id}
	p.cpg.assumeActivated()
	p.round.running = false
	p.useTrans = false
}

// transitional are the members that come along from the ring before: those that
// name it in the commit token as this node does.
func (p *player) transitional(old totem.RingID, r *ring, s *stay, members []totem.NodeID) []totem.NodeID {
	var trans []totem.NodeID
	for _, n := range p.members {
		if !slices.Contains(members, n) {
			continue
		}
		if n == p.life.node {
			trans = append(trans, n)
			continue
		}
		if !s.unseen {
			if e, ok := r.entry(n); ok {
				if e.Ring == old {
					trans = append(trans, n)
				}
				continue
			}
		}
		if p.history.comesFrom(n, old, s.id) {
			trans = append(trans, n)
		}
	}
	return trans
}

// comesFrom reports whether a node went from one ring straight to the other.
func (h *history) comesFrom(n totem.NodeID, old, next totem.RingID) bool {
	for _, l := range h.node(n).lives {
		for i := 1; i < len(l.stays); i++ {
			if l.stays[i-1].id == old && l.stays[i].id == next {
				return true
			}
		}
	}
	return false
}

// tail returns the messages of the old ring that this node delivered before and
// after the transitional configuration of the new one: all up to the highest
// that a member coming along had in order, then what recovery brought, to the
// first hole; and past it what is from members that come along
// (messages_deliver_to_app).
func (p *player) tail(old, r *ring, s *stay, trans []totem.NodeID) (before, after []*orderedMcast) {
	var high totem.Seq
	told := false
	var recovered map[totem.Seq]bool
	if r != nil {
		for _, n := range trans {
			if e, ok := r.entry(n); ok && e.Ring == old.id {
				high, told = later(high, e.ARU), true
			}
		}
		recovered = r.recovered[old.id]
	}
	if !told {
		high = old.lastHad(p.life.node)
		p.doubts = append(p.doubts, doubt{len(p.doubts), old, high})
		if more, ok := p.had[len(p.doubts)-1]; ok {
			high = more
		}
	}
	next, hole := old.first(), false
	for _, seq := range old.numbers() {
		p.gap(old, next, min(seq, high+1))
		held := seq.AtMost(high) || recovered[seq]
		hole = hole || !held || next != seq && !(seq-1).AtMost(high)
		next = seq + 1
		switch m := old.messages[seq]; {
		case !held || m == nil: // nil: an encapsulated one, which recovery consumed
		case !hole:
			before = append(before, m)
		case slices.Contains(trans, m.From):
			after = append(after, m)
		}
	}
	p.gap(old, next, high+1)
	return before, after
}

// finish delivers the last ring's messages: all there are, to the first hole
// that the ring itself may have had.
func (p *player) finish(r *ring) {
	next := r.first()
	for _, seq := range r.numbers() {
		p.gap(r, next, min(seq, r.aru+1))
		if next != seq && !(seq - 1).AtMost(r.aru) {
			return
		}
		if m := r.messages[seq]; m != nil {
			p.deliver(m)
		}
		next = seq + 1
	}
	p.gap(r, next, r.aru+1)
}

// gap notes that the recording lacks the messages from number next to before
// end, if there are any, although the node had them.
func (p *player) gap(r *ring, next, end totem.Seq) {
	if next.Before(end) {
		p.lost = append(p.lost, gap{place{r.id, next}, int(end - next)})
	}
}

// deliver takes a multicast into the assembly set in use.
func (p *player) deliver(m *orderedMcast) {
	p.cpg.now = place{m.Ring, m.Seq}
	set := p.normal
	if p.useTrans {
		set = p.trans
	}
	set.frame(m.Node, m.frame, func(msg []byte, end int) {
		e := m.messages[end]
		if e == nil {
			e = decodeMessage(msg, m.BigEndian)
			m.note(end, e)
		}
		if e.err == nil {
			p.message(m, e)
		}
		if p.cpg.notified {
			p.cpg.notified, p.changed = false, p.cpg.now
		}
	})
}

// joinedEarly reports whether a client whose PROCJOIN is in m may have asked to
// join before the latest change was told: that is, unless the token has since
// found the node with nothing to send.
func (p *player) joinedEarly(m *orderedMcast) bool {
	return p.changed.ring == m.Ring && p.history.rings[m.Ring].idle(p.life.node, m.Seq).Before(p.changed.seq)
}

// message runs a whole message through the daemon's services.
func (p *player) message(mc *orderedMcast, e *execMessage) {
	from := mc.Node
	switch m := e.body.(type) {
	case *exec.ServiceBuild:
		p.round.build(from, m)
	case *exec.Barrier:
		if from == p.life.node {
			p.ownBarriers[m.Ring]++
		}
		done, finished := p.round.barrier(from, m)
		if done == serviceCPG {
			p.cpg.activate()
		}
		if finished {
			p.round.running = false
			p.useTrans = false
		}
	case *exec.ProcChange:
		if m.Leave {
			p.cpg.left(from, m)
		} else {
			p.cpg.joined(from, m, from == p.life.node && p.joinedEarly(mc))
		}
	case *exec.JoinList:
		p.cpg.keepJoinlist(from, m)
	case *exec.Mcast:
		p.cpg.mcast(from, m)
	case *exec.PartialMcast:
		p.cpg.partial(from, m)
	}
}
