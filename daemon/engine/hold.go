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

// holdOver lets a held token go for another round
// (timer_function_token_hold_retransmit_timeout).
func (e *Engine) holdOver(out *Output) {
	if e.state == StateOperational || e.state == StateRecovery {
		e.unicast(e.commit.target, e.token.kept, out)
	}
}

// CancelHold asks for the token if it is being held: somebody has work. Send
// does so by itself; those who work token by token call it when they start. It
// may be called while effects are performed.
func (e *Engine) CancelHold(now time.Duration, out *Output) {
	if !e.token.held {
		return
	}
	e.now = now
	e.token.held = false
	m := totem.HoldCancel{Header: e.header(), Ring: e.ring}
	e.cancelBuf = m.Append(e.cancelBuf[:0])
	e.stats.TokenHoldCancelTx++
	e.multicast(e.cancelBuf, out)
	e.holdCancelled(out)
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

func (e *Engine) holdCancelled(out *Output) {
	e.token.unchanged = 0
	if e.isRep() {
		e.resendToken(out)
	}
}
