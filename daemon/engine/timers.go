package engine

import (
	"math"
	"slices"
	"time"
)

// Never is the deadline of what is not going to happen.
const Never time.Duration = math.MaxInt64

// A timer is one of the engine's one-shot timers.
type timer uint8

const (
	timerToken      timer = iota // the token is lost
	timerWarning                 // the token is late
	timerRetransmit              // nothing came after our token: send it again
	timerHold                    // let a held token go
	timerJoin                    // repeat the join
	timerSendJoin                // a join delayed at random is due
	timerConsensus               // candidates had their time
	timerMerge                   // the ring was idle: announce it
	timerHeartbeat               // heartbeats were missed
	timerResume                  // work for a token that rests here
	timerCancel                  // work, and the token did not come
	timerPause                   // proof that this process is being run
	numTimers
)

// timers holds when each timer fires.
type timers [numTimers]time.Duration

func (t *timers) clear() {
	for i := range t {
		t[i] = Never
	}
}

func (t *timers) stop(which ...timer) {
	for _, w := range which {
		t[w] = Never
	}
}

// Deadline is when Tick wants to be called; Never if nothing is pending.
func (e *Engine) Deadline() time.Duration {
	next := Never
	for _, d := range e.timers {
		next = min(next, d)
	}
	return next
}

// Tick lets everything happen that is due at now. Calling it early does no
// harm.
func (e *Engine) Tick(now time.Duration, out *Output) {
	e.begin(now, out)
	// Timers fire in the order of their deadlines, each once: one that is armed
	// again meanwhile waits for the next Tick, however late this one is.
	var due [numTimers]timer
	n := 0
	for i, d := range e.timers {
		if d <= now {
			due[n] = timer(i)
			n++
		}
	}
	slices.SortStableFunc(due[:n], func(a, b timer) int {
		return int(min(max(e.timers[a]-e.timers[b], -1), 1))
	})
	for _, w := range due[:n] {
		if e.timers[w] <= now {
			e.timers[w] = Never
			e.fire(w, out)
		}
	}
}

func (e *Engine) fire(w timer, out *Output) {
	switch w {
	case timerToken, timerHeartbeat:
		e.tokenLost(out)
	case timerWarning:
		e.tokenLate(out)
	case timerRetransmit:
		e.resendToken(out)
	case timerHold:
		e.holdOver(out)
	case timerJoin:
		e.sendJoin(out)
		e.arm(timerJoin, e.cfg.Join)
	case timerSendJoin:
		e.sendJoinNow(out)
	case timerConsensus:
		e.consensusTimeout(out)
	case timerMerge:
		e.announce(out)
	case timerResume:
		e.resume(out)
	case timerCancel:
		e.cancelAgain(out)
	case timerPause:
		e.proveAlive()
	}
}

// arm sets a timer to fire after d, whether or not it is pending.
func (e *Engine) arm(w timer, d time.Duration) { e.timers[w] = e.now + d }

// armToken starts the wait for the token anew (reset_token_timeout).
func (e *Engine) armToken() {
	e.arm(timerToken, e.cfg.Token)
	e.armWarning()
}

func (e *Engine) armWarning() {
	e.timers.stop(timerWarning)
	if e.cfg.TokenWarning > 0 {
		e.arm(timerWarning, e.cfg.Token*time.Duration(e.cfg.TokenWarning)/100)
	}
}

// tokenLate warns, and goes on warning (timer_function_orf_token_warning).
func (e *Engine) tokenLate(out *Output) {
	out.trace(TokenLate{Since: e.now - e.stats.LastToken, Limit: e.cfg.Token})
	e.armWarning()
}

// proveAlive notes that this process is run in time (timer_function_pause_timeout).
func (e *Engine) proveAlive() {
	e.lastAlive = e.now
	e.arm(timerPause, e.cfg.Token/5)
}

// paused reports for how long this process was not run, if that was longer than
// half of the token's time: joins that waited meanwhile are stale (pause_flush).
func (e *Engine) paused() (time.Duration, bool) {
	d := e.now - e.lastAlive
	return d, d > e.cfg.Token/2
}
