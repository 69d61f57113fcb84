package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// serve sends again what the token's list asks for and this node has, up to
// allowed messages, and takes it off the list (orf_token_rtr, first half).
func (e *Engine) serve(t *totem.Token, q *sortQueue, allowed int, out *Output) int {
	if len(t.Retransmits) == 0 {
		return 0
	}
	out.trace(Retransmits{List: slices.Clone(t.Retransmits)})
	served := 0
	kept := t.Retransmits[:0]
	for _, r := range t.Retransmits {
		if served < allowed && r.Ring == e.ring {
			if sl := q.get(r.Seq); sl != nil {
				out.add(Effect{Kind: Multicast, Packet: sl.packet})
				e.stats.McastRetx++
				served++
				continue
			}
		}
		kept = append(kept, r)
	}
	t.Retransmits = kept
	return served
}

// request puts what this node lacks on the token's list, once it has been
// missing for MissCount visits: a message may just be late (orf_token_rtr,
// second half).
func (e *Engine) request(t *totem.Token, q *sortQueue) {
	for s := q.aru + 1; s.AtMost(t.Seq) && q.inWindow(s) && len(t.Retransmits) < totem.MaxRetransmits; s++ {
		sl := q.at(s)
		if sl.packet != nil {
			continue
		}
		sl.misses++
		if sl.misses >= e.cfg.MissCount && !listed(t.Retransmits, s) {
			t.Retransmits = append(t.Retransmits, totem.Retransmit{Ring: e.ring, Seq: s})
		}
	}
}

// listed reports whether a number is asked for already, whatever the ring.
func listed(list []totem.Retransmit, s totem.Seq) bool {
	for _, r := range list {
		if r.Seq == s {
			return true
		}
	}
	return false
}
