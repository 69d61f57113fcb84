package engine

import "math/bits"

// Sizes of pooled buffers: powers of two from 128 bytes to 128 KiB, which holds
// a frame and the header it is wrapped in for recovery.
const (
	smallestClass = 7
	largestClass  = 17
	maxIdle       = 8 << 20 // bytes a pool keeps for later
)

// A pool recycles message buffers. What effects may still point at is only
// retired; recycle takes it back when the effects have been performed.
type pool struct {
	free    [largestClass + 1][][]byte // by class
	idle    int                        // bytes in free
	retired [][]byte
}

// class is the smallest class that holds n bytes.
func class(n int) int { return max(smallestClass, bits.Len(uint(max(n, 1)-1))) }

// get returns an empty buffer with room for n bytes.
func (p *pool) get(n int) []byte {
	c := class(n)
	if c > largestClass {
		return make([]byte, 0, n)
	}
	list := p.free[c]
	if len(list) == 0 {
		return make([]byte, 0, 1<<c)
	}
	b := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[c] = list[:len(list)-1]
	p.idle -= 1 << c
	return b[:0]
}

// retire gives a buffer back that effects may still point at.
func (p *pool) retire(b []byte) { p.retired = append(p.retired, b) }

// recycle makes the retired buffers available: no effect points at them any
// more. Buffers that did not come from get are left to the garbage collector.
func (p *pool) recycle() {
	for i, b := range p.retired {
		c := class(cap(b))
		if c <= largestClass && cap(b) == 1<<c && p.idle+cap(b) <= maxIdle {
			p.free[c] = append(p.free[c], b)
			p.idle += cap(b)
		}
		p.retired[i] = nil
	}
	p.retired = p.retired[:0]
}
