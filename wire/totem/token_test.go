package totem

import (
	"encoding/binary"
	"testing"

	"cpgol/wire/wiretest"
)

// The representative's first token on ring 1.8, nothing to recover.
const initialToken = `
	70 c0 03 00 00  01 00 00 00  02 00 00 00
	00 00 00 00  00 00 00 00  ff ff ff ff  01 00 00 00
	01 00 00 00 08 00 00 00 00 00 00 00
	00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00`

func TestTokenInitial(t *testing.T) {
	checkCodec(t, initialToken, &Token{
		Header:  Header{Type: TypeToken, Node: 1, Target: 2},
		ARU:     0xFFFFFFFF,
		ARUAddr: 1,
		Ring:    RingID{Rep: 1, Seq: 8},
	})
}

func TestToken(t *testing.T) {
	want := &Token{
		Header: Header{Type: TypeToken, Node: 3, Target: 1},
		Seq:    0x0A0B0C0D, TokenSeq: 0x11, ARU: 0x0A0B0C00, ARUAddr: 2,
		Ring:    RingID{Rep: 1, Seq: 0x0102030405060708},
		Backlog: 5, FCC: 6, RetransFlag: 1,
		Retransmits: []Retransmit{
			{Ring: RingID{Rep: 1, Seq: 8}, Seq: 0x0A0B0C01},
			{Ring: RingID{Rep: 2, Seq: 12}, Seq: 7},
		},
	}
	checkCodec(t, `
		70 c0 03 00 00  03 00 00 00  01 00 00 00
		0d 0c 0b 0a  11 00 00 00  00 0c 0b 0a  02 00 00 00
		01 00 00 00 08 07 06 05 04 03 02 01
		05 00 00 00  06 00 00 00  01 00 00 00  02 00 00 00
		01 00 00 00 08 00 00 00 00 00 00 00  01 0c 0b 0a
		02 00 00 00 0c 00 00 00 00 00 00 00  07 00 00 00`, want)
	want.BigEndian = true
	checkCodec(t, `
		c0 70 03 00 00  00 00 00 03  00 00 00 01
		0a 0b 0c 0d  00 00 00 11  0a 0b 0c 00  00 00 00 02
		00 00 00 01 01 02 03 04 05 06 07 08
		00 00 00 05  00 00 00 06  00 00 00 01  00 00 00 02
		00 00 00 01 00 00 00 00 00 00 00 08  0a 0b 0c 01
		00 00 00 02 00 00 00 00 00 00 00 0c  00 00 00 07`, want)
}

// CVE-2025-30472: the reference before 3.1.10 copies as many retransmit
// entries as the token claims; all versions let small negative counts pass.
func TestTokenHostileCounts(t *testing.T) {
	full := func(entries int) []byte {
		return append(wiretest.Unhex(t, initialToken), make([]byte, entries*retransmitLen)...)
	}
	withCount := func(b []byte, n int32) []byte {
		binary.LittleEndian.PutUint32(b[tokenCountAt:], uint32(n))
		return b
	}
	tests := []struct {
		name   string
		packet []byte
		want   Cause
	}{
		{"31 entries, all present", withCount(full(31), 31), CauseCount},
		{"90 entries in 1497 bytes", withCount(full(90), 90), CauseCount},
		{"4000 entries in 64 kB", withCount(full(4000), 4000), CauseLong},
		{"0x7fffffff entries, none present", withCount(full(0), 0x7fffffff), CauseCount},
		{"0x10000000 entries: 16 times it is zero", withCount(full(0), 0x10000000), CauseCount},
		{"-1 entries", withCount(full(0), -1), CauseCount},
		{"-3 entries", withCount(full(0), -3), CauseCount},
		{"-2147483648 entries", withCount(full(0), -2147483648), CauseCount},
		{"30 entries, 29 present", withCount(full(29), 30), CauseShort},
		{"1501 bytes", append(full(0), make([]byte, MaxToken+1-tokenLen)...), CauseLong},
	}
	for _, tt := range tests {
		checkRefused(t, tt.name, &Token{}, tt.packet, tt.want)
	}
	var tok Token
	if n, err := tok.Decode(withCount(full(30), 30)); n != 57+30*16 || err != nil {
		t.Errorf("30 entries: took %d, %v", n, err)
	}
}

func TestTokenDoesNotAllocate(t *testing.T) {
	tok := Token{Retransmits: make([]Retransmit, MaxRetransmits)}
	b := tok.Append(nil)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := tok.Decode(b); err != nil {
			t.Fatal(err)
		}
		b = tok.Append(b[:0])
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkToken(b *testing.B) {
	tok := Token{Header: Header{Node: 1}}
	buf := tok.Append(nil)
	for b.Loop() {
		tok.Decode(buf)
		buf = tok.Append(buf[:0])
	}
}
