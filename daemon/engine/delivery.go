package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// receiveMcast files an ordered message by its ring and delivers what has
// become deliverable (message_handler_mcast).
func (e *Engine) receiveMcast(packet []byte, out *Output) {
	m := &e.mcast
	if _, err := m.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	if m.Ring != e.ring {
		e.foreign(m.From, m.Ring, ForeignMcast, ForeignMcastGather, out)
		return
	}
	q := e.filing()
	if q == nil {
		e.stats.RxMsgDropped++
		return
	}
	if !e.file(q, m, packet) {
		return
	}
	q.advance()
	if e.state == StateOperational {
		e.deliver(out)
	}
}

// filing is the queue for messages of e.ring: the new ring's in recovery, the
// installed ring's while it is the current one, else none. A node that gave up
// an attempt to form a ring is in neither.
func (e *Engine) filing() *sortQueue {
	switch {
	case e.state == StateRecovery:
		return e.recovery.queue
	case e.ring == e.installed:
		return e.regular
	}
	return nil
}

// speakers are the members of the ring whose messages are filed now.
func (e *Engine) speakers() []totem.NodeID {
	if e.state == StateRecovery {
		return e.commit.members
	}
	return e.members
}

// file stores a copy of a message unless it is here already, too old, or too
// far ahead. Its originator must be a member: what others say in a ring's name
// would be assembled, and kept, for each of them.
func (e *Engine) file(q *sortQueue, m *totem.Mcast, packet []byte) bool {
	switch {
	case m.From != m.Node || !slices.Contains(e.speakers(), m.From):
		e.stats.McastStrange++
		return false
	case !q.plausible(m.Seq, e.cfg.WindowSize):
		e.stats.McastWindow++
		return false
	case q.get(m.Seq) != nil:
		e.stats.McastDuplicate++
		return false
	case !q.takes(m.Seq):
		e.stats.McastMemory++
		return false
	}
	b := append(e.pool.get(len(packet)), packet...)
	totem.SetTarget(b, 0) // it may be sent again, to everybody
	q.put(m.Seq, slot{packet: b, from: m.From, encapsulated: m.Encapsulated == totem.Encapsulated})
	if m.Encapsulated == totem.Encapsulated && e.state == StateRecovery {
		e.recovery.noteResent(m.Payload, e.installed)
	}
	return true
}

// deliver hands up messages in order, up to the first that is missing
// (messages_deliver_to_app with skip 0).
func (e *Engine) deliver(out *Output) {
	for {
		sl := e.regular.get(e.delivered + 1)
		if sl == nil {
			return
		}
		e.delivered++
		e.handUp(sl, out)
	}
}

// deliverRest hands up what is behind the first missing message, after the
// transitional configuration: only messages of those who came along, for only
// of those is it certain that all of them are here (skip 1).
func (e *Engine) deliverRest(trans []totem.NodeID, out *Output) {
	for e.delivered.Before(e.regular.high) {
		e.delivered++
		sl := e.regular.get(e.delivered)
		if sl != nil && slices.Contains(trans, sl.from) {
			e.handUp(sl, out)
		}
	}
}

// handUp delivers one message. Recovery messages are of no use any more.
func (e *Engine) handUp(sl *slot, out *Output) {
	if sl.encapsulated {
		return
	}
	h, err := totem.ParseHeader(sl.packet)
	if err != nil {
		return // was checked when it was filed
	}
	out.add(Effect{
		Kind: Deliver, From: h.Node, BigEndian: h.BigEndian,
		Packet: sl.packet[totem.McastLen:], Ring: e.installed,
	})
}

// free releases messages that everybody has: by this token, by the one of the
// previous visit, and by our own delivery (messages_free). Two visits are
// needed because a token's aru may be raised past a member that lowers it only
// when it comes there.
func (e *Engine) free(aru totem.Seq) {
	to := aru
	if e.token.lastARU.Before(to) {
		to = e.token.lastARU
	}
	if e.delivered.Before(to) {
		to = e.delivered
	}
	if e.released.Before(to) {
		e.regular.release(to)
		e.released = to
	}
}
