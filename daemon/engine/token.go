package engine

import (
	"slices"
	"time"

	"cpgol/wire/totem"
)

// tokenState is what a node remembers from one visit of the token to the next.
type tokenState struct {
	in   totem.Token // decoded into, one at a time
	kept []byte      // the last token sent, of either kind, to send again

	discard    bool // no tokens count until recovery (orf_token_discard)
	originated bool // the representative has started the ring's token
	held       bool // the ring is idle: the representative keeps the token (my_token_held)
	early      bool // it does so as soon as nothing is left to do
	resting    bool // it has: kept is with nobody else

	patience time.Duration // how long it may take to come before it is asked for again

	lastTokenSeq totem.Seq // of the last token accepted (my_token_seq)
	lastSeq      totem.Seq // sequence number of the last token seen (my_last_seq)
	lastARU      totem.Seq // aru it came with (my_last_aru)
	unchanged    int       // tokens in a row without a new message (my_seq_unchanged)
	visitSeq     totem.Seq // sequence number of the last token visited
	idle         int       // visits in a row without a new message; unchanged counts repeated tokens too
	aruCount     int       // visits in a row without progress (my_aru_count)
}

// receiveToken is a visit of the token (message_handler_orf_token). The numbers
// are the steps of the protocol description.
func (e *Engine) receiveToken(packet []byte, out *Output) {
	t := &e.token.in
	if _, err := t.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	if e.token.discard || e.state != StateOperational && e.state != StateRecovery {
		return // 1
	}
	e.watchIdle(t.Seq) // 2
	e.token.held = isHeld(e.isRep(), e.token.unchanged, e.cfg.SeqUnchanged)
	forward := !(e.isRep() && e.token.held) // 4
	if t.Ring == e.ring {                   // 6
		if t.TokenSeq.AtMost(e.token.lastTokenSeq) {
			return // 7: sent again
		}
		if t.Node != before(e.commit.members, e.cfg.Node) {
			e.stats.TokenStrange++
			return
		}
		if !e.current().assignable(t.Seq, e.cfg.WindowSize) {
			e.stats.TokenGap++
			return
		}
		e.repair(t)
		forward = e.visit(t, forward, out)
	}
	if d, used := e.cfg.heartbeat(); used && forward && e.state != StateGather {
		e.arm(timerHeartbeat, d) // 25
	} else {
		e.timers.stop(timerHeartbeat)
	}
}

// before is the member whose turn is before n's: nobody else passes the token to
// n, the first or again.
func before(members []totem.NodeID, n totem.NodeID) totem.NodeID {
	i := slices.Index(members, n)
	if i < 0 {
		return 0
	}
	return members[(i+len(members)-1)%len(members)]
}

// visit handles a token that is for this node now. It returns whether the token
// is passed on: a held one is let go while messages are missing.
func (e *Engine) visit(t *totem.Token, forward bool, out *Output) bool {
	q := e.current()
	if e.token.idle++; t.Seq != e.token.visitSeq {
		e.token.idle = 0
	}
	e.token.visitSeq = t.Seq
	settled := t.ARU == t.Seq && len(t.Retransmits) == 0 // as all others left it
	if e.state == StateOperational {
		e.settled = true
		e.free(t.ARU) // 5
	}
	e.sendQueue().flush() // 8
	e.flow.backlog = e.backlog()
	e.stats.LastToken = e.now
	e.timers.stop(timerCancel, timerResume)
	e.tokenTimes.received(e.now, e.flow.backlog)
	e.rounds.came(e.now)

	lastARU := e.token.lastARU // 9
	e.token.lastARU = t.ARU
	allowed := e.flow.allowed(&e.cfg, t) // 10
	resent := e.serve(t, q, allowed, out)
	e.request(t, q) // 11
	allowed -= resent
	if e.cfg.CancelHoldOnRetransmit && e.token.held && (len(t.Retransmits) > 0 || resent > 0) {
		e.token.held = false // 12
		forward = true
	}
	allowed = windowLimit(&e.cfg, allowed, e.released, t.Seq) // 13
	sent := e.sendQueued(t, q, allowed, out)                  // 14
	q.assigned = t.Seq
	e.flow.update(t, resent+sent)   // 15
	updateARU(t, q.aru, e.cfg.Node) // 16
	forward = e.restsNow(forward, settled && t.Backlog == 0, resent+sent)
	if t.ARU == lastARU && t.ARUAddr != 0 {
		e.token.aruCount++ // 17
	} else {
		e.token.aruCount = 0
	}
	if e.token.aruCount > e.cfg.FailToReceive && t.ARUAddr == e.cfg.Node {
		e.giveUp(t, out) // 18
		return false
	}
	e.token.lastTokenSeq = t.TokenSeq // 19
	t.TokenSeq++
	if e.state == StateRecovery && e.recovery.step(t, e.backlog() > 0) {
		e.enterOperational(out) // 20
	}
	e.passOn(t, forward, out) // 21
	if e.state == StateOperational {
		e.deliver(out) // 22
	}
	e.armToken() // 23
	e.arm(timerRetransmit, e.cfg.TokenRetransmit)
	if e.isRep() && e.token.held {
		e.arm(timerHold, e.cfg.Hold)
	}
	e.tokenTimes.sent(e.now)
	out.add(Effect{Kind: TokenSent}) // 24
	return forward
}

