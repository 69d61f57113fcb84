package engine

import (
	"testing"
	"time"

	"cpgol/wire/totem"
)

// lie changes the next token that node 2 receives on a quiet ring.
func lie(r *testRing, change func(t *totem.Token)) {
	r.until(func() bool { return r.nodes[1].token.unchanged > 5 })
	done := false
	r.drop = func(to totem.NodeID, p []byte) bool {
		var t totem.Token
		if _, err := t.Decode(p); err == nil && to == 2 && !done {
			done = true
			change(&t)
			n := r.nodes[2]
			n.Receive(r.now, t.Append(nil), &n.out)
			r.perform(n)
			return true
		}
		return false
	}
	r.until(func() bool { return done })
	r.drop = nil
}

// Whatever a token claims once, the ring serves its members again soon after.
func TestTokenLies(t *testing.T) {
	stranger := totem.RingID{Rep: 7, Seq: 70}
	full := func(ring func(*totem.Token) totem.RingID, seq func(*totem.Token) totem.Seq) func(*totem.Token) {
		return func(t *totem.Token) {
			for i := range totem.Seq(totem.MaxRetransmits) {
				t.Retransmits = append(t.Retransmits, totem.Retransmit{Ring: ring(t), Seq: seq(t) + i})
			}
		}
	}
	for name, change := range map[string]func(*totem.Token){
		"window used up":       func(t *totem.Token) { t.FCC = 50 },
		"more than a window":   func(t *totem.Token) { t.FCC = 1024 },
		"one less":             func(t *totem.Token) { t.FCC = 0xFFFFFFFF },
		"great backlog":        func(t *totem.Token) { t.Backlog = 1000 },
		"greater backlog":      func(t *totem.Token) { t.Backlog = 0x7FFFFFFF },
		"aru of a stranger":    func(t *totem.Token) { t.ARU, t.ARUAddr = 1, 99 },
		"aru of a member":      func(t *totem.Token) { t.ARU, t.ARUAddr = 1, 3 },
		"aru far ahead":        func(t *totem.Token) { t.ARU, t.ARUAddr = 1<<30, 3 },
		"requests of a ring":   full(func(*totem.Token) totem.RingID { return stranger }, func(t *totem.Token) totem.Seq { return t.Seq }),
		"requests far ahead":   full(func(t *totem.Token) totem.RingID { return t.Ring }, func(t *totem.Token) totem.Seq { return t.Seq + 1 }),
		"requests from behind": full(func(t *totem.Token) totem.RingID { return t.Ring }, func(t *totem.Token) totem.Seq { return t.Seq - 1000 }),
	} {
		r := formRing(t, 3, nil)
		for i := range 60 {
			r.send(1, "before")
			r.until(func() bool { return r.allHave(i + 1) })
		}
		lie(r, change)
		begin, ring := r.now, r.nodes[1].Ring()
		for range 20 {
			for id := range totem.NodeID(3) {
				r.send(id+1, "after")
			}
		}
		lost := map[totem.Seq]int{}
		r.drop = func(to totem.NodeID, p []byte) bool { // one of them must be asked for
			var m totem.Mcast
			if _, err := m.Decode(p); err == nil && to == 3 && m.From == 2 && lost[m.Seq] == 0 {
				lost[m.Seq]++
				return len(lost) == 1
			}
			return false
		}
		r.until(func() bool { return r.allHave(120) })
		r.drop = nil
		if d := r.now - begin; d > 20*time.Second || r.nodes[1].Ring() != ring {
			t.Errorf("%s: %v later, ring %v after %v", name, d, r.nodes[1].Ring(), ring)
		}
		r.until(func() bool { return r.nodes[2].released == r.nodes[2].delivered })
	}
}
