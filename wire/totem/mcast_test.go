package totem

import (
	"testing"

	"cpgol/wire/wiretest"
)

// Sequence number 1 from node 1: one synchronisation barrier.
const barrierMcast = `
	70 c0 03 01 02  01 00 00 00  00 00 00 00
	01 00 00 00  01 00 00 00  00 00 00 00
	01 00 00 00 08 00 00 00 00 00 00 00  00 00 00 00  00 00 00 00
	00 00 00 00 00 00 01 00  28 00
	01 00 04 00 73 79 6e 63
	00 00 00 00 00 00 00 00  20 00 00 00 00 00 00 00
	01 00 00 00 08 00 00 00 00 00 00 00  00 00 00 00`

func TestMcastBarrier(t *testing.T) {
	checkCodec(t, barrierMcast, &Mcast{
		Header:  Header{Type: TypeMcast, Encapsulated: NotEncapsulated, Node: 1},
		From:    1,
		Seq:     1,
		Ring:    RingID{Rep: 1, Seq: 8},
		Payload: wiretest.Unhex(t, barrierMcast)[McastLen:],
	})
}

func TestMcast(t *testing.T) {
	want := &Mcast{
		Header: Header{Type: TypeMcast, Encapsulated: Encapsulated, Node: 0x01020304, Target: 9},
		From:   2, Seq: 3, SenderSeq: 4, Ring: RingID{Rep: 5, Seq: 6}, NodeField: 7, Guarantee: 1,
		Payload: []byte("payload"),
	}
	checkCodec(t, `
		70 c0 03 01 01  04 03 02 01  09 00 00 00
		02 00 00 00  03 00 00 00  04 00 00 00
		05 00 00 00 06 00 00 00 00 00 00 00  07 00 00 00  01 00 00 00
		70 61 79 6c 6f 61 64`, want)
	want.BigEndian = true
	checkCodec(t, `
		c0 70 03 01 01  01 02 03 04  00 00 00 09
		00 00 00 02  00 00 00 03  00 00 00 04
		00 00 00 05 00 00 00 00 00 00 00 06  00 00 00 07  00 00 00 01
		70 61 79 6c 6f 61 64`, want)
}

// The reference asserts on a multicast longer than its frame buffer.
func TestMcastLength(t *testing.T) {
	m := Mcast{Payload: make([]byte, MaxFrame-McastLen)}
	if n, err := new(Mcast).Decode(m.Append(nil)); n != MaxFrame || err != nil {
		t.Errorf("longest: took %d, %v", n, err)
	}
	m.Payload = make([]byte, MaxFrame-McastLen+1)
	checkRefused(t, "one byte longer", &Mcast{}, m.Append(nil), CauseLong)
}

func TestMcastDoesNotAllocate(t *testing.T) {
	m := Mcast{Payload: make([]byte, 1000)}
	b := m.Append(nil)
	out := make([]byte, 0, len(b))
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := m.Decode(b); err != nil {
			t.Fatal(err)
		}
		out = m.Append(out[:0])
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkMcast(b *testing.B) {
	m := Mcast{Payload: make([]byte, 64)}
	in := m.Append(nil)
	out := m.Append(nil)
	for b.Loop() {
		m.Decode(in)
		out = m.Append(out[:0])
	}
}
