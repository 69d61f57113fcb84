package ipc

import "encoding/binary"

// A backlog keeps messages in order while their ring is full. Messages lie one
// behind the other in blocks, each behind its length, so that a small one costs
// its bytes and no allocation of its own.
type backlog struct {
	blocks []block
	count  int // messages
	bytes  int // memory held by blocks
}

type block struct {
	data []byte
	at   int // where the oldest message begins
}

// lengthLen is the size of the length before each message.
const lengthLen = 4

// blockSize is a block's usual capacity. A longer message gets a block of its
// own length.
const blockSize = 64 << 10

// maxSpare is how many blocks a pool keeps: a megabyte, a ring's worth.
const maxSpare = 16

// A blockPool keeps a few blocks between one backlog and the next.
type blockPool struct{ spare [][]byte }

func (b *backlog) empty() bool { return b.count == 0 }

// push adds a copy of head followed by body.
func (b *backlog) push(pool *blockPool, head, body []byte) {
	size := len(head) + len(body)
	last := b.last(pool, lengthLen+size)
	last.data = binary.NativeEndian.AppendUint32(last.data, uint32(size))
	last.data = append(append(last.data, head...), body...)
	b.count++
}

// last is the newest block, with room for n bytes.
func (b *backlog) last(pool *blockPool, n int) *block {
	if i := len(b.blocks) - 1; i >= 0 && cap(b.blocks[i].data)-len(b.blocks[i].data) >= n {
		return &b.blocks[i]
	}
	data := pool.get(n)
	b.bytes += cap(data)
	b.blocks = append(b.blocks, block{data: data})
	return &b.blocks[len(b.blocks)-1]
}

// front is the oldest message, valid until pop. There must be one.
func (b *backlog) front() []byte {
	first := &b.blocks[0]
	start := first.at + lengthLen
	return first.data[start:][:binary.NativeEndian.Uint32(first.data[first.at:])]
}

// pop removes the oldest message.
func (b *backlog) pop(pool *blockPool) {
	first := &b.blocks[0]
	first.at += lengthLen + len(b.front())
	b.count--
	if first.at < len(first.data) {
		return
	}
	b.bytes -= cap(first.data)
	pool.put(first.data)
	b.blocks[0] = block{}
	b.blocks = b.blocks[1:]
}

// drop removes everything.
func (b *backlog) drop() { *b = backlog{} }

func (p *blockPool) get(n int) []byte {
	if i := len(p.spare) - 1; i >= 0 && n <= blockSize {
		data := p.spare[i]
		p.spare = p.spare[:i]
		return data
	}
	return make([]byte, 0, max(n, blockSize))
}

func (p *blockPool) put(data []byte) {
	if cap(data) == blockSize && len(p.spare) < maxSpare {
		p.spare = append(p.spare, data[:0])
	}
}
