package engine

import (
	"testing"
	"time"

	"cpgol/wire/totem"
)

// states brings a fresh engine into each state.
func states(t *testing.T) map[State]func() (*testRing, *testNode) {
	return map[State]func() (*testRing, *testNode){
		StateIdle: func() (*testRing, *testNode) {
			r := newTestRing(t)
			n := &testNode{Engine: New(testConfig(2), 0)}
			n.assembler = &n.trans
			r.nodes[2] = n
			return r, n
		},
		StateOperational: func() (*testRing, *testNode) {
			r := formRing(t, 3, nil)
			return r, r.nodes[2]
		},
		StateGather: func() (*testRing, *testNode) {
			r := formRing(t, 3, nil)
			r.drop = func(totem.NodeID, []byte) bool { return true }
			r.until(func() bool { return r.nodes[2].State() == StateGather })
			return r, r.nodes[2]
		},
		StateCommit: func() (*testRing, *testNode) {
			r := formRing(t, 3, nil)
			n := r.nodes[2]
			n.ForceGather(r.now, &n.out)
			r.perform(n)
			r.until(func() bool { return n.State() == StateCommit })
			return r, n
		},
		StateRecovery: func() (*testRing, *testNode) {
			r := formRing(t, 3, nil)
			n := r.nodes[2]
			n.ForceGather(r.now, &n.out)
			r.perform(n)
			r.until(func() bool { return n.State() == StateRecovery })
			return r, n
		},
	}
}

// What a node would do for a peer, it does for any packet: none of these may
// panic, or change anything but counters.
func TestHostilePackets(t *testing.T) {
	for state, make := range states(t) {
		r, n := make()
		ring := n.ring
		self := []totem.NodeID{2}
		h := totem.Header{Node: 1}
		many := func(n int) []totem.NodeID {
			list := []totem.NodeID{}
			for i := range n {
				list = append(list, totem.NodeID(i+1000))
			}
			return list
		}
		hostile := []struct {
			name   string
			packet totem.Message
			count  func(s Stats) uint64
		}{
			{"token far ahead", &totem.Token{Header: h, Ring: ring, TokenSeq: 5000, Seq: n.current().aru + window},
				func(s Stats) uint64 { return s.TokenGap }},
			{"token behind", &totem.Token{Header: h, Ring: ring, TokenSeq: 5000, Seq: n.current().aru - 1},
				func(s Stats) uint64 { return s.TokenGap }},
			{"message far ahead", &totem.Mcast{Header: h, From: 1, Ring: ring, Seq: 0x40000000},
				func(s Stats) uint64 { return s.McastWindow }},
			{"join of too many", &totem.Join{Header: h, From: 1, Proc: many(384), RingSeq: ring.Seq},
				func(s Stats) uint64 { return s.JoinStrange }},
			{"join of nobody", &totem.Join{Header: h, Proc: self, RingSeq: ring.Seq},
				func(s Stats) uint64 { return s.JoinStrange }},
			{"merge detect of nobody", &totem.MergeDetect{Header: h, Ring: totem.RingID{Rep: 9, Seq: 9}},
				func(s Stats) uint64 { return s.JoinStrange }},
			{"commit token of another ring", &totem.CommitToken{Header: h, Ring: totem.RingID{Rep: 1, Seq: 1 << 40}, Addrs: self, Entries: []totem.CommitEntry{{}}},
				func(s Stats) uint64 { return 0 }},
			{"commit token without members", &totem.CommitToken{Header: h, Ring: totem.RingID{Rep: 1, Seq: 1 << 40}},
				func(s Stats) uint64 { return 0 }},
			{"hold cancel of another ring", &totem.HoldCancel{Header: h, Ring: totem.RingID{Rep: 1, Seq: 1}},
				func(s Stats) uint64 { return 0 }},
		}
		for _, tt := range hostile {
			before := n.Stats()
			n.Receive(r.now, tt.packet.Append(nil), &n.out)
			after := n.Stats()
			if n.State() != state || n.ring != ring {
				t.Errorf("%v: %s: state %v, ring %v", state, tt.name, n.State(), n.ring)
			}
			counted := tt.count(after) > tt.count(before) || after.RxMsgDropped > before.RxMsgDropped
			if expects := tt.count(Stats{TokenGap: 1, McastWindow: 1, JoinStrange: 1}) > 0; expects && !counted && !ignored(state, tt.packet) {
				t.Errorf("%v: %s: not counted", state, tt.name)
			}
			n.out.Effects = n.out.Effects[:0]
		}
	}
}

// ignored reports whether a state takes no notice of a packet without counting
// it: tokens are discarded before anything is looked at.
func ignored(s State, m totem.Message) bool {
	_, isToken := m.(*totem.Token)
	return isToken && s != StateOperational && s != StateRecovery
}

