package engine

import (
	"encoding/hex"
	"testing"

	"cpgol/wire/totem"
	"cpgol/wire/wiretest"

	"github.com/google/go-cmp/cmp"
)

// wire is what a new node 1 and a new node 2 say to each other, as the protocol
// reference has it.
var wire = struct{ join, commit, first, merge, cancel, leave, barrier string }{
	join: `
		70 c0 03 03 00  01 00 00 00  00 00 00 00   01 00 00 00
		01 00 00 00  00 00 00 00   01 00 00 00 00 00 00 00   01 00 00 00`,
	commit: `
		70 c0 03 04 00  01 00 00 00  02 00 00 00   01 00 00 00
		01 00 00 00 09 00 00 00 00 00 00 00   00 00 00 00  01 00 00 00  02 00 00 00
		01 00 00 00  02 00 00 00
		01 00 00 00 05 00 00 00 00 00 00 00  00 00 00 00  00 00 00 00  01 00 00 00
		00 00 00 00 00 00 00 00 00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00`,
	first: `
		70 c0 03 00 00  01 00 00 00  02 00 00 00   00 00 00 00  00 00 00 00  ff ff ff ff  01 00 00 00
		01 00 00 00 09 00 00 00 00 00 00 00   00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00`,
	merge: `
		70 c0 03 02 00  01 00 00 00  00 00 00 00   01 00 00 00   01 00 00 00 09 00 00 00 00 00 00 00`,
	cancel: `
		70 c0 03 05 00  02 00 00 00  00 00 00 00   01 00 00 00 09 00 00 00 00 00 00 00`,
	leave: `
		70 c0 03 03 00  00 00 00 00  00 00 00 00   02 00 00 00
		01 00 00 00  01 00 00 00   09 00 00 00 00 00 00 00   01 00 00 00   02 00 00 00`,
	barrier: `
		70 c0 03 01 02  02 00 00 00  00 00 00 00   02 00 00 00  01 00 00 00  00 00 00 00
		01 00 00 00 09 00 00 00 00 00 00 00   00 00 00 00  00 00 00 00
		00 00 00 00 00 00 01 00  28 00
		01 00 04 00 73 79 6e 63
		00 00 00 00 00 00 00 00  20 00 00 00 00 00 00 00   01 00 00 00 08 00 00 00 00 00 00 00  00 00 00 00`,
}

// Every kind of packet of a ring's life, byte for byte. (The two nodes were
// each in a ring of their own, 1.5 and 2.5, so the common one is 1.9.)
func TestBytes(t *testing.T) {
	r := newTestRing(t)
	r.rec = true
	r.add(testConfig(1))
	r.add(testConfig(2))
	r.until(r.together)
	r.run(1e9)
	n := r.nodes[2]
	r.send(2, string(wiretest.Unhex(t, wire.barrier)[totem.McastLen+10:]))
	r.until(func() bool { return r.allHave(1) })
	n.Leave(r.now, &n.out)
	r.perform(n)

	for name, want := range map[string]string{
		"join": wire.join, "commit token": wire.commit, "first token": wire.first, "merge detect": wire.merge,
		"hold cancel": wire.cancel, "leave": wire.leave, "mcast": wire.barrier,
	} {
		if !r.wasSent(wiretest.Unhex(t, want)) {
			t.Errorf("%s was never sent:\n%s", name, hex.Dump(wiretest.Unhex(t, want)))
			r.logLike(wiretest.Unhex(t, want))
		}
	}
}

func (r *testRing) wasSent(packet []byte) bool {
	for _, p := range r.sent {
		if string(p.packet) == string(packet) {
			return true
		}
	}
	return false
}

// logLike shows the packets of the same type and sender that were sent.
func (r *testRing) logLike(packet []byte) {
	shown := 0
	for _, p := range r.sent {
		if p.packet[3] == packet[3] && p.packet[5] == packet[5] && shown < 3 {
			r.t.Logf("sent instead (-want +got):\n%s", cmp.Diff(packet, p.packet))
			shown++
		}
	}
}

// An old message in recovery: a new header around the whole packet.
func TestRecoveryBytes(t *testing.T) {
	r := formRing(t, 3, nil)
	r.drop = func(to totem.NodeID, p []byte) bool {
		return p[3] == byte(totem.TypeMcast) && p[4] == totem.NotEncapsulated && to == 3
	}
	r.rec = true
	r.send(1, "only nodes 1 and 2 have it")
	r.until(func() bool { return len(r.nodes[2].messages()) == 1 })
	r.remove(1)
	r.until(r.together)
	var inner, outer []byte
	for _, p := range r.sent {
		if p.packet[3] == byte(totem.TypeMcast) {
			if p.packet[4] == totem.NotEncapsulated {
				inner = p.packet
			} else {
				outer = p.packet
			}
		}
	}
	if len(outer) == 0 {
		t.Fatal("nothing was recovered")
	}
	ring := r.nodes[2].Ring()
	m := totem.Mcast{
		Header: totem.Header{Node: 2, Encapsulated: totem.Encapsulated},
		From:   2, Seq: 1, Ring: ring, Payload: inner,
	}
	if diff := cmp.Diff(m.Append(nil), outer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.wantSameMessages()
}

// Nodes of the other byte order are understood; what we send is little-endian.
func TestBigEndianPeer(t *testing.T) {
	r := newTestRing(t)
	n := r.add(testConfig(2))
	r.until(func() bool { return n.settled })
	h := totem.Header{BigEndian: true, Node: 1}
	feed := func(m totem.Message) {
		n.Receive(r.now, m.Append(nil), &n.out)
		r.perform(n)
	}
	join := totem.Join{Header: h, From: 1, Proc: []totem.NodeID{1, 2}, RingSeq: 5}
	feed(&join)
	feed(&join)
	ring := totem.RingID{Rep: 1, Seq: 9}
	commit := totem.CommitToken{
		Header: h, Ring: ring, Index: 1, Addrs: []totem.NodeID{1, 2},
		Entries: []totem.CommitEntry{{Ring: totem.RingID{Rep: 1, Seq: 5}, Received: 1}, {}},
	}
	feed(&commit)
	if n.State() != StateCommit {
		t.Fatalf("state %v after the commit token", n.State())
	}
	commit.Index = 2
	commit.Entries[1] = totem.CommitEntry{Ring: totem.RingID{Rep: 2, Seq: 5}, Received: 1}
	feed(&commit)
	token := totem.Token{Header: h, ARU: 0xFFFFFFFF, ARUAddr: 1, Ring: ring}
	for range 10 {
		feed(&token)
		token.TokenSeq += 2
		token.ARU, token.ARUAddr = token.Seq, 0
	}
	if n.State() != StateOperational || n.Ring() != ring {
		t.Fatalf("state %v, ring %v", n.State(), n.Ring())
	}
	m := totem.Mcast{
		Header: h, From: 1, Seq: 1, Ring: ring,
		Payload: []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 'h', 'i'},
	}
	m.Encapsulated = totem.NotEncapsulated
	feed(&m)
	if diff := cmp.Diff([]string{"1:hi"}, n.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
