package totem

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// The packets of published vulnerabilities of the reference, each in both byte
// orders, and beside each the nearest packet that is sound.

// cvePacket builds a message of a type in either byte order: fields are 32-bit
// words at their offsets, the rest is zero.
func cvePacket(bigEndian bool, t Type, size int, fields map[int]uint32) []byte {
	b := (&Header{BigEndian: bigEndian, Node: 1}).append(nil, t)
	b = append(b, make([]byte, size-len(b))...)
	for at, v := range fields {
		if bigEndian {
			binary.BigEndian.PutUint32(b[at:], v)
		} else {
			binary.LittleEndian.PutUint32(b[at:], v)
		}
	}
	return b
}

// bothOrders runs f for each byte order.
func bothOrders(t *testing.T, f func(t *testing.T, bigEndian bool)) {
	for _, bigEndian := range []bool{false, true} {
		t.Run(fmt.Sprintf("bigEndian=%v", bigEndian), func(t *testing.T) { f(t, bigEndian) })
	}
}

// CVE-2025-30472: up to 3.1.9 a token of the other byte order is converted
// into 1500 bytes of stack, however many retransmit entries it brings
// (orf_token_endian_convert). The published packet fills a datagram.
func TestCVE_2025_30472(t *testing.T) {
	bothOrders(t, func(t *testing.T, bigEndian bool) {
		token := func(entries int) []byte {
			return cvePacket(bigEndian, TypeToken, tokenLen+entries*retransmitLen, map[int]uint32{tokenCountAt: uint32(entries)})
		}
		checkRefused(t, "4000 entries in 64 kB", new(Token), token(4000), CauseLong)
		checkRefused(t, "91 entries: the first beyond the buffer", new(Token), token(91), CauseLong)
		checkRefused(t, "31 entries: one more than are ever sent", new(Token), token(MaxRetransmits+1), CauseCount)
		if _, err := new(Token).Decode(token(MaxRetransmits)); err != nil {
			t.Errorf("%d entries: %v", MaxRetransmits, err)
		}
	})
}

// CVE-2026-35091: a commit token shorter than its fixed part is logged as too
// short and then read as if it were not (check_memb_commit_token_sanity
// returned 0 where it meant -1).
func TestCVE_2026_35091(t *testing.T) {
	bothOrders(t, func(t *testing.T, bigEndian bool) {
		whole := cvePacket(bigEndian, TypeCommitToken, commitTokenLen, nil)
		for size := HeaderLen; size < commitTokenLen; size++ {
			checkRefused(t, fmt.Sprintf("%d bytes", size), new(CommitToken), whole[:size:size], CauseShort)
		}
		if _, err := new(CommitToken).Decode(whole); err != nil {
			t.Errorf("%d bytes, no members: %v", commitTokenLen, err)
		}
	})
}

// CVE-2026-35092: the two list lengths of a join were added in 32 bits, so that
// huge ones passed for none, and the lists were read beyond the packet
// (check_memb_join_sanity).
func TestCVE_2026_35092(t *testing.T) {
	bothOrders(t, func(t *testing.T, bigEndian bool) {
		join := func(proc, failed uint32, room int) []byte {
			return cvePacket(bigEndian, TypeJoin, joinLen+room, map[int]uint32{17: proc, 21: failed})
		}
		for _, counts := range [][2]uint32{
			{0x80000000, 0x80000000}, // the published pair: the sum is 0
			{0xFFFFFFFF, 1},
			{1, 0xFFFFFFFF},
			{0xFFFFFFFF, 2},
			{0x40000000, 0}, // four times it is 0
			{0, 0x40000001},
		} {
			checkRefused(t, fmt.Sprintf("lists of %#x and %#x", counts[0], counts[1]), new(Join), join(counts[0], counts[1], 4), CauseCount)
		}
		if _, err := new(Join).Decode(join(1, 0, 4)); err != nil {
			t.Errorf("one candidate: %v", err)
		}
	})
}

// CVE-2026-81666: on 32-bit systems the length that a commit token must have,
// 41 bytes and 28 for each member, wraps, so that a huge membership passes for
// a small one (check_memb_commit_token_sanity). Go's int has 32 bits there too:
// the count is bounded before it is multiplied. The limit is checked on every
// system; GOARCH=386 go test runs this on such a one.
func TestCVE_2026_81666(t *testing.T) {
	bothOrders(t, func(t *testing.T, bigEndian bool) {
		commit := func(members uint32, room int) []byte {
			return cvePacket(bigEndian, TypeCommitToken, commitTokenLen+room, map[int]uint32{37: members})
		}
		// 28 times these are, in 32 bits, at most 28: the packet has room for it.
		for _, members := range []uint32{0x40000000, 0x80000000, 0xC0000000, 0x36DB6DB7, 0x0924924A, 0x40000001} {
			if wrapped := 28 * members; wrapped > 28 {
				t.Fatalf("28 times %#x wraps to %d", members, wrapped)
			}
			checkRefused(t, fmt.Sprintf("%#x members", members), new(CommitToken), commit(members, 28), CauseCount)
		}
		if _, err := new(CommitToken).Decode(commit(1, 28)); err != nil {
			t.Errorf("one member: %v", err)
		}
	})
}
