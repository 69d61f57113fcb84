package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

func TestRingForms(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 16} {
		r := formRing(t, n, nil)
		for _, id := range r.ids() {
			node := r.nodes[id]
			if node.Ring().Rep != 1 {
				t.Errorf("%d nodes: node %d: ring %v, want the lowest node to represent it", n, id, node.Ring())
			}
			if want := r.ids(); !slices.Equal(node.Members(), want) {
				t.Errorf("%d nodes: node %d: members %v, want %v", n, id, node.Members(), want)
			}
			if node.stored != node.Ring().Seq {
				t.Errorf("%d nodes: node %d: stored %d, ring %v", n, id, node.stored, node.Ring())
			}
		}
	}
}

// A fresh node alone: its private ring has sequence 1, its first real one 5. It
// comes from nowhere, so it joins its own ring.
func TestFirstConfiguration(t *testing.T) {
	r := formRing(t, 1, nil)
	want := []string{
		"transitional 1.5 members [] left [] joined []",
		"regular 1.5 members [1] left [] joined [1]",
	}
	if diff := cmp.Diff(want, r.nodes[1].got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Everybody's messages come to everybody, in one order, and senders hear
// themselves.
func TestTotalOrder(t *testing.T) {
	r := formRing(t, 3, nil)
	for i := range 200 {
		r.send(totem.NodeID(i%3+1), fmt.Sprintf("message %d", i))
		if i%7 == 0 {
			r.run(300 * time.Microsecond)
		}
	}
	r.until(func() bool { return r.allHave(200) })
	r.wantSameMessages()
}

func (r *testRing) allHave(n int) bool {
	for _, node := range r.nodes {
		if len(node.messages()) < n {
			return false
		}
	}
	return true
}

func (r *testRing) wantSameMessages() {
	r.t.Helper()
	ids := r.ids()
	want := r.nodes[ids[0]].messages()
	for _, id := range ids[1:] {
		if diff := cmp.Diff(want, r.nodes[id].messages()); diff != "" {
			r.t.Errorf("node %d against node %d:\n%s", id, ids[0], diff)
		}
	}
}

// A killed node is missed after the token's time and given up after the
// consensus time; the others go on without it.
func TestKill(t *testing.T) {
	for _, victim := range []totem.NodeID{1, 2, 3} {
		r := formRing(t, 3, nil)
		r.send(2, "before")
		r.until(func() bool { return r.allHave(1) })
		begin := r.now
		r.remove(victim)
		r.until(r.together)
		took := r.now - begin
		if took < 6*time.Second || took > 8*time.Second {
			t.Errorf("victim %d: new ring after %v, want about token + consensus", victim, took)
		}
		for _, id := range r.ids() {
			n := r.nodes[id]
			if got, want := n.got[len(n.got)-2:], []string{
				fmt.Sprintf("transitional %v members %v left [%d] joined []", n.Ring(), r.ids(), victim),
				fmt.Sprintf("regular %v members %v left [] joined []", n.Ring(), r.ids()),
			}; !slices.Equal(got, want) {
				t.Errorf("victim %d: node %d got\n%s", victim, id, cmp.Diff(want, got))
			}
			if !n.has(fmt.Sprintf("no leave message received from [%d]", victim)) {
				t.Errorf("victim %d: node %d did not report a silent leave", victim, id)
			}
		}
		r.send(r.ids()[0], "after")
		r.until(func() bool { return r.allHave(2) })
		r.wantSameMessages()
	}
}

func (n *testNode) has(event string) bool {
	return slices.ContainsFunc(n.events, func(s string) bool { return strings.Contains(s, event) })
}

// A node that says goodbye is not waited for.
func TestLeave(t *testing.T) {
	for _, leaver := range []totem.NodeID{1, 2, 3} {
		r := formRing(t, 3, nil)
		r.run(5 * time.Second)
		begin := r.now
		n := r.nodes[leaver]
		n.Leave(r.now, &n.out)
		r.perform(n)
		if n.State() != StateIdle || n.Deadline() != Never {
			t.Errorf("leaver %d: state %v, deadline %v", leaver, n.State(), n.Deadline())
		}
		r.remove(leaver)
		r.until(r.together)
		if took := r.now - begin; took > 100*time.Millisecond {
			t.Errorf("leaver %d: new ring after %v", leaver, took)
		}
		for id, n := range r.nodes {
			if n.has("no leave message") || !n.has(fmt.Sprintf("node %d leaves", leaver)) {
				t.Errorf("leaver %d: node %d: %v", leaver, id, tail(n.events, 9))
			}
		}
	}
}

// A node that is restarted comes back as one who left and joined.
func TestRestart(t *testing.T) {
	r := formRing(t, 3, nil)
	old := r.nodes[2].Ring()
	r.add(testConfig(2)) // in place of its former self, with the sequence that it stored
	if got := r.nodes[2].Ring(); got != (totem.RingID{Rep: 2, Seq: old.Seq + 1}) {
		t.Errorf("private ring %v after %v", got, old)
	}
	r.until(r.together)
	n := r.nodes[1]
	if want := []string{
		fmt.Sprintf("transitional %v members [1 3] left [2] joined []", n.Ring()),
		fmt.Sprintf("regular %v members [1 2 3] left [] joined [2]", n.Ring()),
	}; !slices.Equal(tail(n.got, 2), want) {
		t.Errorf("node 1 got\n%s", cmp.Diff(want, tail(n.got, 2)))
	}
}

// Two rings that see each other again become one, idle or busy.
func TestPartitionAndMerge(t *testing.T) {
	for _, busy := range []bool{false, true} {
		r := formRing(t, 5, nil)
		side := func(n totem.NodeID) bool { return n <= 2 }
		r.cut = func(a, b totem.NodeID) bool { return side(a) != side(b) }
		r.until(func() bool {
			return len(r.nodes[1].Members()) == 2 && len(r.nodes[3].Members()) == 3 &&
				r.nodes[1].State() == StateOperational && r.nodes[3].State() == StateOperational
		})
		r.send(1, "left side")
		r.send(5, "right side")
		r.run(time.Second)
		r.cut = nil
		if busy {
			r.send(1, "left side again")
			r.send(5, "right side again")
		}
		r.until(r.together)
		for id, n := range r.nodes {
			last := n.got[len(n.got)-1]
			joined := "[3 4 5]"
			if !side(id) {
				joined = "[1 2]"
			}
			for _, s := range slices.Backward(n.got) {
				if strings.HasPrefix(s, "regular") {
					last = s
					break
				}
			}
			if !strings.HasSuffix(last, "members [1 2 3 4 5] left [] joined "+joined) {
				t.Errorf("busy %v: node %d: %s", busy, id, last)
			}
		}
		r.send(4, "together")
		r.run(time.Second)
		for id, n := range r.nodes {
			if m := n.messages(); !slices.Contains(m, "4:together") {
				t.Errorf("busy %v: node %d: %v", busy, id, tail(m, 3))
			}
		}
	}
}

// A lost token is sent again by who sent it last, without a new membership.
func TestTokenLost(t *testing.T) {
	r := formRing(t, 3, nil)
	ring := r.nodes[1].Ring()
	for lost := range 20 {
		left := 1
		r.drop = func(_ totem.NodeID, p []byte) bool {
			if p[3] == byte(totem.TypeToken) && left > 0 {
				left--
				return true
			}
			return false
		}
		r.send(totem.NodeID(lost%3+1), fmt.Sprint(lost))
		r.run(2 * time.Second)
	}
	if !r.allHave(20) {
		t.Error("messages are missing")
	}
	r.wantSameMessages()
	if got := r.nodes[1].Ring(); got != ring {
		t.Errorf("ring %v became %v", ring, got)
	}
}

// The token that is lost for good is reported, after a warning.
func TestTokenTimeout(t *testing.T) {
	r := formRing(t, 2, nil)
	r.run(2 * time.Second)
	r.drop = func(_ totem.NodeID, p []byte) bool { return p[3] == byte(totem.TypeToken) }
	r.run(4 * time.Second)
	n := r.nodes[1]
	for _, want := range []string{"token has not been received in 2.2", "token was lost in the operational state", "entering gather state from 2"} {
		if !n.has(want) {
			t.Errorf("no event %q in %v", want, tail(n.events, 9))
		}
	}
	if s := n.Stats(); s.OperationalTokenLost != 1 {
		t.Errorf("counted %d", s.OperationalTokenLost)
	}
}

// The timers of the reference's heartbeat option declare the loss earlier.
func TestHeartbeat(t *testing.T) {
	for _, failures := range []int{0, 2, 5} { // five heartbeats are longer than the token
		r := formRing(t, 2, func(c *Config) { c.HeartbeatFailures = failures })
		r.send(1, "x")
		r.run(time.Millisecond)
		begin := r.now
		r.remove(2)
		r.until(func() bool { return r.nodes[1].State() == StateGather })
		took := r.now - begin
		want := 3 * time.Second
		if failures == 2 {
			want = 2*714*time.Millisecond + 50*time.Millisecond
		}
		if took < want-time.Second/10 || took > want {
			t.Errorf("%d failures: lost after %v, want %v", failures, took, want)
		}
	}
}

// Joins that waited while a node was not run are stale and dropped.
func TestPause(t *testing.T) {
	r := formRing(t, 2, nil)
	n := r.nodes[1]
	r.run(5 * time.Millisecond)
	j := totem.Join{Header: totem.Header{Node: 9}, From: 9, Proc: []totem.NodeID{9}, RingSeq: 99}
	r.now += 1600 * time.Millisecond // more than half of the token's time without a Tick
	n.Receive(r.now, j.Append(nil), &n.out)
	if n.State() != StateOperational || n.Stats().Pauses != 1 {
		t.Errorf("state %v, pauses %d", n.State(), n.Stats().Pauses)
	}
	n.Receive(r.now, j.Append(nil), &n.out)
	if n.State() != StateGather {
		t.Errorf("the next join: state %v", n.State())
	}
}

// A node that cannot receive ends alone, and the others without it.
func TestFailedToReceive(t *testing.T) {
	r := formRing(t, 3, func(c *Config) { c.FailToReceive = 50 })
	deaf := true
	r.drop = func(to totem.NodeID, p []byte) bool {
		return deaf && to == 2 && p[3] == byte(totem.TypeMcast)
	}
	r.send(1, "not for node 2")
	r.until(func() bool {
		return r.nodes[2].has("failed to receive") && len(r.nodes[1].Members()) == 2 && r.nodes[1].State() == StateOperational
	})
	r.until(func() bool { return r.nodes[2].State() == StateOperational })
	if got := r.nodes[2].Members(); !slices.Equal(got, []totem.NodeID{2}) {
		t.Errorf("node 2 ended in %v", got)
	}
	deaf = false
	r.until(r.together)
}

// A random delay before each join changes nothing but its time.
func TestSendJoin(t *testing.T) {
	r := formRing(t, 3, func(c *Config) {
		c.SendJoin = 20 * time.Millisecond
		c.Rand = newRand(7)
	})
	if r.now < time.Millisecond {
		t.Errorf("formed after %v", r.now)
	}
}

// With the token forced lost the ring forms again.
func TestForceGather(t *testing.T) {
	r := formRing(t, 3, nil)
	ring := r.nodes[1].Ring()
	n := r.nodes[2]
	n.ForceGather(r.now, &n.out)
	r.perform(n)
	r.until(func() bool { return r.together() && r.nodes[1].Ring() != ring })
	if got := r.nodes[1].Ring().Seq; got != ring.Seq+ringSeqStep {
		t.Errorf("ring sequence %d after %d", got, ring.Seq)
	}
}

func TestReconfigure(t *testing.T) {
	r := formRing(t, 2, nil)
	cfg := testConfig(9)
	cfg.NetMTU = 65536
	cfg.Token = 500 * time.Millisecond
	n := r.nodes[1]
	n.Reconfigure(cfg)
	if n.cfg.Node != 1 {
		t.Errorf("node became %d", n.cfg.Node)
	}
	r.send(1, strings.Repeat("x", 30000))
	r.until(func() bool { return r.allHave(1) })
	r.wantSameMessages()
	begin := r.now
	r.remove(2)
	r.until(func() bool { return n.State() == StateGather })
	if took := r.now - begin; took > 500*time.Millisecond {
		t.Errorf("token lost after %v", took)
	}
}