// updateARU lets the token's aru be this node's if that is less, if this node
// lowered it last, or if nobody did.
func updateARU(t *totem.Token, aru totem.Seq, self totem.NodeID) {
	if !aru.Before(t.ARU) && t.ARUAddr != self && t.ARUAddr != 0 {
		return
	}
	t.ARU = aru
	t.ARUAddr = self
	if t.ARU == t.Seq {
		t.ARUAddr = 0
	}
}

// giveUp excludes this node: for thousands of visits it was the one that lacked
// a message. The token is not passed on. (In the paper the others decide so.)
func (e *Engine) giveUp(t *totem.Token, out *Output) {
	e.gather.gaveUp = true
	e.gather.failed = merge(e.gather.failed, []totem.NodeID{e.cfg.Node})
	out.trace(GaveUp{ARU: t.ARU})
	e.enterGather(FailedToReceive, out)
}

// passOn keeps a copy of the token for sending again, and sends it to the next
// member unless it is held (token_send).
func (e *Engine) passOn(t *totem.Token, forward bool, out *Output) {
	t.Header = e.header()
	t.Type = totem.TypeToken
	t.Target = e.commit.target
	e.keepToken(e.encode(t))
	if forward {
		e.leave(e.token.held && !e.isRep())
		e.sendKept(out)
	} else {
		e.token.resting = true
	}
}

// leave begins a round of the token, unless it is expected to rest on its way.
func (e *Engine) leave(rests bool) {
	if rests || e.state != StateOperational {
		e.rounds.forget()
	} else {
		e.rounds.left(e.now)
	}
}

// sendFirstToken starts the ring: the representative's first token, which it
// does not process itself (orf_token_send_initial).
func (e *Engine) sendFirstToken(out *Output) {
	start := e.cfg.start()
	t := totem.Token{
		Seq: start, TokenSeq: start,
		ARU: start - 1, ARUAddr: e.cfg.Node,
		Ring: e.ring,
	}
	if e.backlog() > 0 {
		t.RetransFlag = 1
		e.recovery.raised = true
	}
	e.stats.OrfTokenTx++
	e.passOn(&t, true, out)
}

// keepToken remembers the token to send again. Effects may point at it, so each
// has its own bytes.
func (e *Engine) keepToken(packet []byte) {
	if e.token.kept != nil {
		e.pool.retire(e.token.kept)
	}
	e.token.kept = append(e.pool.get(len(packet)), packet...)
	e.token.resting = false
}

// sendKept sends the token that is kept, for the first time or again.
func (e *Engine) sendKept(out *Output) {
	if e.token.resting {
		e.leave(false)
		e.token.resting = false
	}
	e.unicast(e.commit.target, e.token.kept, out)
}

// resendToken sends the last token again, of either kind: nothing has come
// since (timer_function_token_retransmit_timeout).
func (e *Engine) resendToken(out *Output) {
	switch e.state {
	case StateOperational, StateCommit, StateRecovery:
		e.sendKept(out)
		e.arm(timerRetransmit, e.cfg.TokenRetransmit)
	}
}

// current is the queue of the ring that the token serves.
func (e *Engine) current() *sortQueue {
	if e.state == StateRecovery {
		return e.recovery.queue
	}
	return e.regular
}

// sendQueued multicasts what waits, as far as allowed, in sequence numbers of
// the token's (orf_token_mcast). It returns how many.
func (e *Engine) sendQueued(t *totem.Token, q *sortQueue, allowed int, out *Output) int {
	recovering := e.state == StateRecovery
	if recovering {
		e.arm(timerRetransmit, e.cfg.TokenRetransmit)
	}
	h := totem.Mcast{Header: e.header(), From: e.cfg.Node, Ring: e.ring}
	h.Encapsulated = totem.NotEncapsulated
	if recovering {
		h.Encapsulated = totem.Encapsulated
	}
	sent := 0
	for ; sent < allowed; sent++ {
		packet, ok := e.nextPacket(recovering)
		if !ok {
			break
		}
		t.Seq++
		h.Seq = t.Seq
		h.SenderSeq = e.senderSeq
		e.senderSeq++
		h.Append(packet[:0]) // in place: there is room in front
		q.put(t.Seq, slot{packet: packet, from: e.cfg.Node, encapsulated: recovering})
		out.add(Effect{Kind: Multicast, Packet: packet})
	}
	q.advance()
	return sent
}

func (e *Engine) nextPacket(recovering bool) ([]byte, bool) {
	if recovering {
		return e.nextRecovered()
	}
	if q := e.sendQueue(); q.len() > 0 {
		return q.next(), true
	}
	return nil, false
}

// backlog is how many messages wait to be sent in this state (backlog_get).
func (e *Engine) backlog() uint32 {
	if e.state == StateRecovery {
		e.recovery.settle()
		return uint32(len(e.recovery.unsent))
	}
	return uint32(e.sendQueue().len())
}
