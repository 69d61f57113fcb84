package engine

import (
	"slices"
	"testing"
	"time"

	"cpgol/wire/totem"
)

// FuzzReceive feeds an engine packets that are built from the input so that
// they matter: of its own ring or a near one, with sequence numbers around its
// own, from and about a few nodes. Every fourth one is raw. Nothing may panic,
// and memory and membership must stay sane.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 1, 1, 3, 7, 0, 3, 1, 1, 3, 7, 0, 4, 1, 2, 1, 3, 1, 4, 1, 2, 2, 3, 1})
	f.Add([]byte{0, 1, 0, 1, 1, 1, 1, 2, 0, 1, 1, 1, 6, 9, 9, 9, 5, 2, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newTestRing(t)
		n := r.add(testConfig(2))
		for range 40 {
			r.step()
		}
		b := fuzzBytes{in}
		for steps := 0; len(b.in) > 0 && steps < 500; steps++ {
			switch op := b.next() % 8; op {
			case 6:
				r.now += time.Duration(b.next()) * 20 * time.Millisecond
				n.Tick(r.now, &n.out)
			case 7:
				k := min(int(b.next()), len(b.in))
				n.Receive(r.now, b.in[:k], &n.out)
				b.in = b.in[k:]
			default:
				n.Receive(r.now, b.message(totem.Type(op), n).Append(nil), &n.out)
			}
			b.perform(t, r, n)
			checkSane(t, n)
		}
	})
}

type fuzzBytes struct{ in []byte }

func (b *fuzzBytes) next() byte {
	if len(b.in) == 0 {
		return 0
	}
	v := b.in[0]
	b.in = b.in[1:]
	return v
}

func (b *fuzzBytes) node() totem.NodeID { return totem.NodeID(b.next() % 5) }

func (b *fuzzBytes) nodes() []totem.NodeID {
	mask := b.next()
	var list []totem.NodeID
	for i := range totem.NodeID(8) {
		if mask>>i&1 == 1 {
			list = append(list, i)
		}
	}
	return list
}

func (b *fuzzBytes) ring(n *testNode) totem.RingID {
	v := b.next()
	r := [...]totem.RingID{n.ring, n.installed, {Rep: 1, Seq: n.ring.Seq + 4}, {Rep: 2, Seq: n.ring.Seq + 4}}[v%4]
	r.Seq += uint64(v >> 4 & 3)
	return r
}

func (b *fuzzBytes) seq(n *testNode) totem.Seq {
	v := totem.Seq(b.next())
	switch v % 4 {
	case 0:
		return n.regular.aru + v/4 - 5
	case 1:
		return n.recovery.queue.aru + v/4 - 5
	case 2:
		return v << 24
	}
	return v
}

func (b *fuzzBytes) message(typ totem.Type, n *testNode) totem.Message {
	v := b.next()
	h := totem.Header{BigEndian: v&0x80 != 0, Encapsulated: v >> 4 & 3, Node: totem.NodeID(v % 5)}
	switch typ {
	case totem.TypeToken:
		t := totem.Token{Header: h, Ring: b.ring(n), Seq: b.seq(n), ARU: b.seq(n), ARUAddr: b.node()}
		t.TokenSeq = n.token.lastTokenSeq + totem.Seq(b.next()%3)
		t.FCC, t.Backlog, t.RetransFlag = uint32(b.next()), uint32(b.next()), uint32(b.next()%2)
		for range b.next() % 31 {
			t.Retransmits = append(t.Retransmits, totem.Retransmit{Ring: b.ring(n), Seq: b.seq(n)})
		}
		return &t
	case totem.TypeMcast:
		m := totem.Mcast{Header: h, From: b.node(), Seq: b.seq(n), Ring: b.ring(n)}
		m.Payload = make([]byte, b.next())
		if h.Encapsulated == totem.Encapsulated {
			inner := totem.Mcast{Header: totem.Header{Node: h.Node, Encapsulated: 2}, From: b.node(), Seq: b.seq(n), Ring: b.ring(n)}
			m.Payload = inner.Append(nil)
		}
		return &m
	case totem.TypeMergeDetect:
		return &totem.MergeDetect{Header: h, From: b.node(), Ring: b.ring(n)}
	case totem.TypeJoin:
		return &totem.Join{Header: h, From: b.node(), Proc: b.nodes(), Failed: b.nodes(), RingSeq: b.ring(n).Seq}
	case totem.TypeCommitToken:
		c := totem.CommitToken{Header: h, Ring: b.ring(n), Addrs: b.nodes()}
		c.Index = int(b.next()) % (len(c.Addrs) + 1)
		for range c.Addrs {
			c.Entries = append(c.Entries, totem.CommitEntry{Ring: b.ring(n), ARU: b.seq(n), HighDelivered: b.seq(n), Received: uint32(b.next() % 2)})
		}
		return &c
	}
	return &totem.HoldCancel{Header: h, Ring: b.ring(n)}
}

// perform carries out effects; about half of the looped packets come back.
func (b *fuzzBytes) perform(t *testing.T, r *testRing, n *testNode) {
	for range 4 {
		var looped [][]byte
		for _, e := range n.out.Effects {
			switch e.Kind {
			case Loopback:
				looped = append(looped, e.Packet)
			case Configure:
				if e.Conf.Kind == Regular && !slices.Contains(e.Conf.Members, 2) {
					t.Fatalf("not a member of %v", e.Conf.Members)
				}
			case Multicast, Unicast:
				if _, err := totem.ParseHeader(e.Packet); err != nil {
					t.Fatalf("sends %x: %v", e.Packet, err)
				}
			}
		}
		n.out.Effects = n.out.Effects[:0]
		for _, p := range looped {
			if b.next()%2 == 0 {
				n.Receive(r.now, p, &n.out)
			}
		}
	}
	n.out.Effects = n.out.Effects[:0]
	if n.Room(10) && b.next()%4 == 0 {
		if err := n.Send(r.now, &n.out, []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
}

func checkSane(t *testing.T, n *testNode) {
	if n.state == StateIdle || len(n.gather.proc) > totem.MaxNodes || len(n.loops.waiting) > maxLoops {
		t.Fatalf("state %v, %d candidates, %d looped", n.state, len(n.gather.proc), len(n.loops.waiting))
	}
	for _, q := range []*sortQueue{n.regular, n.recovery.queue} {
		if q.high.Before(q.aru) || q.aru-q.head+1 > window {
			t.Fatalf("queue: head %#x, aru %#x, high %#x", q.head, q.aru, q.high)
		}
	}
	if n.Deadline() == Never {
		t.Fatal("waits for nothing")
	}
}
