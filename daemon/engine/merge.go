package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// announce tells other rings of this one, once it has been idle for a while
// (timer_function_merge_detect_timeout).
func (e *Engine) announce(out *Output) {
	if e.state != StateOperational || !e.isRep() {
		return
	}
	e.stats.MembMergeDetectTx++
	e.multicast(e.encode(&totem.MergeDetect{Header: e.header(), From: e.cfg.Node, Ring: e.ring}), out)
}

// receiveMergeDetect hears of another ring (message_handler_memb_merge_detect).
func (e *Engine) receiveMergeDetect(packet []byte, out *Output) {
	var m totem.MergeDetect
	if _, err := m.Decode(packet); err != nil {
		e.refuse(err, out)
		return
	}
	if m.Ring != e.ring {
		e.foreign(m.From, m.Ring, MergeOperational, MergeGather, out)
	}
}

// foreign acts on a sign of life from a ring that is not ours: its sender
// becomes a candidate. In commit and recovery there is no time for that, nor
// until all members have installed the ring: see receiveJoin.
func (e *Engine) foreign(from totem.NodeID, ring totem.RingID, operational, gathering GatherReason, out *Output) {
	self := []totem.NodeID{from}
	switch {
	case from == 0 || !e.knows(from) || e.gather.full(self):
		e.stats.JoinStrange++
	case e.state == StateOperational && e.settled:
		if slices.Contains(e.members, from) && ring.Seq < e.ring.Seq {
			// It has left that ring for ours since: this comes late. The
			// reference gathers for messages, but not for joins.
			e.stats.McastStale++
			return
		}
		e.gather.proc = merge(e.gather.proc, self)
		e.enterGather(operational, out)
	case e.state == StateGather:
		if !slices.Contains(e.gather.proc, from) {
			e.gather.proc = merge(e.gather.proc, self)
			e.enterGather(gathering, out)
		}
	default:
		e.stats.RxMsgDropped++
	}
}
