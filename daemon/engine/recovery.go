package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// recovery is the exchange, on the new ring, of the old ring's messages among
// those who come from it.
type recovery struct {
	queue *sortQueue     // the new ring's messages; the ring's own once installed
	trans []totem.NodeID // who comes from our ring too (my_trans_memb_list)

	// unsent are old-ring messages that this node has still to send again.
	// resent are those somebody already did.
	unsent []totem.Seq
	resent map[totem.Seq]bool

	raised   bool      // this node has set the token's flag (my_set_retrans_flg)
	quiet    int       // visits with the flag clear (my_retrans_flg_count)
	install  totem.Seq // all recovery messages are up to here (my_install_seq)
	rotation int       // visits at which everybody had them (my_rotation_counter)
}

// enterRecovery follows the completed commit token
// (memb_state_recovery_enter).
func (e *Engine) enterRecovery(out *Output) {
	start := e.cfg.start()
	r := &e.recovery
	r.queue.reset(start)
	*r = recovery{queue: r.queue, unsent: r.unsent[:0], install: start}
	e.state = StateRecovery
	e.stats.RecoveryEntered++
	e.stats.ContinuousGather = 0
	out.trace(StateEntered{State: StateRecovery, Ring: e.ring})

	e.sendCommitToken(out)
	e.planRecovery()

	e.token.discard = false
	e.token.lastTokenSeq = start - 1
	e.token.aruCount = 0
	e.token.unchanged = 0
	e.released = start
	e.armToken()
	e.arm(timerRetransmit, e.cfg.TokenRetransmit)
}

// planRecovery finds out who comes from our ring, and if one of them lacks
// messages, which of ours have to be sent again: all above what the least of
// them has.
func (e *Engine) planRecovery() {
	c := &e.commit.token
	r := &e.recovery
	entry := func(n totem.NodeID) *totem.CommitEntry {
		if i := slices.Index(c.Addrs, n); i >= 0 && c.Entries[i].Ring == e.installed {
			return &c.Entries[i]
		}
		return nil
	}
	low, missing := e.regular.high, false
	for _, n := range e.members {
		m := entry(n)
		if m == nil {
			continue
		}
		r.trans = append(r.trans, n)
		missing = missing || m.Received == 0
		if m.ARU.Before(low) {
			low = m.ARU
		}
	}
	if !missing {
		return
	}
	r.resent = make(map[totem.Seq]bool)
	// What is not in the window any more, everybody has.
	for s := maxSeq(low+1, e.regular.head); s.AtMost(e.regular.high); s++ {
		if e.regular.get(s) != nil {
			r.unsent = append(r.unsent, s)
		}
	}
}

func maxSeq(a, b totem.Seq) totem.Seq {
	if a.Before(b) {
		return b
	}
	return a
}

// noteResent remembers that somebody has sent an old message again: it need not
// be sent twice. (In the reference every holder sends every message.)
func (r *recovery) noteResent(inner []byte, installed totem.RingID) {
	if len(r.unsent) == 0 {
		return
	}
	var m totem.Mcast
	if _, err := m.Decode(inner); err == nil && m.Ring == installed {
		r.resent[m.Seq] = true
	}
}

// settle drops from the front of unsent what others have sent again already.
func (r *recovery) settle() {
	for len(r.unsent) > 0 && r.resent[r.unsent[0]] {
		r.unsent = r.unsent[1:]
	}
}

// nextRecovered wraps the next old message that this node sends again. The
// first 45 bytes of the packet are for the new ring's header.
func (e *Engine) nextRecovered() ([]byte, bool) {
	r := &e.recovery
	for r.settle(); len(r.unsent) > 0; r.settle() {
		old := e.regular.get(r.unsent[0])
		r.unsent = r.unsent[1:]
		if old == nil || totem.McastLen+len(old.packet) > totem.MaxFrame {
			e.stats.RecoveryLost++ // longer than any receiver takes
			continue
		}
		b := e.pool.get(totem.McastLen + len(old.packet))
		return append(b[:totem.McastLen], old.packet...), true
	}
	return nil, false
}

// recoveryStep is recovery's part of a token visit: when everybody has sent
// what it had to, and everybody has received it, the ring is installed
// (message_handler_orf_token). It reports whether that is now.
func (r *recovery) step(t *totem.Token, busy bool) bool {
	if busy {
		if t.RetransFlag == 0 {
			t.RetransFlag = 1
			r.raised = true
		}
	} else if t.RetransFlag == 1 && r.raised {
		t.RetransFlag = 0
		r.raised = false
	}
	if t.RetransFlag == 0 {
		r.quiet++
	} else {
		r.quiet = 0
	}
	if r.quiet == 2 {
		r.install = t.Seq
	}
	if r.quiet >= 3 && r.install.AtMost(t.ARU) {
		r.rotation++
	} else {
		r.rotation = 0
	}
	return r.rotation == 2
}
