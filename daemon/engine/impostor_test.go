package engine

import (
	"slices"
	"testing"
	"time"

	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// A node that heard "itself" give itself up would have no candidates, agree
// with nobody about it, and wait for ever.
func TestJoinInOurName(t *testing.T) {
	for _, node := range []totem.NodeID{2, 0} { // a join, a leave
		r := formRing(t, 3, nil)
		n := r.nodes[2]
		n.ForceGather(r.now, &n.out)
		r.perform(n)
		j := totem.Join{Header: totem.Header{Node: node}, From: 2, Proc: []totem.NodeID{1, 2, 3}, Failed: []totem.NodeID{1, 3, 2}, RingSeq: n.ring.Seq}
		n.Receive(r.now, j.Append(nil), &n.out)
		r.perform(n)
		if n.Stats().JoinStrange != 1 || len(n.gather.failed) != 0 || n.gather.left != nil {
			t.Errorf("header node %d: refused %d, failed %v, left %v", node, n.Stats().JoinStrange, n.gather.failed, n.gather.left)
		}
		r.until(r.together)
	}
}

// The nodes that a member gives up count among those that a ring can have:
// else each of its joins would make ours longer.
func TestJoinsGiveUpEverybody(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	j := totem.Join{Header: totem.Header{Node: 1}, From: 1, Proc: []totem.NodeID{1, 2, 3}, RingSeq: n.ring.Seq}
	for i := range 50 {
		j.Failed = nil
		for k := range 300 {
			j.Failed = append(j.Failed, totem.NodeID(1000*(i+1)+k))
		}
		n.Receive(r.now, j.Append(nil), &n.out)
		r.perform(n)
	}
	if all := len(merge(n.gather.proc, n.gather.failed)); all > totem.MaxNodes || n.Stats().JoinStrange != 49 {
		t.Errorf("%d nodes, refused %d", all, n.Stats().JoinStrange)
	}
	r.until(r.together)
}

// So does a stranger who gives us up: it is given up by us.
func TestStrangersGiveUsUp(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	n.ForceGather(r.now, &n.out)
	r.perform(n)
	for i := range totem.NodeID(2 * totem.MaxNodes) {
		j := totem.Join{Header: totem.Header{Node: 1}, From: 1000 + i, Failed: []totem.NodeID{2}, RingSeq: n.ring.Seq}
		n.Receive(r.now, j.Append(nil), &n.out)
		r.perform(n)
	}
	if all := len(merge(n.gather.proc, n.gather.failed)); all > totem.MaxNodes {
		t.Errorf("%d nodes", all)
	}
	r.until(r.together)
}

// Who agrees counts only among the candidates.
func TestStrangersAgree(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	n.ForceGather(r.now, &n.out)
	r.perform(n)
	for i := range totem.NodeID(1000) {
		j := totem.Join{Header: totem.Header{Node: 1}, From: 1000 + i, Proc: n.gather.proc, Failed: n.gather.failed, RingSeq: n.ring.Seq}
		n.Receive(r.now, j.Append(nil), &n.out)
		r.perform(n)
	}
	if len(n.gather.consensus) > len(n.gather.proc) {
		t.Errorf("%d of %d candidates agree", len(n.gather.consensus), len(n.gather.proc))
	}
	r.until(r.together)
}

// A ring sequence near the end of its 64 bits would be the last. Whatever is
// claimed, to one node or to all, rings can be formed afterwards.
func TestFarRingSequence(t *testing.T) {
	for _, seq := range []uint64{1<<64 - 1, 1<<64 - 5, 1<<64 - 8, farRingSeq, farRingSeq + 1, 1 << 63, 1 << 48} {
		for _, victims := range [][]totem.NodeID{{1}, {3}, {1, 2, 3}} {
			r := formRing(t, 3, nil)
			for _, id := range victims {
				n := r.nodes[id]
				for range 5 {
					j := totem.Join{Header: totem.Header{Node: 9}, From: 9, Proc: []totem.NodeID{9}, RingSeq: seq}
					n.Receive(r.now, j.Append(nil), &n.out)
					r.perform(n)
				}
				n.ForceGather(r.now, &n.out)
				c := totem.CommitToken{Ring: totem.RingID{Rep: 9, Seq: seq}, Addrs: n.gather.candidates()}
				c.Node = before(c.Addrs, id)
				c.Entries = make([]totem.CommitEntry, len(c.Addrs))
				c.Index = slices.Index(c.Addrs, id)
				n.Receive(r.now, c.Append(nil), &n.out)
				r.perform(n)
				if seq > farRingSeq+ringSeqPace && (n.Stats().TokenStrange != 1 || n.stored > farRingSeq+2*ringSeqPace) {
					t.Errorf("sequence %x, node %d: refused %d, stored %x", seq, id, n.Stats().TokenStrange, n.stored)
				}
			}
			for range 3 { // not only once
				r.until(r.together)
				r.nodes[2].ForceGather(r.now, &r.nodes[2].out)
				r.perform(r.nodes[2])
				r.until(func() bool { return r.nodes[2].State() != StateOperational })
			}
			r.until(r.together)
		}
	}
}

func TestRingSeqTrust(t *testing.T) {
	var trust ringSeqTrust
	for _, tt := range []struct {
		now     time.Duration
		highest uint64
		want    uint64
	}{
		{0, 1, farRingSeq + ringSeqPace},
		{time.Second - 1, farRingSeq + ringSeqPace, farRingSeq + ringSeqPace},
		{time.Second, farRingSeq + ringSeqPace, farRingSeq + 2*ringSeqPace},
		{time.Hour, 1<<64 - 100, lastRingSeq},
		{2 * time.Hour, 1<<64 - 1, lastRingSeq},
	} {
		if got := trust.limit(tt.now, tt.highest); got != tt.want {
			t.Errorf("at %v after %x: %x, want %x", tt.now, tt.highest, got, tt.want)
		}
	}
}

// Only members speak on a ring, each in its own name.
func TestMcastOfStrangers(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	for _, who := range [][2]totem.NodeID{{9, 9}, {1, 9}, {9, 1}, {0, 0}, {1, 3}, {0, 1}} {
		m := totem.Mcast{Header: totem.Header{Node: who[0], Encapsulated: totem.NotEncapsulated}, From: who[1], Ring: n.ring, Seq: n.regular.aru + 1}
		before := n.Stats()
		n.Receive(r.now, m.Append(nil), &n.out)
		r.perform(n)
		if after := n.Stats(); after.McastStrange != before.McastStrange+1 || n.regular.get(m.Seq) != nil {
			t.Errorf("sent by %d, from %d: filed", who[0], who[1])
		}
	}
	r.send(1, "still here")
	r.until(func() bool { return r.allHave(1) })
	if diff := cmp.Diff(r.nodes[1].messages(), n.messages()); diff != "" {
		t.Error(diff)
	}
}

// Numbers that no honest ring comes to are not believed, because nodes of the
// reference end themselves when they are passed on to them.
func TestNumbersOutOfReach(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	for range 3 {
		r.send(1, "something")
	}
	r.until(func() bool { return r.allHave(3) && n.released == n.delivered })
	q, ws := n.regular, totem.Seq(n.cfg.WindowSize)
	base := n.released
	for _, tt := range []struct {
		seq  totem.Seq
		want bool
	}{{base, true}, {base + 1, true}, {base + window - ws, true}, {base + window - ws + 2, false}, {base + window, false}, {base - 1, false}} {
		if got := q.assignable(tt.seq, n.cfg.WindowSize); got != tt.want {
			t.Errorf("token up to %d after %d: %v", tt.seq, base, got)
		}
	}
	for _, tt := range []struct {
		assigned, seq totem.Seq
		want          bool
	}{
		{base, base + 1, true}, {base, base + 1024, true}, {base, base + 1025, false}, {base, base, false},
		{base + window - ws, base + window - 4*ws, true}, {base + window - ws, base + window - 4*ws + 1, false},
	} {
		q.assigned = tt.assigned
		if got := q.plausible(tt.seq, n.cfg.WindowSize); got != tt.want {
			t.Errorf("message %d after %d, with numbers up to %d: %v", tt.seq, base, tt.assigned, got)
		}
	}
	q.assigned = base
	m := totem.Mcast{Header: totem.Header{Node: 1, Encapsulated: totem.NotEncapsulated}, From: 1, Ring: n.ring, Seq: base + 2000}
	n.Receive(r.now, m.Append(nil), &n.out)
	r.perform(n)
	if n.Stats().McastWindow != 1 || q.high != base {
		t.Errorf("message 2000 ahead: refused %d, highest %d after %d", n.Stats().McastWindow, q.high, base)
	}
	r.send(3, "still here")
	r.until(func() bool { return r.allHave(4) })
}

// The largest window that a configuration can ask for still works.
func TestLargestWindow(t *testing.T) {
	r := formRing(t, 3, func(c *Config) { c.WindowSize, c.MaxMessages = window, window })
	for i := range 30 {
		for id := range totem.NodeID(3) {
			r.send(id+1, string(make([]byte, 2000+i)))
		}
	}
	r.until(func() bool { return r.allHave(90) })
	r.wantSameMessages()
}

// Nodes that are not configured are no candidates, whoever names them.
func TestUnconfiguredNodes(t *testing.T) {
	configured := []totem.NodeID{1, 2, 3}
	r := formRing(t, 3, func(c *Config) { c.Nodes = configured })
	n := r.nodes[2]
	ring := n.ring
	receive := func(m totem.Message) {
		n.Receive(r.now, m.Append(nil), &n.out)
		r.perform(n)
	}
	h := totem.Header{Node: 9}
	receive(&totem.Join{Header: h, From: 9, Proc: []totem.NodeID{9, 1}, RingSeq: ring.Seq})
	receive(&totem.MergeDetect{Header: h, From: 9, Ring: totem.RingID{Rep: 9, Seq: 99}})
	receive(&totem.Mcast{Header: h, From: 9, Ring: totem.RingID{Rep: 9, Seq: 99}})
	if n.State() != StateOperational || n.Stats().JoinStrange != 3 {
		t.Errorf("strangers called away a ring: %v, refused %d", n.State(), n.Stats().JoinStrange)
	}
	for i := range 5 {
		j := totem.Join{Header: totem.Header{Node: 1}, From: 1, Proc: []totem.NodeID{1, 2, 3}, RingSeq: n.ring.Seq}
		for k := range totem.NodeID(200) {
			j.Proc = append(j.Proc, 1000*totem.NodeID(i)+k+10)
			j.Failed = append(j.Failed, 1000*totem.NodeID(i)+k+500)
		}
		receive(&j)
		if !sameSet(n.gather.proc, configured) || len(n.gather.failed) > 0 || slices.Contains(n.gather.consensus, 1) {
			t.Errorf("candidates %v, failed %v, agreed %v", n.gather.proc, n.gather.failed, n.gather.consensus)
		}
	}
	r.until(r.together)
	r.remove(3)
	r.until(func() bool { return len(n.Members()) == 2 })
}

// Tokens come from the member before, never from another.
func TestTokensFromElsewhere(t *testing.T) {
	r := formRing(t, 3, nil)
	n := r.nodes[2]
	ring, was := n.ring, n.Stats().TokenStrange
	for _, from := range []totem.NodeID{3, 2, 9, 0} {
		m := totem.Token{Header: totem.Header{Node: from}, Ring: ring, TokenSeq: n.token.lastTokenSeq + 5, Seq: n.regular.assigned}
		n.Receive(r.now, m.Append(nil), &n.out)
		r.perform(n)
	}
	if got := n.Stats().TokenStrange - was; got != 4 || n.ring != ring {
		t.Errorf("refused %d", got)
	}
	n.ForceGather(r.now, &n.out)
	r.perform(n)
	r.until(func() bool {
		return n.State() == StateGather && sameSet(n.gather.candidates(), []totem.NodeID{1, 2, 3})
	})
	c := totem.CommitToken{Header: totem.Header{Node: 3}, Ring: totem.RingID{Rep: 1, Seq: ring.Seq + 4}, Addrs: []totem.NodeID{1, 2, 3}, Index: 1}
	c.Entries = make([]totem.CommitEntry, 3)
	n.Receive(r.now, c.Append(nil), &n.out)
	r.perform(n)
	if n.State() != StateGather {
		t.Errorf("took a commit token from the member behind: %v", n.State())
	}
	r.until(r.together)
}
