package engine

import (
	"time"

	"cpgol/wire/totem"
)

// watchIdle counts tokens that bring no new message. The first of them starts
// the time after which an idle ring announces itself.
func (e *Engine) watchIdle(seq totem.Seq) {
	if seq == e.token.lastSeq {
		if e.isRep() && e.timers[timerMerge] == Never { // nobody else would announce it
			e.arm(timerMerge, e.cfg.Merge)
		}
		e.token.unchanged++
	} else {
		e.timers.stop(timerMerge, timerHold)
		e.token.unchanged = 0
	}
	e.token.lastSeq = seq
}

// isHeld reports whether the token of an idle ring is held: the representative
// keeps it after one visit more than the others, who only expect that it is.
func isHeld(rep bool, unchanged, limit int) bool {
	if rep {
		return unchanged > limit
	}
	return unchanged >= limit
}

// RestEarly lets the token rest with the representative once it has come back
// twice with nothing done and nothing left to do, instead of after
// Config.SeqUnchanged visits; until the ring ends. Thirty rounds at full speed after
// each message took a third of a two-core host for three nodes.
//
// The representative may be told so only when all other members were told: who
// doesn't expect the token to rest does not ask for it. What is said of another
// ring than the present one, as an old one's last messages are delivered in the new,
// is passed over.
func (e *Engine) RestEarly(ring totem.RingID) {
	if ring == e.ring && e.state == StateOperational {
		e.token.early = true
	}
}

// earlyVisits takes the place of Config.SeqUnchanged: the others expect the token to
// rest after one idle visit, the representative lets it after one more, by which
// all others have had theirs.
const earlyVisits = 1

// restsNow decides at the end of a visit whether the token is passed on. One that
// rests early came settled, with nothing in it that anybody waits for, and goes
// as it came: its next visit here is then as if this one had come later.
func (e *Engine) restsNow(forward, settled bool, sent int) bool {
	switch {
	case !e.token.early:
		return forward
	case !e.isRep():
		e.token.held = e.token.idle >= earlyVisits && sent == 0
		return forward
	}
	e.token.held = !forward || e.token.idle > earlyVisits && settled && sent == 0
	return !e.token.held
}

// holdOver lets a held token go for another round
// (timer_function_token_hold_retransmit_timeout).
func (e *Engine) holdOver(out *Output) {
	if e.state == StateOperational || e.state == StateRecovery {
		e.sendKept(out)
	}
}

// resume goes on with the visit of a token that rests here, as there is work.
func (e *Engine) resume(out *Output) {
	t := &e.token.in
	if !e.token.resting || e.state != StateOperational {
		return
	}
	if _, err := t.Decode(e.token.kept); err != nil {
		return // it is our own
	}
	e.token.unchanged, e.token.idle = 0, -1
	e.visit(t, true, out)
}

// CancelHold asks for the token if it is being held: somebody has work. Send
// does so by itself; those who work token by token call it when they start. It
// may be called while effects are performed. A token that rests here early is
// visited at the next Tick.
func (e *Engine) CancelHold(now time.Duration, out *Output) {
	if !e.token.held {
		return
	}
	e.now = now
	e.token.held = false
	switch {
	case e.token.early && e.isRep():
		if e.token.resting {
			e.arm(timerResume, 0)
		}
		return
	case e.token.early:
		e.token.patience = cancelPause
		e.arm(timerCancel, e.token.patience)
	}
	e.sendCancel(out)
	e.holdCancelled(out)
}

func (e *Engine) sendCancel(out *Output) {
	m := totem.HoldCancel{Header: e.header(), Ring: e.ring}
	e.cancelBuf = m.Append(e.cancelBuf[:0])
	e.stats.TokenHoldCancelTx++
	e.multicast(e.cancelBuf, out)
}

// cancelPause is how long the token may take to come before it is asked for
// again, twice as long each time: where it rests early it is asked for all the time,
// and one packet may get lost. The reference waits for Config.Hold to pass.
const cancelPause = 5 * time.Millisecond

func (e *Engine) cancelAgain(out *Output) {
	if e.state == StateOperational && e.token.early {
		e.sendCancel(out)
		e.token.patience *= 2
		e.arm(timerCancel, e.token.patience)
	}
}

// receiveHoldCancel lets a held token go: somebody has work
// (message_handler_token_hold_cancel).
func (e *Engine) receiveHoldCancel(packet []byte, out *Output) {
	var h totem.HoldCancel
	if _, err := h.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	if h.Ring == e.ring {
		e.holdCancelled(out)
	}
}

// holdCancelled sends the token again, held or not as in the reference; but where
// it rests early only if it does, as it is asked for so often.
func (e *Engine) holdCancelled(out *Output) {
	e.token.unchanged, e.token.idle = 0, 0
	if e.isRep() && (!e.token.early || e.token.resting && e.timers[timerResume] == Never) {
		e.resendToken(out)
	}
}
