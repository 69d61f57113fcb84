package exec

import (
	"bytes"
	"testing"

	"cpgol/wire/wiretest"
)

// checkCodec holds b against the promise of this package: what is accepted
// re-encodes to the bytes consumed, also into a used value.
func checkCodec(t *testing.T, name string, m codec, b []byte) bool {
	t.Helper()
	n, err := m.Decode(b)
	if err != nil {
		return false
	}
	if n < 0 || n > len(b) {
		t.Fatalf("%s: consumed %d of %d bytes", name, n, len(b))
	}
	if got := m.Append(nil); !bytes.Equal(got, b[:n]) {
		t.Fatalf("%s:\n in %x\nout %x", name, b[:n], got)
	}
	return true
}

// FuzzMessages gives arbitrary bytes to every decoder; the first byte selects
// the message type.
func FuzzMessages(f *testing.F) {
	for i, c := range codecs {
		f.Add(append([]byte{byte(i)}, wiretest.Unhex(f, c.sample)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		c := codecs[int(data[0])%len(codecs)]
		m := c.new()
		if checkCodec(t, c.name, m, data[1:]) {
			checkCodec(t, c.name+" again", m, data[1:])
		}
	})
}

// TestSamples checks every message type's sample: it re-encodes to itself,
// bytes behind it are left alone, and no prefix of it is a message.
func TestSamples(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			b := wiretest.Unhex(t, c.sample)
			m := c.new()
			if n, err := m.Decode(b); err != nil || n != len(b) {
				t.Fatalf("Decode = %d, %v; want %d", n, err, len(b))
			}
			if !checkCodec(t, c.name, m, append(b[:len(b):len(b)], 0xee, 0xee)) {
				t.Fatal("refused with bytes behind it")
			}
			for i := range b {
				if n, err := c.new().Decode(b[:i:i]); err == nil {
					t.Fatalf("prefix of %d bytes: accepted %d", i, n)
				}
			}
		})
	}
}
