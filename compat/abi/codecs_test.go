package abi

import "strings"

// A codec is what every message type of this package is.
type codec interface {
	Decode(b []byte) (n int, err error)
	Append(b []byte) []byte
}

// codecs lists every message type once: FuzzMessages and the tests of the
// common properties run over it. Add rows at the end: the fuzz corpus names
// them by index.
var codecs = []struct {
	name   string
	new    func() codec
	sample string // one valid message with zero padding, in hexadecimal
}{
	{"cpg join", func() codec { return new(CPGJoin) },
		h16(0, 168) + g1 + "e176000000000000 0100000000000000"},
	{"cpg leave", func() codec { return new(CPGLeave) },
		h16(1, 160) + g1 + "e176000000000000"},
	{"cpg mcast", func() codec { return new(CPGMcast) },
		h24(2, 45, 0) + "0200000000000000 0500000000000000 68656c6c6f"},
	{"cpg partial mcast", func() codec { return new(CPGPartial) },
		h24(12, 61, 0) + "0200000000000000 0700000000000000 0500000000000000 0300000000000000 68656c6c6f"},
	{"cpg membership", func() codec { return new(CPGMembership) },
		h16(3, 152) + g1},
	{"cpg iteration initialize", func() codec { return new(CPGIterInit) },
		h16(5, 160) + g1 + "0200000000000000"},
	{"cpg iteration next", func() codec { return new(CPGIter) },
		h16(6, 24) + "0807060504030201"},
	{"cpg iteration finalize", func() codec { return new(CPGIter) },
		h16(7, 24) + "0807060504030201"},
	{"cpg iteration item", func() codec { return new(CPGIterItem) },
		h24(10, 168, 1) + g1 + "03000000 e1760000"},
	{"cpg members", func() codec { return new(CPGMembers) },
		h24(3, 9248, 1) + "0100000000000000" + address(3, 0) + repeat("00", 9248-56)},
	{"cpg deliver", func() codec { return new(CPGDeliver) },
		h24(5, 189, 1) + g1 + "0500000000000000 0300000000000000 e176000000000000 68656c6c6f"},
	{"cpg partial deliver", func() codec { return new(CPGPartialDeliver) },
		h24(17, 205, 1) + g1 + "0700000000000000 0500000000000000 0300000000000000" +
			"e176000000000000 0100000000000000 68656c6c6f"},
	{"cpg change", func() codec { return new(CPGChange) },
		h24(4, 184+24*4, 1) + g1 + "0200000000000000 0100000000000000 0100000000000000" +
			address(1, 0) + address(2, 0) + address(3, 5) + address(2, 1)},
	{"cpg ring", func() codec { return new(CPGRing) },
		h24(13, 48+8, 1) + "0100000000000000 0d00000000000000 02000000 01000000 02000000 00000000"},
	{"quorum trackstart", func() codec { return new(QuorumWord) },
		h16(1, 24) + "0200000000000000"},
	{"quorum model", func() codec { return new(QuorumWord) },
		h16(4, 24) + "0100000000000000"},
	{"quorum v0", func() codec { return new(QuorumChange) },
		h24(3, 48+8, 1) + "0100000000000000 0d00000000000000 02000000 01000000 02000000 00000000"},
	{"quorum v1", func() codec { return new(QuorumChange) },
		h24(6, 56+8, 1) + "0100000000000000 0100000000000000 0d00000000000000" +
			"02000000 01000000 02000000 00000000"},
	{"quorum nodelist", func() codec { return new(QuorumNodes) },
		h24(7, 64+16, 1) + "0100000000000000 0d00000000000000" +
			"0200000000000000 0100000000000000 01000000" +
			"01000000 02000000 02000000 03000000 00000000"},
}

// g1 is the group name "g1" as it lies in messages.
var g1 = "0200000000000000 6731" + repeat("00", 126)

// h16 and h24 are a request's and a response's header.
func h16(id, size uint32) string { return word(id) + word(size) }

func h24(id, size, status uint32) string { return word(id) + word(size) + word(status) }

// address is process 30433 of a node.
func address(node, reason uint32) string { return word(node) + word(30433) + word(reason) }

// word is a number in its 8 bytes.
func word(v uint32) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for range 4 {
		s.WriteByte(digits[v>>4&15])
		s.WriteByte(digits[v&15])
		v >>= 8
	}
	return s.String() + "00000000 "
}

// repeat is strings.Repeat, short for fixtures.
func repeat(s string, n int) string { return strings.Repeat(s, n) }
