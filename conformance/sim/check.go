package sim

import (
	"fmt"
	"slices"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// check looks at all lives' histories together.
func check(lives []*life) error {
	for _, l := range lives {
		if err := checkMembership(l); err != nil {
			return err
		}
		if err := checkSenders(l); err != nil {
			return err
		}
		if err := checkSelf(l); err != nil {
			return err
		}
	}
	if err := checkRings(lives); err != nil {
		return err
	}
	if err := checkOrder(lives); err != nil {
		return err
	}
	return checkSynchrony(lives)
}

// checkMembership: configurations come in pairs of one ring; ring sequences
// grow; a node is in its own configurations; the transitional one is of members
// of the previous ring and of the new one; who left and joined follows from them.
func checkMembership(l *life) error {
	var members []totem.NodeID
	var trans *engine.Configuration
	var ring totem.RingID
	for _, e := range l.history {
		c := e.conf
		switch {
		case c == nil:
			if trans != nil && (e.kind != kindNone && e.ring == trans.Ring) {
				return fmt.Errorf("%s: %v between the configurations of %v", l.name(), e, trans.Ring)
			}
		case c.Kind == engine.Transitional:
			if trans != nil {
				return fmt.Errorf("%s: two transitional configurations: %v, %v", l.name(), trans.Ring, c.Ring)
			}
			if c.Ring.Seq <= ring.Seq {
				return fmt.Errorf("%s: ring %v after %v", l.name(), c.Ring, ring)
			}
			if !contains(members, c.Members) || !sameNodes(c.Left, without(members, c.Members)) || len(c.Joined) != 0 {
				return fmt.Errorf("%s: %v, members were %v", l.name(), e, members)
			}
			if len(members) > 0 && !slices.Contains(c.Members, l.id) {
				return fmt.Errorf("%s: not in its own configuration: %v", l.name(), e)
			}
			trans, ring = c, c.Ring
		default:
			if trans == nil || trans.Ring != c.Ring {
				return fmt.Errorf("%s: %v without its transitional configuration", l.name(), e)
			}
			if !slices.IsSorted(c.Members) || !slices.Contains(c.Members, l.id) || !contains(c.Members, trans.Members) ||
				!sameNodes(c.Joined, without(c.Members, trans.Members)) || len(c.Left) != 0 {
				return fmt.Errorf("%s: %v after transitional %v", l.name(), e, trans.Members)
			}
			trans, members = nil, c.Members
		}
	}
	return nil
}

// checkSenders: messages come from members of the present configuration, a
// sender's in its order, each once, and without a gap while it stays a member.
// Where a receiver comes into the middle of a sender's life, the beginning may be
// missing.
func checkSenders(l *life) error {
	last := map[totem.NodeID]speech{}
	ever := map[totem.NodeID]speech{}
	var members []totem.NodeID
	for _, e := range l.history {
		if e.conf != nil {
			members = e.conf.Members
			for _, n := range e.conf.Left {
				delete(last, n)
			}
			continue
		}
		if e.kind != kindNone && !slices.Contains(members, e.from) {
			return fmt.Errorf("%s: %v, who is not in the configuration %v", l.name(), e, members)
		}
		if e.kind != kindApplication {
			continue
		}
		before, inTouch := last[e.from]
		if inTouch && e.speech != (speech{before.life, before.said + 1}) {
			return fmt.Errorf("%s: %v after %v", l.name(), e, before)
		}
		if b := ever[e.from]; e.speech.life < b.life || e.speech.life == b.life && e.speech.said <= b.said {
			return fmt.Errorf("%s: %v again or out of order, after %v", l.name(), e, b)
		}
		last[e.from], ever[e.from] = e.speech, e.speech
	}
	return nil
}

// checkSelf: who lives to the end has heard all that it said.
func checkSelf(l *life) error {
	if l.ended {
		return nil
	}
	heard := uint32(0)
	for _, e := range l.history {
		if e.kind == kindApplication && e.from == l.id {
			if e.speech != (speech{l.number, heard + 1}) {
				return fmt.Errorf("%s: %v of its own after %d", l.name(), e, heard)
			}
			heard++
		}
	}
	if heard != l.said {
		return fmt.Errorf("%s: said %d and heard %d of them", l.name(), l.said, heard)
	}
	return nil
}

// checkRings: all who install a ring agree on its members, and no life installs
// one twice.
func checkRings(lives []*life) error {
	members := map[totem.RingID][]totem.NodeID{}
	by := map[totem.RingID]*life{}
	for _, l := range lives {
		for _, e := range l.history {
			if e.conf == nil || e.conf.Kind != engine.Regular {
				continue
			}
			if have, ok := members[e.ring]; ok && !slices.Equal(have, e.conf.Members) {
				return fmt.Errorf("%s: ring %v has members %v, for %s %v", l.name(), e.ring, e.conf.Members, by[e.ring].name(), have)
			}
			members[e.ring], by[e.ring] = e.conf.Members, l
		}
	}
	return nil
}

// A message's place in the world: who said it, and what.
type messageID struct {
	from   totem.NodeID
	speech speech
}

// checkOrder: a message belongs to one ring, and any two lives that hear
// several messages hear them in the same order.
func checkOrder(lives []*life) error {
	rings := map[messageID]totem.RingID{}
	places := make([]map[messageID]int, len(lives))
	for i, l := range lives {
		places[i] = map[messageID]int{}
		for at, e := range l.history {
			if e.kind != kindApplication {
				continue
			}
			id := messageID{e.from, e.speech}
			if r, ok := rings[id]; ok && r != e.ring {
				return fmt.Errorf("%s: %v, elsewhere in %v", l.name(), e, r)
			}
			rings[id] = e.ring
			places[i][id] = at
		}
	}
	for i, a := range lives {
		for j := range lives[:i] {
			last := -1
			for _, e := range a.history {
				if e.kind != kindApplication {
					continue
				}
				at, ok := places[j][messageID{e.from, e.speech}]
				if !ok {
					continue
				}
				if at < last {
					return fmt.Errorf("%s: %v comes later than at %s", a.name(), e, lives[j].name())
				}
				last = at
			}
		}
	}
	return nil
}

// A stretch is what a life was told from one regular configuration up to the
// next, exclusive of both.
type stretch struct {
	from, to totem.RingID
	trans    []totem.NodeID
	told     []entry
}

// checkSynchrony: lives that go together from one regular configuration to the
// next were told the same in between: the same messages, of the application,
// the services and the synchronisation, with the transitional configuration and
// the end of the synchronisation at the same places.
func checkSynchrony(lives []*life) error {
	type passage struct{ from, to totem.RingID }
	first := map[passage]map[totem.NodeID]stretch{}
	who := map[passage]map[totem.NodeID]*life{}
	for _, l := range lives {
		for _, s := range stretches(l) {
			p := passage{s.from, s.to}
			if first[p] == nil {
				first[p], who[p] = map[totem.NodeID]stretch{}, map[totem.NodeID]*life{}
			}
			if _, twice := first[p][l.id]; twice {
				return fmt.Errorf("%s: passes from %v to %v again", l.name(), s.from, s.to)
			}
			for _, n := range s.trans {
				other, ok := first[p][n]
				if !ok {
					continue
				}
				if err := compareStretches(l, who[p][n], s, other); err != nil {
					return err
				}
			}
			first[p][l.id], who[p][l.id] = s, l
		}
	}
	return nil
}

func stretches(l *life) []stretch {
	var out []stretch
	var s stretch
	for _, e := range l.history {
		switch {
		case e.sent:
		case e.conf != nil && e.conf.Kind == engine.Regular:
			if s.from != (totem.RingID{}) {
				s.to = e.ring
				out = append(out, s)
			}
			s = stretch{from: e.ring}
		default:
			if e.conf != nil {
				s.trans = e.conf.Members
			}
			s.told = append(s.told, e)
		}
	}
	return out
}

func compareStretches(a, b *life, sa, sb stretch) error {
	if !sameNodes(sa.trans, sb.trans) {
		return fmt.Errorf("%s and %s go from %v to %v with transitional members %v and %v",
			a.name(), b.name(), sa.from, sa.to, sa.trans, sb.trans)
	}
	for i := range max(len(sa.told), len(sb.told)) {
		if i >= len(sa.told) || i >= len(sb.told) || !sameEntry(sa.told[i], sb.told[i]) {
			return fmt.Errorf("from %v to %v, at %d:\n\t%s: %v\n\t%s: %v", sa.from, sa.to, i,
				a.name(), around(sa.told, i), b.name(), around(sb.told, i))
		}
	}
	return nil
}

func sameEntry(a, b entry) bool {
	if (a.conf != nil) != (b.conf != nil) {
		return false
	}
	a.conf, b.conf = nil, nil
	return a == b
}

// around shows the entries near a place.
func around(told []entry, i int) []entry {
	return told[max(0, min(i-2, len(told))):min(i+3, len(told))]
}

func contains(set, part []totem.NodeID) bool {
	for _, n := range part {
		if !slices.Contains(set, n) {
			return false
		}
	}
	return true
}

func sameNodes(a, b []totem.NodeID) bool {
	return len(a) == len(b) && contains(a, b) && contains(b, a)
}

func without(set, part []totem.NodeID) []totem.NodeID {
	var out []totem.NodeID
	for _, n := range set {
		if !slices.Contains(part, n) {
			out = append(out, n)
		}
	}
	return out
}
