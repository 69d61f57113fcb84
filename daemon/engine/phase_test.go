package engine

import (
	"testing"
	"time"

	"cpgol/wire/totem"
)

// The last messages of an old ring can end its synchronisation while the effects
// that install the next ring are performed. That must not end the next one's.
func TestOldSynchronisationDoesNotEndTheNew(t *testing.T) {
	r := formRing(t, 2, nil)
	n := r.nodes[1]
	n.noSync = true
	r.remove(2)
	r.until(func() bool { return n.State() == StateRecovery })
	for n.State() == StateRecovery {
		p := r.queue[0]
		r.queue = r.queue[1:]
		r.now = p.at
		n.Receive(r.now, p.packet, &n.out)
		if n.State() == StateOperational {
			n.SyncDone(r.now, &n.out) // as from a Deliver effect in front of the transitional configuration
			if !n.syncing {
				t.Fatal("the new ring's synchronisation was ended")
			}
		}
		r.perform(n)
	}
	n.Tick(r.now, &n.out)
	n.SyncDone(r.now, &n.out)
	if n.syncing {
		t.Error("the synchronisation cannot be ended at all")
	}
}

// A join that tells nothing that is believed is not answered: two nodes that
// take each other's friends for failed would not stop talking.
func TestJoinsDoNotMultiply(t *testing.T) {
	r := newTestRing(t)
	n := r.add(testConfig(2))
	r.until(func() bool { return n.settled })
	j := totem.Join{Header: totem.Header{Node: 3}, From: 3, Proc: []totem.NodeID{2, 3, 4}, Failed: []totem.NodeID{4}, RingSeq: 5}
	n.Receive(r.now, j.Append(nil), &n.out)
	r.perform(n)
	joins, deadline := n.Stats().MembJoinTx, n.timers[timerConsensus]
	for range 100 {
		r.now += time.Millisecond / 10
		n.Receive(r.now, j.Append(nil), &n.out)
		r.perform(n)
	}
	if got := n.Stats().MembJoinTx - joins; got != 0 {
		t.Errorf("answered with %d joins", got)
	}
	if n.timers[timerConsensus] != deadline {
		t.Error("the consensus timer was started anew")
	}
}

// The token's time may be shorter than the delay of joins: they are sent all the
// same.
func TestSendJoinIsNotPutOff(t *testing.T) {
	cfg := testConfig(1)
	cfg.SendJoin = time.Second
	cfg.Rand = newRand(1)
	r := newTestRing(t)
	n := r.add(cfg)
	r.run(1100 * time.Millisecond)
	if n.Stats().MembJoinTx == 0 {
		t.Error("no join was sent within the longest delay")
	}
}

// An operational member whose peer was installed first keeps what the peer says
// meanwhile, and delivers it once it is installed itself.
func TestEarlyMember(t *testing.T) {
	r := formRing(t, 2, nil)
	n := r.nodes[2]
	n.ForceGather(r.now, &n.out)
	r.perform(n)
	r.until(func() bool { return n.State() == StateRecovery })
	r.run(200 * time.Microsecond)
	if n.State() != StateRecovery {
		t.Fatalf("state %v", n.State())
	}
	early := totem.Mcast{
		Header: totem.Header{Node: 1, Encapsulated: totem.NotEncapsulated}, From: 1,
		Seq: n.recovery.queue.aru + 1, Ring: n.ring,
		Payload: []byte{0, 0, 0, 0, 0, 0, 1, 0, 5, 0, 'e', 'a', 'r', 'l', 'y'},
	}
	n.Receive(r.now, early.Append(nil), &n.out)
	r.perform(n)
	// Node 1 goes on as if it had sent it.
	m := r.nodes[1]
	m.Receive(r.now, early.Append(nil), &m.out)
	r.perform(m)
	bump(m, early.Seq)
	bump(n, early.Seq)
	r.until(r.together)
	r.run(10 * time.Millisecond)
	for id, node := range r.nodes {
		if got := node.messages(); len(got) != 1 || got[0] != "1:early" {
			t.Errorf("node %d: %v\n%v", id, got, tail(node.got, 4))
		}
	}
}

// bump makes a node's next token say that a message more was sent.
func bump(n *testNode, seq totem.Seq) {
	var t totem.Token
	if _, err := t.Decode(n.token.kept); err == nil && t.Seq.Before(seq) {
		t.Seq = seq
		n.token.kept = t.Append(nil)
	}
}

// Strangers are heard once all members have installed a ring, not before.
func TestStrangersWait(t *testing.T) {
	r := newTestRing(t)
	n := r.add(testConfig(2))
	r.until(func() bool { return n.State() == StateOperational })
	j := totem.Join{Header: totem.Header{Node: 3}, From: 3, Proc: []totem.NodeID{2, 3}, RingSeq: 77}
	m := totem.MergeDetect{Header: totem.Header{Node: 3}, From: 3, Ring: totem.RingID{Rep: 3, Seq: 77}}
	for _, p := range [][]byte{j.Append(nil), m.Append(nil)} {
		n.Receive(r.now, p, &n.out)
		if n.State() != StateOperational || n.ringSeq != 77 {
			t.Errorf("state %v, ring sequence %d", n.State(), n.ringSeq)
		}
	}
	r.perform(n)
	r.until(func() bool { return n.settled })
	n.Receive(r.now, m.Append(nil), &n.out)
	if n.State() != StateGather {
		t.Errorf("settled: state %v", n.State())
	}
}

// A node that a member calls away from recovery believes that member's failed
// nodes, not its own old ones, if the member has installed the ring.
func TestCatchUp(t *testing.T) {
	for _, installed := range []bool{true, false} {
		r := formRing(t, 3, nil)
		r.remove(3)
		n := r.nodes[2]
		r.until(func() bool { return n.State() == StateRecovery })
		j := totem.Join{Header: totem.Header{Node: 1}, From: 1, Proc: []totem.NodeID{1, 2, 9}, RingSeq: n.ring.Seq}
		want := 0
		if !installed {
			j.Proc, j.Failed = []totem.NodeID{1, 2, 3, 9}, []totem.NodeID{3}
			want = 1
		}
		n.Receive(r.now, j.Append(nil), &n.out)
		if n.State() != StateGather || len(n.gather.failed) != want {
			t.Errorf("installed %v: state %v, failed %v", installed, n.State(), n.gather.failed)
		}
	}
}
