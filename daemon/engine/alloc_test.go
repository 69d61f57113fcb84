package engine

import (
	"testing"

	"cpgol/wire/totem"
)

// A steady ring allocates nothing: neither for tokens, nor for messages that
// come in, nor for those that are sent.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, size := range []int{64, 1300, 60000} {
		r := formRing(t, 2, func(c *Config) { c.NetMTU = 65536 })
		n := r.nodes[2]
		n.normal, n.trans = r.nodes[2].normal, r.nodes[2].trans
		msg := make([]byte, size)
		token := totem.Token{Header: totem.Header{Node: 1}, Ring: n.ring, TokenSeq: n.token.lastTokenSeq, Seq: n.regular.high}
		mcast := totem.Mcast{Header: totem.Header{Node: 1, Encapsulated: totem.NotEncapsulated}, From: 1, Ring: n.ring, Payload: make([]byte, size)}
		var packet []byte
		delivered := 0
		receive := func(m totem.Message) {
			packet = m.Append(packet[:0])
			n.Receive(r.now, packet, &n.out)
			for _, e := range n.out.Effects {
				switch e.Kind {
				case Deliver:
					delivered++
				case Trace:
					t.Fatal(e.Event)
				}
			}
			n.out.Effects = n.out.Effects[:0]
		}
		round := func() {
			for range 3 {
				mcast.Seq = token.Seq + 1
				token.Seq++
				receive(&mcast)
			}
			if err := n.Send(r.now, &n.out, msg[:10], msg[10:]); err != nil {
				t.Fatal(err)
			}
			if err := n.Send(r.now, &n.out, msg[:10], msg[10:]); err != nil {
				t.Fatal(err)
			}
			token.TokenSeq += 2
			token.ARU, token.ARUAddr = n.regular.aru, 0
			receive(&token)
			token.Seq = n.token.in.Seq
		}
		for range 50 {
			round()
		}
		if allocs := testing.AllocsPerRun(200, round); allocs != 0 {
			t.Errorf("%d bytes: %v allocations a round", size, allocs)
		}
		if delivered < 1000 {
			t.Errorf("%d bytes: only %d delivered", size, delivered)
		}
	}
}

// A ring of one sends its token to itself; that costs nothing either.
func TestLoopedTokenDoesNotAllocate(t *testing.T) {
	r := formRing(t, 1, nil)
	n := r.nodes[1]
	var looped []byte
	take := func() {
		for _, e := range n.out.Effects {
			if e.Kind == Loopback {
				looped = e.Packet
			}
		}
		n.out.Effects = n.out.Effects[:0]
	}
	for _, p := range r.queue {
		looped = p.packet
	}
	round := func() {
		if err := n.Send(r.now, &n.out, []byte("x")); err != nil {
			t.Fatal(err)
		}
		take()
		n.Receive(r.now, looped, &n.out)
		take()
	}
	for range 50 {
		round()
	}
	if allocs := testing.AllocsPerRun(200, round); allocs != 0 {
		t.Errorf("%v allocations a round", allocs)
	}
	if len(n.loops.waiting) > 1 {
		t.Errorf("%d looped packets are out", len(n.loops.waiting))
	}
}

func BenchmarkTokenVisit(b *testing.B) {
	e := New(testConfig(2), 0)
	var out Output
	e.Start(0, &out)
	e.state, e.ring = StateOperational, totem.RingID{Rep: 1, Seq: 9}
	e.token.discard = false
	e.commit.target = 1
	token := totem.Token{Header: totem.Header{Node: 1}, Ring: e.ring}
	var packet []byte
	for b.Loop() {
		token.TokenSeq += 2
		packet = token.Append(packet[:0])
		e.Receive(0, packet, &out)
		out.Effects = out.Effects[:0]
	}
}

func BenchmarkMcast(b *testing.B) {
	e := New(testConfig(2), 0)
	var out Output
	e.Start(0, &out)
	e.state, e.ring = StateOperational, totem.RingID{Rep: 1, Seq: 9}
	e.installed = e.ring
	m := totem.Mcast{Header: totem.Header{Node: 1, Encapsulated: totem.NotEncapsulated}, From: 1, Ring: e.ring, Payload: make([]byte, 1400)}
	var packet []byte
	for b.Loop() {
		m.Seq++
		packet = m.Append(packet[:0])
		e.Receive(0, packet, &out)
		e.regular.release(m.Seq)
		out.Effects = out.Effects[:0]
	}
}
