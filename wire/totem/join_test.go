package totem

import (
	"encoding/binary"
	"testing"

	"cpgol/wire/wiretest"
)

// The first join of a fresh node 1.
const firstJoin = `
	70 c0 03 03 00  01 00 00 00  00 00 00 00   01 00 00 00
	01 00 00 00  00 00 00 00   01 00 00 00 00 00 00 00   01 00 00 00`

func TestJoinFirst(t *testing.T) {
	checkCodec(t, firstJoin, &Join{
		Header: Header{Type: TypeJoin, Node: 1},
		From:   1, Proc: []NodeID{1}, RingSeq: 1,
	})
}

// Node 2 leaves ring 1.8; node 1 stays.
func TestJoinLeave(t *testing.T) {
	leave := &Join{
		Header: Header{Type: TypeJoin},
		From:   2, Proc: []NodeID{1}, Failed: []NodeID{2}, RingSeq: 8,
	}
	checkCodec(t, `
		70 c0 03 03 00  00 00 00 00  00 00 00 00   02 00 00 00
		01 00 00 00  01 00 00 00   08 00 00 00 00 00 00 00   01 00 00 00   02 00 00 00`, leave)
	if !leave.IsLeave() {
		t.Error("not a leave")
	}
}

func TestJoinBigEndian(t *testing.T) {
	checkCodec(t, `
		c0 70 03 03 00  00 00 00 03  00 00 00 00   00 00 00 03
		00 00 00 02  00 00 00 01   00 00 00 00 00 00 00 09
		00 00 00 03  01 02 03 04   00 00 00 07`, &Join{
		Header: Header{BigEndian: true, Type: TypeJoin, Node: 3},
		From:   3, Proc: []NodeID{3, 0x01020304}, Failed: []NodeID{7}, RingSeq: 9,
	})
}

// The reference before 3.1.10 copies lists of any length into arrays of 384,
// and the sum of the two counts times four wraps.
func TestJoinHostileCounts(t *testing.T) {
	hostile := func(proc, failed uint32, room int) []byte {
		b := append(wiretest.Unhex(t, firstJoin)[:joinLen], make([]byte, room)...)
		binary.LittleEndian.PutUint32(b[17:], proc)
		binary.LittleEndian.PutUint32(b[21:], failed)
		return b
	}
	tests := []struct {
		name   string
		packet []byte
		want   Cause
	}{
		{"385 candidates, all present", hostile(385, 0, 4*385), CauseCount},
		{"385 failed, all present", hostile(0, 385, 4*385), CauseCount},
		{"15000 candidates, all present", hostile(15000, 0, 60000), CauseCount},
		{"counts that wrap to zero", hostile(0x80000000, 0x80000000, 0), CauseCount},
		{"counts that wrap to one entry", hostile(0xFFFFFFFF, 2, 4), CauseCount},
		{"384 and 384, one missing", hostile(384, 384, 4*767), CauseShort},
	}
	for _, tt := range tests {
		checkRefused(t, tt.name, &Join{}, tt.packet, tt.want)
	}
	if n, err := new(Join).Decode(hostile(384, 384, 4*768)); n != 33+4*768 || err != nil {
		t.Errorf("384 and 384: took %d, %v", n, err)
	}
}
