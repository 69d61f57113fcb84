package hostile

import (
	"encoding/binary"
	"math/rand/v2"

	"cpgol/wire/totem"
)

// edges are the numbers that break arithmetic.
var edges = []uint64{
	0, 1, 2, 3, 4, 7, 8, 16, 29, 30, 31, 57, 63, 64, 65, 127, 128, 129, 254, 255, 256, 383, 384, 385, 1 << 10, 1<<14 - 1, 1 << 14, 1<<14 + 1,
	1<<15 - 1, 1 << 15, 1<<16 - 1, 1 << 16, 1<<20 - 1, 1 << 20, 1<<24 + 1, 1<<28 - 1, 1 << 28, 1 << 30, 1<<31 - 1, 1 << 31, 1<<31 + 1,
	1<<32 - 4, 1<<32 - 3, 1<<32 - 2, 1<<32 - 1, 1 << 32, 1<<40 + 5, 1<<63 - 1, 1 << 63, 1<<64 - 16, 1<<64 - 5, 1<<64 - 1,
}

func edge(r *rand.Rand) uint64 {
	if r.IntN(4) == 0 {
		return r.Uint64() >> r.IntN(64)
	}
	return edges[r.IntN(len(edges))]
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// mutate changes a copy of b in one to four places, and sometimes its length.
func mutate(r *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			return append(b, byte(r.Uint32()))
		}
		at := r.IntN(len(b))
		switch r.IntN(8) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(edge(r))
		case 2:
			put16(b, at, uint16(edge(r)), r.IntN(8) == 0)
		case 3:
			put32(b, at, uint32(edge(r)), r.IntN(8) == 0)
		case 4:
			put64(b, at, edge(r))
		case 5:
			b = b[:at]
		case 6:
			b = append(b, make([]byte, min(edge(r), 1<<16))...)
		case 7:
			to := r.IntN(len(b))
			copy(b[at:], b[to:min(len(b), to+r.IntN(64))])
		}
	}
	return b[:min(len(b), 1<<16)]
}

func put16(b []byte, at int, v uint16, big bool) {
	if at+2 > len(b) {
		return
	}
	if big {
		binary.BigEndian.PutUint16(b[at:], v)
	} else {
		binary.LittleEndian.PutUint16(b[at:], v)
	}
}

func put32(b []byte, at int, v uint32, big bool) {
	if at+4 > len(b) {
		return
	}
	if big {
		binary.BigEndian.PutUint32(b[at:], v)
	} else {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
}

func put64(b []byte, at int, v uint64) {
	if at+8 <= len(b) {
		binary.LittleEndian.PutUint64(b[at:], v)
	}
}

// ringAt is where each type of packet has its ring's ID.
var ringAt = map[totem.Type]int{
	totem.TypeToken: 29, totem.TypeMcast: 25, totem.TypeMergeDetect: 17, totem.TypeCommitToken: 17, totem.TypeHoldCancel: 13,
}

// ofRing makes a packet one of the present ring: a recorded one becomes
// current.
func ofRing(packet []byte, ring totem.RingID) []byte {
	b := append([]byte(nil), packet...)
	if len(b) > 3 {
		if at, ok := ringAt[totem.Type(b[3])]; ok {
			put32(b, at, uint32(ring.Rep), false)
			put64(b, at+4, ring.Seq)
		}
	}
	return b
}
