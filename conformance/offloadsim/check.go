package offloadsim

import (
	"fmt"
	"slices"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// check looks at all histories together.
func (w *world) check() error {
	for _, p := range w.procs {
		if err := p.checkMembership(); err != nil {
			return err
		}
		if err := p.checkSenders(); err != nil {
			return err
		}
		if err := p.checkSelf(); err != nil {
			return err
		}
	}
	for i, p := range w.procs {
		for _, q := range w.procs[:i] {
			if p.group != q.group {
				continue
			}
			if err := checkOrder(p, q); err != nil {
				return err
			}
			if err := checkSynchrony(p, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMembership: a process's first change is its own join; each change has the
// members that follow from the one before, and lets come only who was not there.
// That somebody left who was no member is told, too, as by the reference.
func (p *process) checkMembership() error {
	var members []offload.Member
	for i := range p.history {
		e := &p.history[i]
		c := e.change
		switch {
		case c == nil && e.number == 0:
			continue // rings are told to all clients, also outside of groups
		case members == nil && (c == nil || !slices.Contains(c.joined, p.Member)):
			return fmt.Errorf("%s: is told %v outside of its group", p.name(), e)
		case c == nil:
			continue
		case members == nil:
			members = slices.Clone(c.members) // who was there before, nobody tells
			continue
		}
		want := append(without(members, c.left), c.joined...)
		for _, m := range c.joined {
			if slices.Contains(members, m) {
				return fmt.Errorf("%s: %v: joined and was a member", p.name(), e)
			}
		}
		if !sameMembers(want, c.members) {
			return fmt.Errorf("%s: %v: members were %v", p.name(), e, members)
		}
		if members = slices.Clone(c.members); slices.Contains(c.left, p.Member) {
			members = nil
		}
	}
	return nil
}

// checkSenders: messages come from members; a sender's in its order, each once,
// and without a gap while it stays a member. Where a receiver comes into the
// middle, the beginning may be missing. What a process said in the ring before it
// was killed may come behind its leave, which a synchronisation lets overtake it
// (as the reference has it).
func (p *process) checkSenders() error {
	last := map[offload.Member]uint32{} // of those in touch
	ever := map[offload.Member]uint32{}
	var members []offload.Member
	for i := range p.history {
		e := &p.history[i]
		if e.change != nil {
			members = e.change.members
			for _, m := range e.change.left {
				delete(last, m)
			}
			for _, m := range e.change.joined {
				if m == p.Member {
					clear(last)
				}
			}
			continue
		}
		if p.w.doubtful[e.ring] {
			clear(last)
		}
		if e.number == 0 {
			continue
		}
		if !slices.Contains(members, e.from) && (e.offloaded || !p.w.died(e.from)) {
			return fmt.Errorf("%s: %v, who is no member of %v", p.name(), e, members)
		}
		if before, ok := last[e.from]; ok && e.number != before+1 {
			return fmt.Errorf("%s: %v after #%d", p.name(), e, before)
		}
		if e.number <= ever[e.from] {
			return fmt.Errorf("%s: %v again or out of order, after #%d", p.name(), e, ever[e.from])
		}
		if ever[e.from] = e.number; slices.Contains(members, e.from) {
			last[e.from] = e.number
		}
	}
	return nil
}

// died reports whether a process did not live to the end.
func (w *world) died(m offload.Member) bool {
	return slices.ContainsFunc(w.procs, func(p *process) bool { return p.Member == m && p.dead })
}

// checkSelf: a process hears all that it says, in its order; who lives to the end
// has heard all of it.
func (p *process) checkSelf() error {
	heard := uint32(0)
	for i := range p.history {
		if e := &p.history[i]; e.number != 0 && e.from == p.Member {
			if e.number != heard+1 {
				return fmt.Errorf("%s: %v of its own after #%d", p.name(), e, heard)
			}
			heard++
		}
	}
	if !p.dead && heard != p.said {
		return fmt.Errorf("%s: said %d messages and heard %d of them", p.name(), p.said, heard)
	}
	return nil
}

// An id names a message.
type id struct {
	from   offload.Member
	number uint32
}

// checkOrder: what two processes both hear they hear in the same order.
func checkOrder(p, q *process) error {
	places := map[id]int{}
	for i := range q.history {
		if e := &q.history[i]; e.number != 0 {
			places[id{e.from, e.number}] = i
		}
	}
	last := -1
	for i := range p.history {
		e := &p.history[i]
		if e.number == 0 {
			continue
		}
		if at, ok := places[id{e.from, e.number}]; ok {
			if at < last {
				return fmt.Errorf("%s: %v comes later than at %s", p.name(), e, q.name())
			}
			last = at
		}
	}
	return nil
}

// An era is what a process was told from one doubtful ring to the next.
type era struct {
	ring    totem.RingID
	members []offload.Member // at its beginning
	told    []entry
}

func (p *process) eras() (all []era) {
	all = []era{{}}
	var members []offload.Member
	for _, e := range p.history {
		if p.w.doubtful[e.ring] {
			all = append(all, era{ring: e.ring, members: members})
		}
		if e.change != nil {
			members = e.change.members
			if slices.Contains(e.change.left, p.Member) {
				members = nil
			}
		}
		last := &all[len(all)-1]
		last.told = append(last.told, e)
	}
	return all
}

// A stretch is what a process was told while another was a member beside it,
// with the change that began it and without the one that ended it.
type stretch struct {
	told []entry
	cut  bool // by the ring: the other's node went
}

// together are the stretches of an era of p's in which q was a member too.
func together(a *era, p, q *process) (all []stretch) {
	both := func(m []offload.Member) bool { return slices.Contains(m, p.Member) && slices.Contains(m, q.Member) }
	in := both(a.members)
	if in {
		all = append(all, stretch{told: []entry{{change: &change{members: a.members}}}})
	}
	for i := range a.told {
		e := &a.told[i]
		if c := e.change; c != nil && in && (slices.Contains(c.left, q.Member) || slices.Contains(c.left, p.Member)) {
			all[len(all)-1].cut = c.why == reasonNodeDown
			in = false
		}
		if c := e.change; c != nil && !in && both(c.members) {
			in = true
			all = append(all, stretch{})
		}
		if in {
			s := &all[len(all)-1]
			s.told = append(s.told, *e)
		}
	}
	return all
}

// cutShort ends an era that another follows: what was told behind its last ring
// may not be what others were told.
func (a *era) cutShort(all []stretch) []stretch {
	if len(all) > 0 && all[len(all)-1].told[0].change.why == reasonNodeUp && !slices.ContainsFunc(all[len(all)-1].told, isRing) {
		all = all[:len(all)-1] // with the doubtful ring
	}
	for i := range all {
		all[i].cut = all[i].cut || i == len(all)-1
	}
	return all
}

func isRing(e entry) bool { return e.ring != totem.RingID{} }

// checkSynchrony: while two processes are members together, they are told the
// same: the same messages, changes and rings in the same order. It ends
// differently only for one that ends, which may not have been told all yet, and for
// two that the ring separates: what each was told behind the last ring that both were
// in is its own part's affair, be it that they met. If both end, and one with its
// daemon, the other may not have been told that they were separated.
func checkSynchrony(p, q *process) error {
	ps, qs := p.eras(), q.eras()
	for i := range ps {
		j := slices.IndexFunc(qs, func(a era) bool { return a.ring == ps[i].ring })
		if j < 0 {
			continue
		}
		a, b := together(&ps[i], p, q), together(&qs[j], q, p)
		if i < len(ps)-1 {
			a = ps[i].cutShort(a)
		}
		if j < len(qs)-1 {
			b = qs[j].cutShort(b)
		}
		a, b = align(a, b)
		for k := range min(len(a), len(b)) {
			if err := compare(p, q, &a[k], &b[k]); err != nil {
				return err
			}
		}
		if len(a) != len(b) && !p.dead && !q.dead && i == len(ps)-1 && j == len(qs)-1 {
			return fmt.Errorf("%s was beside %s %d times, which saw it %d times", p.name(), q.name(), len(a), len(b))
		}
	}
	return nil
}

// moot stretches began and ended in one part of a ring that broke.
func (s *stretch) moot() bool { return s.cut && !slices.ContainsFunc(s.told, isRing) }

// align leaves out moot stretches of one that the other did not see.
func align(a, b []stretch) (x, y []stretch) {
	for len(a) > 0 && len(b) > 0 {
		p, q := a[0].told[0].change, b[0].told[0].change
		switch met := p.why == q.why && sameMembers(p.members, q.members); {
		case !met && a[0].moot():
			a = a[1:]
		case !met && b[0].moot():
			b = b[1:]
		default:
			x, y = append(x, a[0]), append(y, b[0])
			a, b = a[1:], b[1:]
		}
	}
	seen := func(s stretch) bool { return !s.moot() }
	if i := slices.IndexFunc(a, seen); i >= 0 {
		x = append(x, a[i:]...)
	}
	if i := slices.IndexFunc(b, seen); i >= 0 {
		y = append(y, b[i:]...)
	}
	return x, y
}

func compare(p, q *process, a, b *stretch) error {
	if !sameMembers(a.told[0].change.members, b.told[0].change.members) {
		return fmt.Errorf("%s: %v, at %s %v", p.name(), &a.told[0], q.name(), &b.told[0])
	}
	a.told, b.told = a.begin(b), b.begin(a)
	n := min(len(a.told), len(b.told))
	if a.cut || b.cut || p.dead && q.dead && (p.orphan || q.orphan) {
		n = lastRing(a.told, b.told)
	} else if len(a.told) < len(b.told) && !p.dead || len(b.told) < len(a.told) && !q.dead {
		n = max(len(a.told), len(b.told))
	}
	for i := range n {
		if i >= len(a.told) || i >= len(b.told) || !same(&a.told[i], &b.told[i]) {
			return fmt.Errorf("together, at %d:\n\t%s: %s\n\t%s: %s", i, p.name(), around(a.told, i), q.name(), around(b.told, i))
		}
	}
	return nil
}

// begin is what was told behind the change that began the stretch. Where it let
// the two meet, they may have been told of it differently; and a message that was
// in the ring in parts then is for those only who have had its first (as the
// reference has it; what is offloaded does not come in parts).
func (s *stretch) begin(other *stretch) (told []entry) {
	had := map[id]bool{}
	for i := range other.told {
		had[id{other.told[i].from, other.told[i].number}] = true
	}
	heard := map[offload.Member]bool{}
	for i := range s.told[1:] {
		e := &s.told[1+i]
		if e.long && !heard[e.from] && !had[id{e.from, e.number}] {
			continue
		}
		heard[e.from] = heard[e.from] || e.number != 0
		told = append(told, *e)
	}
	return told
}

// lastRing is how much was told up to the last ring that both were told of.
func lastRing(a, b []entry) int {
	seen := map[totem.RingID]bool{}
	for i := range a {
		seen[a[i].ring] = true
	}
	for i := len(b) - 1; i >= 0; i-- {
		if r := b[i].ring; r != (totem.RingID{}) && seen[r] {
			return i + 1
		}
	}
	return 0
}

func same(a, b *entry) bool {
	if (a.change == nil) != (b.change == nil) {
		return false
	}
	if a.change != nil {
		return sameMembers(a.change.members, b.change.members) && sameMembers(a.change.left, b.change.left) &&
			sameMembers(a.change.joined, b.change.joined)
	}
	return a.from == b.from && a.number == b.number && a.ring == b.ring
}

// around shows the entries near a place.
func around(told []entry, i int) (s string) {
	for j := max(0, min(i-3, len(told))); j < min(i+4, len(told)); j++ {
		s += " " + told[j].String()
	}
	return s
}

func sameMembers(a, b []offload.Member) bool {
	return len(a) == len(b) && len(without(a, b)) == 0 && len(without(b, a)) == 0
}

func without(set, part []offload.Member) (rest []offload.Member) {
	for _, m := range set {
		if !slices.Contains(part, m) {
			rest = append(rest, m)
		}
	}
	return rest
}
