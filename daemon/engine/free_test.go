package engine

import (
	"testing"

	"cpgol/wire/totem"
)

// Only a new token of the own ring lets messages go, and only what the one
// before it said everybody has, too.
func TestFree(t *testing.T) {
	r := formRing(t, 2, nil)
	n := r.nodes[2]
	for i := range 10 {
		r.send(1, "x")
		r.until(func() bool { return r.allHave(i + 1) })
		if i == 5 {
			r.drop = func(totem.NodeID, []byte) bool { return true } // the token is lost from here on
			break
		}
	}
	r.queue = nil
	aru, released := n.regular.aru, n.released
	if released == aru {
		t.Fatalf("nothing is held: %d", aru)
	}
	token := totem.Token{Header: totem.Header{Node: 1}, Seq: aru, ARU: aru, Ring: n.ring}
	visit := func(tok totem.Token) totem.Seq {
		n.Receive(r.now, tok.Append(nil), &n.out)
		n.out.Effects = n.out.Effects[:0]
		return n.released
	}
	foreign := token
	foreign.Ring.Seq++
	foreign.TokenSeq = n.token.lastTokenSeq + 1
	duplicate := token
	duplicate.TokenSeq = n.token.lastTokenSeq
	n.token.lastARU = aru
	for name, tok := range map[string]totem.Token{"another ring's": foreign, "sent again": duplicate} {
		if got := visit(tok); got != released {
			t.Errorf("%s: released up to %d, was %d", name, got, released)
		}
	}
	n.token.lastARU = released
	token.TokenSeq = n.token.lastTokenSeq + 1
	if got := visit(token); got != released {
		t.Errorf("first token that says so: released up to %d, was %d", got, released)
	}
	token.TokenSeq += 2
	if got := visit(token); got != aru {
		t.Errorf("second token: released up to %d, want %d", got, aru)
	}
}
