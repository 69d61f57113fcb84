package engine

import (
	"time"

	"cpgol/wire/totem"
)

// Stats counts what happened, under the reference's names (totemsrp_stats_t),
// and below them what only this engine counts.
type Stats struct {
	OrfTokenTx, OrfTokenRx               uint64
	MembMergeDetectTx, MembMergeDetectRx uint64
	MembJoinTx, MembJoinRx               uint64
	McastTx, McastRetx, McastRx          uint64 // McastTx counts frames queued
	MembCommitTokenTx, MembCommitTokenRx uint64
	TokenHoldCancelTx, TokenHoldCancelRx uint64
	OperationalEntered                   uint64
	OperationalTokenLost                 uint64
	GatherEntered, GatherTokenLost       uint64
	CommitEntered, CommitTokenLost       uint64
	RecoveryEntered, RecoveryTokenLost   uint64
	ConsensusTimeouts                    uint64
	RxMsgDropped                         uint64
	ContinuousGather                     uint32        // gather attempts in a row without result
	LastToken                            time.Duration // when the last token was accepted
	MttRxToken, AvgTokenWorkload         uint32        // milliseconds, over the last tokens
	AvgBacklogCalc                       uint32
	QueueAvail                           uint32 // frames that may still be queued (msg_queue_avail)

	Malformed      [totem.NumCauses]uint64 // refused by the decoder
	TokenGap       uint64                  // tokens refused: sequence numbers out of the window
	TokenRepaired  uint64                  // tokens that said what cannot be (see repair)
	TokenStrange   uint64                  // commit tokens refused: not for us, or not as agreed
	JoinStrange    uint64                  // joins refused: more nodes than a ring can have, or none, in our name, of a ring that cannot be
	McastStrange   uint64                  // multicasts dropped: not from a member of their ring
	McastWindow    uint64                  // multicasts dropped: out of the window, too old or too far ahead
	McastDuplicate uint64                  // multicasts that were here already
	McastMemory    uint64                  // multicasts dropped: too much is held already
	McastStale     uint64                  // messages of a ring that its sender has left since
	RecoveryLost   uint64                  // old messages that could not be sent again
	Pauses         uint64                  // joins dropped after this process was not run for a while
}

// tokenTimes keeps when the last tokens came and went, for the averages
// (token_event_stats_collector, exec/main.c: corosync_totem_stats_updater).
type tokenTimes struct {
	list  [100]tokenTime
	count int // tokens seen, the last at (count-1) % 100
}

type tokenTime struct {
	rx, tx  time.Duration
	backlog uint32
}

func (t *tokenTimes) received(now time.Duration, backlog uint32) {
	t.list[t.count%len(t.list)] = tokenTime{rx: now, tx: now, backlog: backlog}
	t.count++
}

func (t *tokenTimes) sent(now time.Duration) {
	if t.count > 0 {
		t.list[(t.count-1)%len(t.list)].tx = now
	}
}

// averages gives the mean time between tokens, the mean time one was kept, and
// the mean backlog.
func (t *tokenTimes) averages() (between, kept time.Duration, backlog uint32) {
	n := min(t.count, len(t.list))
	if n < 2 {
		return 0, 0, 0
	}
	var sum uint64
	var held time.Duration
	for i := range n {
		sum += uint64(t.list[i].backlog)
		held += t.list[i].tx - t.list[i].rx
	}
	newest := t.list[(t.count-1)%len(t.list)].rx
	oldest := t.list[(t.count-n)%len(t.list)].rx
	return (newest - oldest) / time.Duration(n-1), held / time.Duration(n), uint32(sum / uint64(n))
}

// Stats returns a copy of the counters.
func (e *Engine) Stats() Stats {
	s := e.stats
	between, kept, backlog := e.tokenTimes.averages()
	s.MttRxToken = uint32(between.Milliseconds())
	s.AvgTokenWorkload = uint32(kept.Milliseconds())
	s.AvgBacklogCalc = backlog
	s.QueueAvail = uint32(max(0, e.cfg.queueFrames()-e.sendQueue().len()))
	return s
}

// Rounds are how long the token takes. They are the engine's, for looking at only.
func (e *Engine) Rounds() *Rounds { return &e.rounds }

// ClearStats sets all counters to zero (totemsrp_stats_clear).
func (e *Engine) ClearStats() {
	e.stats = Stats{LastToken: e.stats.LastToken, ContinuousGather: e.stats.ContinuousGather}
	e.tokenTimes, e.rounds = tokenTimes{}, Rounds{}
}
