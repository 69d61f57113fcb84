package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// receiveJoin takes another node's proposal, or our own as it comes back
// (message_handler_memb_join).
func (e *Engine) receiveJoin(packet []byte, out *Output) {
	var j totem.Join
	if _, err := j.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	strangers := e.dropStrangers(&j)
	if j.From == 0 || !e.knows(j.From) || j.From == e.cfg.Node && !e.loops.has(packet) || e.gather.full(j.Proc, j.Failed, []totem.NodeID{j.From}) {
		e.stats.JoinStrange++
		return
	}
	if d, yes := e.paused(); yes {
		// What waited while we were not run speaks of a time that is over.
		e.stats.Pauses++
		out.trace(Paused{For: d})
		e.proveAlive()
		return
	}
	e.ringSeq = max(e.ringSeq, min(j.RingSeq, e.trust.limit(e.now, e.ringSeq)))
	switch e.state {
	case StateOperational:
		// Until the token comes again other members may still be in recovery,
		// with the failed nodes of the last attempt. If we called them away from
		// it they would bring those along, and two rings that meet while they
		// form would exclude each other again and again. Strangers wait.
		if !e.ignoresJoin(&j) && (e.settled || slices.Contains(e.members, j.From)) {
			e.processJoin(&j, strangers, out)
			if e.state == StateOperational {
				e.enterGather(JoinOperational, out)
			}
		}
	case StateGather:
		e.processJoin(&j, strangers, out)
	case StateCommit, StateRecovery:
		if !slices.Contains(e.commit.members, j.From) || j.RingSeq < e.ring.Seq {
			return // not of this attempt, or from before it
		}
		why := JoinCommit
		if e.state == StateRecovery {
			why = JoinRecovery
			e.stats.RecoveryTokenLost++ // the reference counts it so
		}
		e.noteLeave(&j, out)
		e.catchUp(&j)
		e.mergeJoin(&j)
		e.enterGather(why, out)
	}
}

// ignoresJoin reports whether an operational node takes no notice: of a join
// that excludes it, and of one that a member sent before it became one
// (ignore_join_under_operational).
func (e *Engine) ignoresJoin(j *totem.Join) bool {
	return slices.Contains(j.Failed, e.cfg.Node) ||
		slices.Contains(e.members, j.From) && j.RingSeq < e.ring.Seq
}

// dropStrangers takes nodes that are not configured out of a proposal and reports
// whether there were any: then it is not the same as ours, whatever is left of it.
// The reference takes all, as many as it is told in the course of time, and
// overruns its lists of 384 (memb_set_merge); they must not have them from us.
func (e *Engine) dropStrangers(j *totem.Join) bool {
	stranger := func(n totem.NodeID) bool { return !e.knows(n) }
	before := len(j.Proc) + len(j.Failed)
	j.Proc = slices.DeleteFunc(j.Proc, stranger)
	j.Failed = slices.DeleteFunc(j.Failed, stranger)
	return len(j.Proc)+len(j.Failed) < before
}

// knows reports whether a node can be a candidate: if it is configured, or still a
// member. One that a reload took out must be given up together with the others,
// whose joins name it.
func (e *Engine) knows(n totem.NodeID) bool {
	return e.cfg.Nodes == nil || slices.Contains(e.cfg.Nodes, n) || slices.Contains(e.members, n)
}

// processJoin compares a proposal with ours (memb_join_process). One that named
// strangers differs.
func (e *Engine) processJoin(j *totem.Join, strangers bool, out *Output) {
	g := &e.gather
	e.noteLeave(j, out)
	if strangers || !sameSet(j.Proc, g.proc) || !sameSet(j.Failed, g.failed) {
		if e.mergeJoin(j) {
			e.enterGather(MergeJoin, out)
		}
		return
	}
	if !j.IsLeave() && slices.Contains(g.proc, j.From) {
		g.consensus = merge(g.consensus, []totem.NodeID{j.From})
	}
	switch {
	case !g.agreed():
	case g.gaveUp:
		// All agree that we cannot take part: a ring of our own.
		g.gaveUp = false
		g.proc = append(g.proc[:0], e.cfg.Node)
		g.failed = g.failed[:0]
		e.createCommitToken(out)
	case g.isLowest(e.cfg.Node):
		e.createCommitToken(out)
	}
}

// mergeJoin takes over what a proposal adds to ours and reports whether it added
// anything: then we gather anew. Failed nodes are believed only from members of
// the installed ring; a node that takes us for failed is failed to us.
//
// The reference gathers anew, with a join and fresh timers, also if a stranger's
// failed nodes are all that is new, which are not believed. Two such nodes
// answer each other's joins with joins as fast as the network carries them, and
// with a third one they multiply.
func (e *Engine) mergeJoin(j *totem.Join) bool {
	g := &e.gather
	if slices.Contains(g.failed, j.From) {
		return false
	}
	proc, failed := len(g.proc), len(g.failed)
	g.proc = merge(g.proc, j.Proc)
	switch {
	case slices.Contains(j.Failed, e.cfg.Node):
		g.failed = merge(g.failed, []totem.NodeID{j.From})
	case slices.Contains(e.members, j.From):
		g.failed = merge(g.failed, j.Failed)
	}
	return len(g.proc) > proc || len(g.failed) > failed
}

// catchUp takes a join from a member that has installed the ring which we are
// still recovering: all members gave up the same nodes to form it, and this one
// does not list them any more. Neither do we then, as if we had installed it.
func (e *Engine) catchUp(j *totem.Join) {
	if e.state == StateRecovery && j.RingSeq == e.ring.Seq && !subset(e.gather.failed, j.Failed) {
		e.gather.proc = slices.Clone(e.commit.members)
		e.gather.failed = e.gather.failed[:0]
	}
}

// noteLeave remembers who said goodbye (my_leave_memb_set).
func (e *Engine) noteLeave(j *totem.Join, out *Output) {
	if !j.IsLeave() || len(j.Failed) == 0 {
		return
	}
	n := j.Failed[len(j.Failed)-1]
	if !slices.Contains(e.gather.left, n) && len(e.gather.left) < totem.MaxNodes {
		e.gather.left = append(e.gather.left, n)
	}
	out.trace(LeaveReceived{Node: n})
}
