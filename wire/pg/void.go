package pg

import "encoding/binary"

// Where a frame says whether its last message goes on, and whether its first
// one is a continuation.
const (
	FragmentedAt   = 4
	continuationAt = 5
	countAt        = 6
)

// IsOpen reports whether an encoded frame ends in the middle of a message.
func IsOpen(frame []byte) bool { return len(frame) >= HeaderLen && frame[FragmentedAt] != 0 }

// IsMiddle reports whether an encoded little-endian frame holds nothing but a
// piece from the middle of a message: neither its beginning nor its end.
func IsMiddle(frame []byte) bool {
	return IsOpen(frame) && frame[continuationAt] != 0 && binary.LittleEndian.Uint16(frame[countAt:]) == 1
}

// AppendVoid appends a frame that makes every receiver drop what it holds of a
// message of ours, without delivering anything: its one piece, of no length,
// continues a fragment that nobody has. last is the number of the last fragment
// that was sent. It is the only frame that does so for the reference's receivers
// whether or not they hold the beginning: one that continues nothing would be
// delivered where none is held, and put receivers that hold one into a mode in
// which they drop the next frame as well (totempg_deliver_fn).
func AppendVoid(b []byte, last uint8) []byte {
	f := Frame{Continuation: nextFragment(nextFragment(last)), Lengths: []uint16{0}}
	return f.Append(b)
}
