package replay

import (
	"maps"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// The wire leaves two things open. A node that is not heard again may have been
// killed, or cut off: then it went on in a ring of its own. And a node that is
// cut off alone may have had more of its ring's messages than its last token
// tells: any number of those sent since. Where what the wire tells does not
// agree with the records of the node's clients, each possibility is tried, and
// the one that agrees best is kept, the same for all clients of the node.

// A doubt is how much of a ring a node had when it was cut off.
type doubt struct {
	number int
	ring   *ring
	high   totem.Seq // up to where its last token tells
}

// playBest plays a life, in doubt in the way that agrees best with the records.
func (h *history) playBest(l *life, switchEarly bool, records []record) *player {
	best := playLife(h, l, switchEarly, nil)
	matched, all := best.score(records)
	lives := []*life{l}
	if alone := h.presumedAlone(l); alone != nil {
		lives = append(lives, alone)
	}
	for _, l := range lives {
		if matched == all {
			break
		}
		p := playLife(h, l, switchEarly, nil)
		mine, _ := p.score(records)
		for i := 0; i < len(p.doubts) && mine < all; i++ {
			q := h.settle(p, i, records)
			if score, _ := q.score(records); score > mine {
				p, mine = q, score
			}
		}
		if mine > matched {
			best, matched = p, mine
		}
	}
	return best
}

// settle plays a life again, believing of one doubt what the records say: the
// node had as much of the ring as its clients were told of, going by a play in
// which it had all.
func (h *history) settle(p *player, number int, records []record) *player {
	d := p.doubts[number]
	had := maps.Clone(p.had)
	if had == nil {
		had = make(map[int]totem.Seq)
	}
	for _, seq := range d.ring.numbers() {
		had[number] = later(had[number], seq)
	}
	everything := playLife(h, p.life, p.switchEarly, had)
	had[number] = d.high
	for _, v := range everything.compared(records) {
		for _, at := range v.client.places[:min(v.told, len(v.client.places))] {
			if at.ring == d.ring.id {
				had[number] = later(had[number], at.seq)
			}
		}
	}
	return playLife(h, p.life, p.switchEarly, had)
}

// score counts the events that agree, of all those in the records of the life's
// clients.
func (p *player) score(records []record) (matched, all int) {
	for _, v := range p.compared(records) {
		matched += v.matched
		all += len(v.record.events) - v.skipped
	}
	return matched, all
}

// compared compares the life's clients with the records that name them.
func (p *player) compared(records []record) []verdict {
	var verdicts []verdict
	for _, r := range records {
		pid, group, named := r.identity()
		if !named || r.node != p.life.node {
			continue
		}
		for _, c := range p.cpg.clients {
			if c.pid == pid && displayName(c.group) == group {
				verdicts = append(verdicts, c.against(r))
				break
			}
		}
	}
	return verdicts
}

// presumedAlone returns the life as it went on if its node, not heard again, was
// cut off; nil if that cannot be.
func (h *history) presumedAlone(l *life) *life {
	n := h.nodes[l.node]
	k := len(l.stays)
	if k == 0 || n.lives[len(n.lives)-1] != l || n.left || l.stays[k-1].unseen {
		return nil
	}
	alone := &stay{id: totem.RingID{Rep: l.node, Seq: l.stays[k-1].id.Seq + 4}, unseen: true, delivered: 1}
	return &life{node: l.node, stays: append(l.stays[:k:k], alone), presumed: true}
}

// synchronised reports whether a lonely node's synchronisation was seen to its
// end: its list of services, and a barrier for each.
func (r *ring) synchronised() bool {
	services, barriers := -1, 0
	for _, m := range r.messages {
		at := 0
		for i, n := range m.frame.Lengths {
			piece := m.frame.Data[at : at+int(n)]
			at += int(n)
			if i == 0 && m.frame.Continuation != 0 || i == len(m.frame.Lengths)-1 && m.frame.Fragmented != 0 {
				continue
			}
			switch b := decodeMessage(piece, m.BigEndian).body.(type) {
			case *exec.ServiceBuild:
				if b.Ring == r.id {
					services = b.Count
				}
			case *exec.Barrier:
				if b.Ring == r.id {
					barriers++
				}
			}
		}
	}
	return services >= 0 && barriers >= services
}
