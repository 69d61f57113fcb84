package abi

import (
	"bytes"
	"testing"

	"cpgol/wire/wiretest"
)

// FuzzMessages gives arbitrary bytes to every decoder; the first byte selects
// the message type. What is accepted, written again, is accepted again and
// comes out as written: padding is all that may change.
func FuzzMessages(f *testing.F) {
	for i, c := range codecs {
		f.Add(append([]byte{byte(i)}, wiretest.Unhex(f, c.sample)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		c := codecs[int(data[0])%len(codecs)]
		m, b := c.new(), data[1:]
		n, err := m.Decode(b)
		if err != nil {
			return
		}
		if n < RequestLen || n > len(b) {
			t.Fatalf("%s: consumed %d of %d bytes", c.name, n, len(b))
		}
		if tooLong(m) {
			return
		}
		clean := m.Append(nil)
		again := c.new()
		if n, err := again.Decode(clean); err != nil || n != len(clean) {
			t.Fatalf("%s: Decode(Append) = %d, %v\n in %x\nout %x", c.name, n, err, b, clean)
		}
		if got := again.Append(nil); !bytes.Equal(got, clean) {
			t.Fatalf("%s:\n in %x\nout %x", c.name, clean, got)
		}
	})
}

// tooLong reports whether m came with a list that this package would not send.
func tooLong(m codec) bool {
	c, ok := m.(*CPGChange)
	return ok && max(len(c.Members), len(c.Left), len(c.Joined)) > MaxCPGMembers
}

// TestSamples checks every message type's sample: it comes out as it went in,
// bytes behind it are left alone, garbage in padding is let pass where it is
// not part of a value, and no prefix of it is a message.
func TestSamples(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			b := wiretest.Unhex(t, c.sample)
			m := c.new()
			if n, err := m.Decode(append(b[:len(b):len(b)], 0xee)); err != nil || n != len(b) {
				t.Fatalf("Decode = %d, %v; want %d", n, err, len(b))
			}
			if got := m.Append(nil); !bytes.Equal(got, b) {
				t.Fatalf("\n in %x\nout %x", b, got)
			}
			dirty := bytes.Clone(b)
			copy(dirty[4:], "\xfc\x7f\x00\x01") // behind id and size
			copy(dirty[12:], "\xfc\x7f\x00\x01")
			if _, err := m.Decode(dirty); err != nil {
				t.Errorf("garbage in the header's padding: %v", err)
			}
			if got := m.Append(nil); !bytes.Equal(got, b) {
				t.Errorf("garbage came out again: %x", got)
			}
			for i := range b {
				if n, err := c.new().Decode(b[:i:i]); err == nil {
					t.Fatalf("prefix of %d bytes: accepted %d", i, n)
				}
			}
		})
	}
}
