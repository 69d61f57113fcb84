package mesh

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// A Buffer is one message's bytes. It has owners, who are counted: Get makes one,
// Retain another, and each calls Release once, after which it must not touch the
// bytes. Then the memory serves the next message; a Buffer that is never
// released is only collected. The bytes must not change while there are several
// owners.
type Buffer struct {
	data  []byte // of the class's size, and slack
	size  int
	class int
	refs  atomic.Int32
}

// slack is how much longer than its size a Buffer can always be: the seal of
// what is opened in place stands there.
const slack = sealLen

// Sizes of classes: four to each doubling, so that at most a quarter is wasted.
const (
	leastBits = 6
	mostBits  = 24
	classes   = (mostBits-leastBits)*4 + 1
)

var pools [classes]sync.Pool

// Get returns a Buffer of size bytes, whatever they are. It has one owner.
func Get(size int) *Buffer {
	class, room := classOf(size)
	if class >= 0 {
		if b, ok := pools[class].Get().(*Buffer); ok {
			b.size = size
			b.refs.Store(1)
			return b
		}
	}
	b := &Buffer{data: make([]byte, room+slack), size: size, class: class}
	b.refs.Store(1)
	return b
}

// classOf is the class for so many bytes and its size; -1 if it is larger than
// what is kept.
func classOf(n int) (class, room int) {
	if n <= 1<<leastBits {
		return 0, 1 << leastBits
	}
	e := bits.Len(uint(n-1)) - 1 // 2^e < n <= 2^(e+1)
	step := 1 << (e - 2)
	q := (n - 1<<e + step - 1) / step
	if class = (e-leastBits)*4 + q; class < classes {
		return class, 1<<e + q*step
	}
	return -1, n
}

// Bytes are the message's; they are there until the caller releases the Buffer.
func (b *Buffer) Bytes() []byte { return b.data[:b.size:b.size] }

// Len is the number of bytes.
func (b *Buffer) Len() int { return b.size }

// Retain adds an owner.
func (b *Buffer) Retain() { b.refs.Add(1) }

// Release ends the caller's ownership.
func (b *Buffer) Release() {
	switch n := b.refs.Add(-1); {
	case n < 0:
		panic("mesh: a buffer without owners was released")
	case n == 0 && b.class >= 0:
		pools[b.class].Put(b)
	}
}
