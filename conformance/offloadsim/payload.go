package offloadsim

import (
	"encoding/binary"
	"fmt"

	"cpgol/wire/offload"
)

// A payload is a message's bytes. Who holds it is counted, and when nobody does
// its bytes are spoilt, as a buffer's are that is used again.
type payload struct {
	b    []byte
	refs int
	at   *session // that counts it among what it keeps; nil: none
}

func newPayload(b []byte) *payload { return &payload{b: b, refs: 1} }

// Len implements core.Payload.
func (p *payload) Len() int { return len(p.b) }

func (p *payload) retain() { p.refs++ }

func (p *payload) release() {
	if p.refs--; p.refs < 0 {
		panic("a payload is given back twice")
	} else if p.refs == 0 {
		if p.at != nil {
			p.at.held -= len(p.b)
		}
		for i := range p.b {
			p.b[i] = 0xdd
		}
	}
}

// nameLen is how long a message's name is: node 4, pid 4, number 4, size 4.
const nameLen = 16

// text is a message: its name, and bytes that follow from it.
func text(from offload.Member, number uint32, size int) []byte {
	b := make([]byte, max(size, nameLen))
	binary.LittleEndian.PutUint32(b, uint32(from.Node))
	binary.LittleEndian.PutUint32(b[4:], from.PID)
	binary.LittleEndian.PutUint32(b[8:], number)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)))
	fill(b)
	return b
}

// fill writes what follows from the name.
func fill(b []byte) {
	x := binary.LittleEndian.Uint64(b)*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(b[8:])*0xbf58476d1ce4e5b9
	at := nameLen
	for ; at+8 <= len(b); at += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b[at:], x)
	}
	for ; at < len(b); at++ {
		x = x>>3 ^ x<<5
		b[at] = byte(x)
	}
}

// number reads a message's number, and checks all its bytes.
func number(from offload.Member, b []byte) (uint32, error) {
	if len(b) < nameLen {
		return 0, fmt.Errorf("message of %d bytes from %v", len(b), from)
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if want := text(from, n, len(b)); string(want) != string(b) {
		at := 0
		for want[at] == b[at] {
			at++
		}
		return 0, fmt.Errorf("message %d of %v, %d bytes, is damaged at %d: %x", n, from, len(b), at, b[at:min(at+16, len(b))])
	}
	return n, nil
}
