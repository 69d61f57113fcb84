package engine

import (
	"slices"
	"time"

	"cpgol/wire/totem"
)

// gather is the search for members: who is a candidate, who was given up, and
// who has said the same as we do.
type gather struct {
	proc      []totem.NodeID // my_proc_list, in the order of becoming known
	failed    []totem.NodeID // my_failed_list
	consensus []totem.NodeID // whose join agreed with ours exactly
	left      []totem.NodeID // who said goodbye since the last ring (my_leave_memb_list)
	gaveUp    bool           // this node cannot receive and excludes itself (failed_to_recv)
}

// candidates are the nodes that the next ring would have.
func (g *gather) candidates() []totem.NodeID { return subtract(g.proc, g.failed) }

// agreed reports whether every candidate has said the same as we
// (memb_consensus_agreed).
func (g *gather) agreed() bool { return subset(g.candidates(), g.consensus) }

// isLowest reports whether n is the candidate that makes the commit token
// (memb_lowest_in_config).
func (g *gather) isLowest(n totem.NodeID) bool {
	c := g.candidates()
	return len(c) > 0 && slices.Min(c) == n
}

// maxCandidates leaves room for nodes that others know and we do not: lists of the
// reference overflow when theirs and ours together are more than a ring can have
// (memb_set_merge).
const maxCandidates = totem.MaxNodes - 32

// full reports whether more nodes, candidates or given up, would exceed the
// largest membership: both lists must fit into a join.
func (g *gather) full(more ...[]totem.NodeID) bool {
	all := merge(slices.Clone(g.proc), g.failed)
	for _, m := range more {
		all = merge(all, m)
	}
	return len(all) > maxCandidates
}

// enterGather looks for members anew (memb_state_gather_enter).
func (e *Engine) enterGather(why GatherReason, out *Output) {
	e.token.discard = true
	e.token.originated = false
	e.rounds.forget()
	e.token.held, e.token.early = false, false
	e.gather.proc = merge(e.gather.proc, []totem.NodeID{e.cfg.Node})
	e.state = StateGather
	e.stats.GatherEntered++
	if why == TokenLostGather {
		e.stats.ContinuousGather++
	}
	out.trace(StateEntered{State: StateGather, Reason: why, Ring: e.ring})
	e.timers.stop(timerToken, timerWarning, timerRetransmit, timerHold, timerMerge, timerHeartbeat, timerResume, timerCancel)
	e.sendJoin(out)
	e.arm(timerJoin, e.cfg.Join)
	e.arm(timerConsensus, e.cfg.Consensus)
	e.gather.consensus = append(e.gather.consensus[:0], e.cfg.Node)
}

// sendJoin says whom this node takes for candidates and failed, to everybody
// and to itself: its own voice counts when it comes back. SendJoin delays it at
// random, so that the nodes of a large ring do not all speak at once.
func (e *Engine) sendJoin(out *Output) {
	if e.cfg.SendJoin > 0 && e.cfg.Rand != nil {
		if e.timers[timerSendJoin] == Never { // else one is on its way, and says what is true then
			e.arm(timerSendJoin, time.Duration(e.cfg.Rand.Int64N(int64(e.cfg.SendJoin))))
		}
		return
	}
	e.sendJoinNow(out)
}

func (e *Engine) sendJoinNow(out *Output) {
	if e.state != StateGather {
		return // a delayed join whose time is over
	}
	p := e.encode(&totem.Join{
		Header: e.header(), From: e.cfg.Node,
		Proc: e.gather.proc, Failed: e.gather.failed, RingSeq: e.ring.Seq,
	})
	e.stats.MembJoinTx++
	e.multicast(p, out)
	out.add(Effect{Kind: Loopback, To: e.cfg.Node, Packet: e.loops.out(p)})
}

// sendLeave says goodbye: a join without a sender that names this node failed,
// last (memb_leave_message_send).
func (e *Engine) sendLeave(out *Output) {
	self := []totem.NodeID{e.cfg.Node}
	e.gather.failed = merge(e.gather.failed, self)
	p := e.encode(&totem.Join{
		From: e.cfg.Node,
		Proc: subtract(e.gather.proc, self), Failed: e.gather.failed, RingSeq: e.ring.Seq,
	})
	e.stats.MembJoinTx++
	e.multicast(p, out)
}

// consensusTimeout gives up those who have not agreed. If all have, the commit
// token is what we wait for, and gets a token's time
// (memb_state_consensus_timeout_expired).
func (e *Engine) consensusTimeout(out *Output) {
	e.stats.ConsensusTimeouts++
	g := &e.gather
	if g.agreed() {
		g.consensus = append(g.consensus[:0], e.cfg.Node)
		e.armToken()
		return
	}
	g.failed = merge(g.failed, subtract(g.proc, g.consensus))
	e.enterGather(ConsensusTimeout, out)
}

// tokenLost acts on a token that did not come, by state
// (timer_function_orf_token_timeout).
func (e *Engine) tokenLost(out *Output) {
	if e.state != StateGather {
		out.trace(TokenLost{State: e.state, Token: e.cfg.Token, Consensus: e.cfg.Consensus})
	}
	switch e.state {
	case StateOperational:
		e.stats.OperationalTokenLost++
		e.enterGather(TokenLostOperational, out)
	case StateGather:
		e.stats.GatherTokenLost++
		e.consensusTimeout(out)
		e.enterGather(TokenLostGather, out)
	case StateCommit:
		e.stats.CommitTokenLost++
		e.enterGather(TokenLostCommit, out)
	case StateRecovery:
		e.stats.RecoveryTokenLost++
		e.enterGather(TokenLostRecovery, out)
	}
}
