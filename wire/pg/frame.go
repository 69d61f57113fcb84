package pg

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// HeaderLen is the length of a frame's header without its table of lengths
// (struct totempg_mcast).
const HeaderLen = 8

// A Frame is one multicast's worth of messages (struct totempg_mcast).
type Frame struct {
	BigEndian bool   // byte order, told by the multicast's header; set it before Decode
	Version   uint16 // zero, never checked
	Type      uint16 // zero, never checked
	// Fragmented is not zero if the last message goes on in the next frame.
	Fragmented uint8
	// Continuation is the previous frame's Fragmented if the first message
	// began there.
	Continuation uint8
	Lengths      []uint16 // bytes of each message in this frame
	Data         []byte   // the messages back to back
}

// A FrameError tells why a frame was refused.
type FrameError struct {
	Field     string
	Got, Want int
}

// Error describes the refusal in one line.
func (e *FrameError) Error() string {
	return fmt.Sprintf("pg: frame: %s %d, want %d", e.Field, e.Got, e.Want)
}

// Decode reads the frame that b is. It takes all of b: the lengths must add up
// exactly (totempg_deliver_fn). Lengths reuses its storage, Data aliases b. A
// frame without messages that claims to be continued is refused; the reference
// reads in front of its array.
func (f *Frame) Decode(b []byte) (int, error) {
	if len(b) < HeaderLen {
		return 0, &FrameError{Field: "length", Got: len(b), Want: HeaderLen}
	}
	count := int(f.load16(b[6:]))
	dataAt := HeaderLen + 2*count
	if len(b) < dataAt {
		return 0, &FrameError{Field: "length", Got: len(b), Want: dataAt}
	}
	if count == 0 && b[4] != 0 {
		return 0, &FrameError{Field: "messages of a continued frame", Got: 0, Want: 1}
	}
	f.Lengths = f.Lengths[:0]
	end := dataAt
	for at := HeaderLen; at < dataAt; at += 2 {
		n := f.load16(b[at:])
		f.Lengths = append(f.Lengths, n)
		end += int(n)
	}
	if len(b) != end {
		return 0, &FrameError{Field: "length", Got: len(b), Want: end}
	}
	f.Version, f.Type = f.load16(b), f.load16(b[2:])
	f.Fragmented, f.Continuation = b[4], b[5]
	f.Data = b[dataAt:]
	return end, nil
}

// Append encodes the frame behind b.
func (f *Frame) Append(b []byte) []byte {
	b = f.append16(b, f.Version)
	b = f.append16(b, f.Type)
	b = append(b, f.Fragmented, f.Continuation)
	b = f.append16(b, uint16(len(f.Lengths)))
	for _, n := range f.Lengths {
		b = f.append16(b, n)
	}
	return append(b, f.Data...)
}

func (f *Frame) load16(b []byte) uint16 { return load16(b, f.BigEndian) }

func (f *Frame) append16(b []byte, v uint16) []byte {
	if f.BigEndian {
		v = bits.ReverseBytes16(v)
	}
	return binary.LittleEndian.AppendUint16(b, v)
}

func load16(b []byte, bigEndian bool) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if bigEndian {
		v = bits.ReverseBytes16(v)
	}
	return v
}
