package pg

import (
	"bytes"
	"testing"

	"cpgol/wire/totem"
	"cpgol/wire/wiretest"
)

// FuzzFrames feeds an assembler any frames. The input is a list of records: a
// byte that names the node (low two bits) and the byte order (bit two), a
// 16-bit length, and the frame. What a frame accepts must encode to the same
// bytes, group headers must part a message without losing a byte, and memory
// must stay within the limits.
func FuzzFrames(f *testing.F) {
	record := func(node byte, b []byte) []byte {
		return append([]byte{node, byte(len(b)), byte(len(b) >> 8)}, b...)
	}
	f.Add(record(1, frame("abc def")))
	f.Add(append(record(1, frame("a>1")), record(1, frame("1>b c"))...))
	f.Add(append(record(2, frame("a>1")), record(1, frame("2>b c>3"))...))
	f.Add(record(5, wiretest.Unhex(f, "00 00 00 00 00 00 00 01  00 06  00 01 00 01 61 78")))
	f.Fuzz(func(t *testing.T, in []byte) {
		var a Assembler
		for len(in) >= 3 {
			node, bigEndian := totem.NodeID(in[0]&3), in[0]&4 != 0
			n := min(int(in[1])|int(in[2])<<8, len(in)-3)
			b := in[3 : 3+n]
			in = in[3+n:]
			checkFrame(t, b, bigEndian)
			err := a.Frame(node, bigEndian, b, func(msg []byte) {
				names, payload, err := CutGroup(msg, bigEndian)
				if err != nil {
					return
				}
				length := 2 + 2*names.Len() + len(payload)
				for name := range names.All() {
					length += len(name)
				}
				if length != len(msg) {
					t.Fatalf("message of %d bytes parted into %d", len(msg), length)
				}
			})
			_ = err // refusals are fine, panics are not
			for _, as := range a.open {
				if len(as.data) > MaxAssembly || as.last == 0 {
					t.Fatalf("holds %d bytes, fragment %d", len(as.data), as.last)
				}
			}
		}
	})
}

func checkFrame(t *testing.T, b []byte, bigEndian bool) {
	f := Frame{BigEndian: bigEndian}
	n, err := f.Decode(b)
	if err != nil {
		return
	}
	if again := f.Append(nil); n != len(b) || !bytes.Equal(again, b) {
		t.Fatalf("\n read %x\nwrote %x", b, again)
	}
}
