package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// repair corrects what a token says that cannot be. Each of these stays in the
// token for as long as the ring lives, once a faulty or hostile member, or over
// udp anyone at all, has put it there: every member only adjusts it by what
// changed on its own side. The reference takes a token as it is.
//
//   - A node that lowered the aru and is no member never raises it again, so that
//     no message is ever released.
//   - Requests for messages of other rings, above the highest number assigned, or
//     that everybody has, are never served, so that thirty of them keep all others
//     out.
//   - Running sums that are off keep everybody from sending. While nothing is
//     sent and nothing asked for they are known: this node's own part.
func (e *Engine) repair(t *totem.Token) {
	if t.ARUAddr != 0 && !slices.Contains(e.commit.members, t.ARUAddr) {
		t.ARUAddr = 0
		e.stats.TokenRepaired++
	}
	before, head := len(t.Retransmits), e.current().head
	t.Retransmits = slices.DeleteFunc(t.Retransmits, func(r totem.Retransmit) bool {
		return r.Ring != e.ring || t.Seq.Before(r.Seq) || r.Seq.Before(head)
	})
	if len(t.Retransmits) < before {
		e.stats.TokenRepaired++
	}
	f := &e.flow
	if t.Seq == f.seq && len(t.Retransmits) == 0 {
		f.quiet++
	} else {
		f.quiet = 0
	}
	f.seq = t.Seq
	if f.quiet >= quietVisits && (t.FCC != f.sent || t.Backlog != f.previous) {
		t.FCC, t.Backlog = f.sent, f.previous
		e.stats.TokenRepaired++
	}
}

// quietVisits is how many visits in a row show that nothing was sent in the
// rotations between them, repeats included.
const quietVisits = 3
