package pg

import "encoding/binary"

// Smallest and largest frame capacity a Packer works with: one message length
// and one byte, and what a piece's 16-bit length can say.
const (
	minPacket = 3
	maxPacket = 0xFFFF
)

// A Packer packs messages into frames and cuts those that do not fit
// (mcast_msg). A message waits in the packer until its frame is full or Flush
// is called, which the engine does whenever the token comes.
type Packer struct {
	packet int // capacity of a frame without its 8-byte header (PACKET)
	// buf leaves room in front of the data for a header and the longest table
	// of lengths, so that a finished frame is contiguous without copying.
	buf          []byte
	lengths      []uint16 // of the messages in buf
	used         int      // data bytes in buf
	continuation uint8    // what the next frame says of its first message
}

// NewPacker returns a packer for frames of at most packet bytes behind the
// 8-byte header: the reference's TOTEMPG_PACKET_SIZE, which is the network MTU
// less 90 less 8. A capacity out of [3, 65535] is moved into it.
func NewPacker(packet int) *Packer {
	packet = min(max(packet, minPacket), maxPacket)
	most := packet / minPacket // messages in a frame: none is empty
	return &Packer{
		packet:  packet,
		buf:     make([]byte, HeaderLen+2*most+packet),
		lengths: make([]uint16, 0, most),
	}
}

// room is how many more bytes fit into the frame, in one more message.
func (p *Packer) room() int { return p.packet - 2*(len(p.lengths)+1) - p.used }

// dataAt is where the data begins in buf.
func (p *Packer) dataAt() int { return HeaderLen + 2*cap(p.lengths) }

// Pending reports whether messages wait for Flush.
func (p *Packer) Pending() bool { return len(p.lengths) > 0 }

// Frames is an upper bound of the frames that adding a message of size bytes
// and flushing would emit.
func (p *Packer) Frames(size int) int { return size/(p.packet-2) + 2 }

// Add appends one message, given in parts, which are copied. Frames that fill
// up go to emit at once; each is valid during the call only. A message without
// bytes is dropped, as the reference drops it.
//
// Fragment numbers start at 1 with every message: receivers of the reference
// that came in the middle of a message wait for a 0 or a 1.
func (p *Packer) Add(emit func(frame []byte), parts ...[]byte) {
	left := 0
	for _, part := range parts {
		left += len(part)
	}
	var fragment uint8
	piece := 0
	for _, part := range parts {
		for len(part) > 0 {
			// There is room: a frame without any is emitted below.
			n := copy(p.buf[p.dataAt()+p.used+piece:][:p.room()-piece], part)
			part = part[n:]
			piece += n
			left -= n
			if left > 0 && piece < p.room() {
				continue
			}
			p.close(piece)
			piece = 0
			if left > 0 {
				fragment = nextFragment(fragment)
				p.emit(emit, fragment)
			} else if p.room() < 1 {
				p.emit(emit, 0)
			}
		}
	}
}

// close ends the current message's piece in this frame.
func (p *Packer) close(piece int) {
	p.lengths = append(p.lengths, uint16(piece))
	p.used += piece
}

// nextFragment counts 1 to 255 and round to 1: zero means "not fragmented".
func nextFragment(f uint8) uint8 {
	if f == 255 {
		return 1
	}
	return f + 1
}

// Flush emits what waits, if anything does.
func (p *Packer) Flush(emit func(frame []byte)) {
	if p.Pending() {
		p.emit(emit, 0)
	}
}

func (p *Packer) emit(emit func(frame []byte), fragmented uint8) {
	end := p.dataAt() + p.used
	frame := p.buf[p.dataAt()-2*len(p.lengths)-HeaderLen : end]
	clear(frame[:4]) // version and type
	frame[4], frame[5] = fragmented, p.continuation
	binary.LittleEndian.PutUint16(frame[6:], uint16(len(p.lengths)))
	for i, n := range p.lengths {
		binary.LittleEndian.PutUint16(frame[HeaderLen+2*i:], n)
	}
	p.continuation = fragmented
	p.lengths = p.lengths[:0]
	p.used = 0
	emit(frame)
}
