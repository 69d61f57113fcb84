package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// enterOperational installs the ring: the old ring's last messages, the two
// configurations, and the new ring's queue in place of the old
// (memb_state_operational_enter).
func (e *Engine) enterOperational(out *Output) {
	e.token.originated = false
	e.gather.consensus = e.gather.consensus[:0]
	e.unwrapRecovered()
	e.deliver(out)

	trans := slices.Clone(e.recovery.trans)
	left := subtract(e.members, trans)
	joined := subtract(e.commit.members, trans)
	e.members = slices.Clone(e.commit.members)
	out.add(Effect{Kind: Configure, Ring: e.ring, Conf: &Configuration{
		Kind: Transitional, Ring: e.ring, Members: trans, Left: left,
	}})
	e.syncing, e.installing = true, true
	e.deliverRest(trans, out)
	out.add(Effect{Kind: Configure, Ring: e.ring, Conf: &Configuration{
		Kind: Regular, Ring: e.ring, Members: slices.Clone(e.members), Joined: joined,
	}})

	if len(joined) > 0 {
		// They lack the beginning of what we are in the middle of saying.
		e.normal.startOver()
		e.sync.startOver()
	}
	e.regular, e.recovery.queue = e.recovery.queue, e.regular
	e.recovery.queue.reset(e.cfg.start())
	e.recovery.resent = nil
	e.startDelivery()
	e.token.lastARU = e.cfg.start()

	if silent := subtract(left, e.gather.left); len(silent) > 0 {
		out.trace(LeftSilently{Nodes: silent})
	}
	e.gather.proc = slices.Clone(e.members)
	e.gather.failed = e.gather.failed[:0]
	e.gather.left = e.gather.left[:0]
	e.installed = e.ring
	e.settled = false
	e.state = StateOperational
	e.stats.OperationalEntered++
	e.stats.ContinuousGather = 0
	out.trace(StateEntered{State: StateOperational, Ring: e.ring})
	e.proveAlive()
}

// unwrapRecovered files the old ring's messages that were sent again
// (deliver_messages_from_recovery_to_regular). Their bytes stay the recovery
// queue's.
func (e *Engine) unwrapRecovered() {
	q := e.recovery.queue
	var m totem.Mcast
	for s := e.cfg.FirstSeq; s.AtMost(q.aru); s++ {
		sl := q.get(s)
		if sl == nil || !sl.encapsulated {
			continue
		}
		inner := sl.packet[totem.McastLen:]
		if _, err := m.Decode(inner); err != nil || m.Ring != e.installed {
			continue
		}
		if !e.regular.inWindow(m.Seq) || e.regular.get(m.Seq) != nil {
			continue
		}
		e.regular.put(m.Seq, slot{
			packet: inner, from: m.From, borrowed: true,
			encapsulated: m.Encapsulated == totem.Encapsulated,
		})
	}
	e.regular.advance()
}

// startDelivery finds where the new ring's delivery begins: recovery messages
// were for the old ring and are never delivered as such, but a member that was
// installed earlier than we may have spoken already.
func (e *Engine) startDelivery() {
	q := e.regular
	e.delivered = e.cfg.start()
	for e.delivered.Before(q.aru) && q.get(e.delivered+1).encapsulated {
		e.delivered++
	}
	q.release(e.delivered)
	e.released = e.delivered
}
