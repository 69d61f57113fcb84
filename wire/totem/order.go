package totem

import (
	"encoding/binary"
	"math/bits"
)

// The fields' readers and writers. A bool for the byte order instead of a
// binary.ByteOrder keeps them inlined: token and mcast are the hot path.

func load16(b []byte, bigEndian bool) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if bigEndian {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func load32(b []byte, bigEndian bool) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if bigEndian {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func load64(b []byte, bigEndian bool) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if bigEndian {
		v = bits.ReverseBytes64(v)
	}
	return v
}

func append16(b []byte, v uint16, bigEndian bool) []byte {
	if bigEndian {
		v = bits.ReverseBytes16(v)
	}
	return binary.LittleEndian.AppendUint16(b, v)
}

func append32(b []byte, v uint32, bigEndian bool) []byte {
	if bigEndian {
		v = bits.ReverseBytes32(v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

func append64(b []byte, v uint64, bigEndian bool) []byte {
	if bigEndian {
		v = bits.ReverseBytes64(v)
	}
	return binary.LittleEndian.AppendUint64(b, v)
}

const ringIDLen = 12

func loadRingID(b []byte, bigEndian bool) RingID {
	return RingID{Rep: NodeID(load32(b, bigEndian)), Seq: load64(b[4:], bigEndian)}
}

func appendRingID(b []byte, r RingID, bigEndian bool) []byte {
	return append64(append32(b, uint32(r.Rep), bigEndian), r.Seq, bigEndian)
}

// appendNodes appends a list of node ids, four bytes each.
func appendNodes(b []byte, nodes []NodeID, bigEndian bool) []byte {
	for _, n := range nodes {
		b = append32(b, uint32(n), bigEndian)
	}
	return b
}

// loadNodes reads n node ids from the front of b into dst's storage. The caller
// has checked that b holds them.
func loadNodes(dst []NodeID, b []byte, n int, bigEndian bool) []NodeID {
	dst = dst[:0]
	for i := range n {
		dst = append(dst, NodeID(load32(b[4*i:], bigEndian)))
	}
	return dst
}
