package pg

import (
	"testing"

	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Any sequence of messages, packed into frames of any legal size by two nodes
// whose frames are interleaved in any way, comes out of one assembler equal.
// The second node is big-endian.
func TestPackedMessagesReassemble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		packet := rapid.OneOf(rapid.IntRange(minPacket, 40), rapid.IntRange(minPacket, maxPacket)).Draw(t, "packet")
		longest := min(packet*5, 200_000)
		var sent, got [2][]string
		var queued [2][][]byte
		packers := [2]*Packer{NewPacker(packet), NewPacker(packet)}
		emitters := [2]func([]byte){}
		for i := range emitters {
			emitters[i] = func(b []byte) {
				if len(b) > HeaderLen+packet {
					t.Fatalf("frame of %d bytes, at most %d", len(b), HeaderLen+packet)
				}
				queued[i] = append(queued[i], inOrder(t, b, i == 1))
			}
		}
		var a Assembler
		deliver := func(i int) {
			if len(queued[i]) == 0 {
				return
			}
			if err := a.Frame(totem.NodeID(i+1), i == 1, queued[i][0], func(m []byte) {
				got[i] = append(got[i], string(m))
			}); err != nil {
				t.Fatal(err)
			}
			queued[i] = queued[i][1:]
		}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "node")
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				packers[i].Flush(emitters[i])
			case 1:
				deliver(i)
			default:
				msg := makeMessage(rapid.IntRange(1, longest).Draw(t, "length"), len(sent[i]))
				cut := rapid.IntRange(0, len(msg)).Draw(t, "cut")
				before := len(queued[i])
				packers[i].Add(emitters[i], msg[:cut], msg[cut:])
				if n := len(queued[i]) - before; n > packers[i].Frames(len(msg)) {
					t.Fatalf("%d frames for %d bytes", n, len(msg))
				}
				sent[i] = append(sent[i], string(msg))
			}
		}
		for i := range packers {
			packers[i].Flush(emitters[i])
			for len(queued[i]) > 0 {
				deliver(i)
			}
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Fatalf("(-sent +got):\n%s", diff)
		}
		if a.Discarded != 0 || len(a.open) != 0 {
			t.Fatalf("discarded %d, %d left open", a.Discarded, len(a.open))
		}
	})
}

// makeMessage fills n bytes with something that differs by message and place.
func makeMessage(n, serial int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*31 + i>>8 + serial*17)
	}
	return b
}

// inOrder copies a frame into the byte order asked for.
func inOrder(t *rapid.T, b []byte, bigEndian bool) []byte {
	var f Frame
	if _, err := f.Decode(b); err != nil {
		t.Fatalf("packer made a bad frame: %v", err)
	}
	f.BigEndian = bigEndian
	return f.Append(nil)
}
