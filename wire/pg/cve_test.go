package pg

import (
	"bytes"
	"errors"
	"testing"
)

// CVE-2026-81665: the reference puts a node's fragments into a buffer of 1 MiB
// and 64 KiB and checks only by an assertion, which release builds do without,
// that they fit (totempg_deliver_fn: assembly->data). Each of these frames is
// well formed; it is their sum that is not.
func TestCVE_2026_81665(t *testing.T) {
	biggest := func(continuation, fragmented uint8) []byte {
		f := Frame{Continuation: continuation, Fragmented: fragmented, Lengths: []uint16{0xFFFF}, Data: bytes.Repeat([]byte{0x41}, 0xFFFF)}
		return f.Append(nil)
	}
	for _, tt := range []struct {
		name  string
		next  func(i int) []byte
		error bool // else the frames are no message and are dropped one by one
	}{
		{"a message without end", func(i int) []byte { return biggest(uint8(min(i, 1)), 1) }, true},
		{"fragments of different messages", func(i int) []byte { return biggest(uint8(i%200+1), uint8(i%200+7)) }, false},
		{"fragments, none of which is a first", func(int) []byte { return biggest(9, 9) }, false},
	} {
		var a Assembler
		refused, most := 0, 0
		for i := range 200 { // 13 MB
			err := a.Frame(1, false, tt.next(i), func(msg []byte) { t.Errorf("%s: delivered %d bytes", tt.name, len(msg)) })
			if err != nil {
				refused++
				if !errors.Is(err, ErrTooLong) {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
			held := 0
			for _, as := range a.open {
				held += cap(as.data)
			}
			for _, as := range a.free {
				held += cap(as.data)
			}
			most = max(most, held)
		}
		if tt.error != (refused > 0) {
			t.Errorf("%s: refused %d times", tt.name, refused)
		}
		if most > 2*MaxAssembly {
			t.Errorf("%s: held up to %d bytes", tt.name, most)
		}
		got, emit := collect()
		if err := a.Frame(1, false, frame("hello"), emit); err != nil || len(*got) != 1 {
			t.Errorf("%s: then %q, %v", tt.name, *got, err)
		}
	}
}
