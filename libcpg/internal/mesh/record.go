package mesh

import (
	"encoding/binary"
	"errors"

	"cpgol/wire/offload"
	"cpgol/wire/totem"
)

// A record is what members say on a connection once they know each other. All
// have one length.
//
//	begin     kind 4 | 0 52
//	key       kind 4 | 0 4 | key 32 | 0 16
//	chunk     kind 4 | view 20 | seq 8 | size 4 | at 4 | length 4 | 0 4 | counter 8; the bytes follow
//	hold      kind 4 | view 20 | seq 8 | credit 8 | 0 16
//	progress  kind 4 | 0 52
//
// A view is ring node 4 | ring seq 8 | epoch 8. Integers are little-endian.
type record struct {
	kind    uint32
	view    offload.View
	seq     uint64
	credit  uint64 // hold
	size    int    // chunk: of the message
	at      int    // chunk: where in the message
	length  int    // chunk: how many bytes follow, without their seal
	counter uint64 // chunk: with which number they were sealed
	key     [keyLen]byte
}

// The kinds of records.
const (
	kindBegin    = 1 // dialler: TLS is left behind
	kindKey      = 2 // sender: under this key the next chunks are sealed
	kindChunk    = 3 // sender
	kindHold     = 4 // receiver
	kindProgress = 5 // receiver: a part of a message came
)

const (
	recordLen = 56
	keyLen    = 32
	sealLen   = 16
)

var le = binary.LittleEndian

// encode writes the record to b, which has its length.
func (r *record) encode(b *[recordLen]byte) {
	clear(b[:])
	le.PutUint32(b[0:], r.kind)
	switch r.kind {
	case kindKey:
		copy(b[8:40], r.key[:])
	case kindChunk:
		putView(b[4:], r.view)
		le.PutUint64(b[24:], r.seq)
		le.PutUint32(b[32:], uint32(r.size))
		le.PutUint32(b[36:], uint32(r.at))
		le.PutUint32(b[40:], uint32(r.length))
		le.PutUint64(b[48:], r.counter)
	case kindHold:
		putView(b[4:], r.view)
		le.PutUint64(b[24:], r.seq)
		le.PutUint64(b[32:], r.credit)
	}
}

var errRecord = errors.New("mesh: no record of this version")

// decode reads the record. Fields of other kinds are zero. What it accepts encodes
// to the same bytes.
func (r *record) decode(b *[recordLen]byte) error {
	*r = record{kind: le.Uint32(b[0:])}
	switch r.kind {
	case kindBegin, kindProgress:
	case kindKey:
		copy(r.key[:], b[8:40])
	case kindChunk:
		size, at, length := le.Uint32(b[32:]), le.Uint32(b[36:]), le.Uint32(b[40:])
		if max(size, at, length) > 1<<30 {
			return errRecord
		}
		r.view, r.seq = cutView(b[4:]), le.Uint64(b[24:])
		r.size, r.at, r.length, r.counter = int(size), int(at), int(length), le.Uint64(b[48:])
	case kindHold:
		r.view, r.seq, r.credit = cutView(b[4:]), le.Uint64(b[24:]), le.Uint64(b[32:])
	default:
		return errRecord
	}
	var again [recordLen]byte
	if r.encode(&again); again != *b {
		return errRecord // padding
	}
	return nil
}

const viewLen = 20

func putView(b []byte, v offload.View) {
	le.PutUint32(b, uint32(v.Ring.Rep))
	le.PutUint64(b[4:], v.Ring.Seq)
	le.PutUint64(b[12:], v.Epoch)
}

func cutView(b []byte) offload.View {
	return offload.View{Ring: totem.RingID{Rep: totem.NodeID(le.Uint32(b)), Seq: le.Uint64(b[4:])}, Epoch: le.Uint64(b[12:])}
}

// later reports whether a view comes after another: in a later ring, or later in
// the same.
func later(a, b offload.View) bool {
	if a.Ring == b.Ring {
		return a.Epoch > b.Epoch
	}
	return a.Ring.Seq > b.Ring.Seq
}
