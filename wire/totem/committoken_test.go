package totem

import (
	"encoding/binary"
	"testing"

	"cpgol/wire/wiretest"
)

// The first hop of a commit token from 1 to 2: new ring 1.8, node 1 comes from
// its own 1.1.
const firstHop = `
	70 c0 03 04 00  01 00 00 00  02 00 00 00   01 00 00 00
	01 00 00 00 08 00 00 00 00 00 00 00   00 00 00 00  01 00 00 00  02 00 00 00
	01 00 00 00  02 00 00 00
	01 00 00 00 01 00 00 00 00 00 00 00  00 00 00 00  00 00 00 00  01 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00`

func TestCommitTokenFirstHop(t *testing.T) {
	checkCodec(t, firstHop, &CommitToken{
		Header:   Header{Type: TypeCommitToken, Node: 1, Target: 2},
		TokenSeq: 1,
		Ring:     RingID{Rep: 1, Seq: 8},
		Index:    1,
		Addrs:    []NodeID{1, 2},
		Entries:  []CommitEntry{{Ring: RingID{Rep: 1, Seq: 1}, Received: 1}, {}},
	})
}

func TestCommitTokenBigEndian(t *testing.T) {
	checkCodec(t, `
		c0 70 03 04 00  00 00 00 07  00 00 00 07   00 00 00 02
		00 00 00 07 00 00 00 00 00 00 01 08   00 00 00 00  00 00 00 01  00 00 00 01
		00 00 00 07
		00 00 00 05 00 00 00 00 00 00 01 04  00 00 00 10  00 00 00 0f  00 00 00 00`, &CommitToken{
		Header:   Header{BigEndian: true, Type: TypeCommitToken, Node: 7, Target: 7},
		TokenSeq: 2,
		Ring:     RingID{Rep: 7, Seq: 0x108},
		Index:    1,
		Addrs:    []NodeID{7},
		Entries:  []CommitEntry{{Ring: RingID{Rep: 5, Seq: 0x104}, ARU: 16, HighDelivered: 15}},
	})
}

// The reference lets a short commit token pass before main, bounds the
// membership by nothing and writes its entry at the index it is told.
func TestCommitTokenHostileCounts(t *testing.T) {
	hostile := func(index, n int32, room int) []byte {
		b := append(wiretest.Unhex(t, firstHop)[:commitTokenLen], make([]byte, room)...)
		binary.LittleEndian.PutUint32(b[33:], uint32(index))
		binary.LittleEndian.PutUint32(b[37:], uint32(n))
		return b
	}
	tests := []struct {
		name   string
		packet []byte
		want   Cause
	}{
		{"385 members, all present", hostile(0, 385, 28*385), CauseCount},
		{"2000 members, all present", hostile(0, 2000, 28*2000), CauseCount},
		{"0x7fffffff members", hostile(0, 0x7fffffff, 0), CauseCount},
		{"members that wrap to zero bytes", hostile(0, 0x40000000, 0), CauseCount},
		{"-1 members", hostile(0, -1, 0), CauseCount},
		{"3 members, 2 present", hostile(0, 3, 28*2), CauseShort},
		{"index -1", hostile(-1, 2, 28*2), CauseCount},
		{"index behind the members", hostile(3, 2, 28*2), CauseCount},
		{"index 0x7fffffff", hostile(0x7fffffff, 2, 28*2), CauseCount},
	}
	for _, tt := range tests {
		checkRefused(t, tt.name, &CommitToken{}, tt.packet, tt.want)
	}
	if n, err := new(CommitToken).Decode(hostile(384, 384, 28*384)); n != 41+28*384 || err != nil {
		t.Errorf("384 members: took %d, %v", n, err)
	}
}