// Malformed packets are counted by cause and reported.
func TestMalformed(t *testing.T) {
	r := formRing(t, 2, nil)
	n := r.nodes[1]
	good := (&totem.Token{Header: totem.Header{Node: 2}, Ring: n.ring}).Append(nil)
	for cause, packet := range map[totem.Cause][]byte{
		totem.CauseShort:   good[:56],
		totem.CauseLong:    append(good[:57:57], make([]byte, 1500)...),
		totem.CauseMagic:   append([]byte{0xFE, 0xFE}, good[2:]...),
		totem.CauseVersion: append([]byte{0x70, 0xC0, 2}, good[3:]...),
		totem.CauseType:    append([]byte{0x70, 0xC0, 3, 6}, good[4:]...),
		totem.CauseCount:   append(good[:53:53], 0xFF, 0xFF, 0xFF, 0xFF),
	} {
		n.Receive(r.now, packet, &n.out)
		if got := n.Stats().Malformed[cause]; got != 1 {
			t.Errorf("%v: counted %d", cause, got)
		}
		if e := n.out.Effects; len(e) != 1 || e[0].Kind != Trace {
			t.Errorf("%v: effects %v", cause, e)
		}
		n.out.Effects = n.out.Effects[:0]
	}
	n.Receive(r.now, nil, &n.out)
	n.ClearStats()
	if s := n.Stats(); s.Malformed[totem.CauseShort] != 0 || s.OperationalEntered != 0 {
		t.Errorf("after ClearStats: %+v", s)
	}
}

// A peer that floods the window with the longest messages out of order costs
// bounded memory, and the order goes on.
func TestMemoryBound(t *testing.T) {
	r := formRing(t, 2, func(c *Config) { c.NetMTU = 65536 })
	n := r.nodes[2]
	m := totem.Mcast{Header: totem.Header{Node: 1, Encapsulated: 2}, From: 1, Ring: n.ring, Payload: make([]byte, 65000)}
	n.regular.assigned += 6000
	for i := range totem.Seq(6000) {
		m.Seq = n.regular.aru + 2 + i
		n.Receive(r.now, m.Append(nil), &n.out)
		n.out.Effects = n.out.Effects[:0]
	}
	if n.regular.held > maxHeld+1<<17 || n.Stats().McastMemory == 0 {
		t.Errorf("holds %d MB, dropped %d", n.regular.held>>20, n.Stats().McastMemory)
	}
	first := n.regular.aru + 1
	m.Seq = first
	n.Receive(r.now, m.Append(nil), &n.out)
	if n.regular.aru.Before(first) {
		t.Errorf("the message that all wait for was not taken")
	}
}

// Messages that come too early or too late in a ring's life are never filed
// among another ring's.
func TestFiling(t *testing.T) {
	for state, make := range states(t) {
		r, n := make()
		if state == StateIdle {
			continue
		}
		aru := n.regular.aru
		m := totem.Mcast{
			Header: totem.Header{Node: 1, Encapsulated: totem.NotEncapsulated}, From: 1,
			Ring: n.ring, Seq: aru + 1,
		}
		m.Payload = append(m.Payload, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 'x')
		n.Receive(r.now, m.Append(nil), &n.out)
		filed := n.regular.get(m.Seq) != nil
		if want := n.ring == n.installed; filed != want {
			t.Errorf("%v: filed in the installed ring's queue: %v, want %v", state, filed, want)
		}
		if got := n.recovery.queue.get(m.Seq) != nil; got != (state == StateRecovery) {
			t.Errorf("%v: filed in the new ring's queue: %v", state, got)
		}
	}
}

// An attempt that fails leaves what is known of the old ring alone.
func TestAbortedRecovery(t *testing.T) {
	r := formRing(t, 3, nil)
	lose := 5
	r.drop = func(to totem.NodeID, p []byte) bool {
		if p[3] == byte(totem.TypeMcast) && p[4] == totem.NotEncapsulated && to == 3 {
			return true
		}
		// The first attempts break off in recovery.
		if p[3] == byte(totem.TypeToken) && lose > 0 && r.nodes[2].State() == StateRecovery {
			return true
		}
		return false
	}
	r.send(1, "lost on node 3")
	r.until(func() bool { return len(r.nodes[2].messages()) == 1 })
	r.remove(1)
	r.until(func() bool { return r.nodes[2].Stats().RecoveryTokenLost >= 2 })
	lose = 0
	r.until(r.together)
	r.wantSameMessages()
	if len(r.nodes[3].messages()) != 1 {
		t.Errorf("node 3 got %v", r.nodes[3].got)
	}
}

// What is queued before Start is sent once there is a ring.
func TestSendBeforeStart(t *testing.T) {
	n := &testNode{Engine: New(testConfig(1), 41)}
	n.assembler = &n.trans
	if err := n.Send(0, &n.out, []byte("early")); err != nil {
		t.Fatal(err)
	}
	n.Tick(time.Hour, &n.out)
	if len(n.out.Effects) != 0 {
		t.Errorf("effects before Start: %v", n.out.Effects)
	}
	if n.Ring() != (totem.RingID{Rep: 1, Seq: 42}) {
		t.Errorf("private ring %v", n.Ring())
	}
	r := newTestRing(t)
	r.nodes[1] = n
	n.Start(0, &n.out)
	n.Start(0, &n.out)
	r.perform(n)
	r.until(func() bool { return r.allHave(1) })
}
