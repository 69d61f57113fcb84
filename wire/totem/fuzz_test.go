package totem

import (
	"bytes"
	"testing"

	"cpgol/wire/wiretest"
)

// FuzzMessages checks the codec's one promise on any packet: what is accepted
// encodes to the bytes that were consumed, and decodes again to the same. The
// packet's own type byte selects the message.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{initialToken, barrierMcast, firstJoin, firstHop} {
		f.Add(wiretest.Unhex(f, s))
	}
	for typ := range Type(numTypes) {
		for _, bigEndian := range []bool{false, true} {
			h := Header{BigEndian: bigEndian, Node: 1, Target: 2}
			f.Add(append(h.append(nil, typ), make([]byte, 64)...))
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, n, err := Decode(packet)
		if err != nil {
			return
		}
		if n < HeaderLen || n > len(packet) {
			t.Fatalf("took %d bytes of %d", n, len(packet))
		}
		again := m.Append(nil)
		if !bytes.Equal(again, packet[:n]) {
			t.Fatalf("%T\n read %x\nwrote %x", m, packet[:n], again)
		}
		if _, err := m.Decode(again); err != nil {
			t.Fatalf("own encoding: %v", err)
		}
	})
}
