package link

import (
	"time"

	"cpgol/wire/knet"
)

// maxPartial is how many of a host's messages may be in reassembly at once
// (KNET_DEFRAG_BUFFERS).
const maxPartial = 32

// A buffer holds a message while its fragments come in, and after that until
// the Output that delivers it is reset.
type buffer [knet.MaxMessage]byte

// A pool keeps up to maxFree buffers for reuse by any host.
type pool struct{ free []*buffer }

const maxFree = 64

func (p *pool) get() *buffer {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return new(buffer)
}

func (p *pool) put(b *buffer) {
	if len(p.free) < maxFree {
		p.free = append(p.free, b)
	}
}

// A partial is a message of which some fragments are here
// (knet_host_defrag_buf).
type partial struct {
	seq     uint16
	method  knet.Method
	num     uint8 // fragments in all
	got     uint8 // fragments here
	have    [4]uint64
	size    int // of every fragment but the last, 0: none of them here yet
	last    int // size of the last, 0: not here yet
	touched time.Duration
	data    *buffer
}

// A defrag puts one host's messages together. Fragments may come in any order.
// There is no timer: what stays incomplete goes when the sequence numbers move on.
type defrag struct {
	pool  *pool
	parts []partial // in use, at most maxPartial
}

// find returns the message with this number if it is in reassembly.
func (d *defrag) find(seq uint16) *partial {
	for i := range d.parts {
		if d.parts[i].seq == seq {
			return &d.parts[i]
		}
	}
	return nil
}

// begin starts a message, of which f is the first fragment to arrive. If all
// places are taken the message that waited longest goes; it reports whether one
// did (find_pckt_defrag_buf).
func (d *defrag) begin(now time.Duration, f *knet.Data) (p *partial, evicted bool) {
	if len(d.parts) == maxPartial {
		oldest := 0
		for i := range d.parts {
			if d.parts[i].touched < d.parts[oldest].touched {
				oldest = i
			}
		}
		d.drop(oldest)
		evicted = true
	}
	d.parts = append(d.parts, partial{seq: f.Seq, method: f.Method, num: f.FragNum, touched: now, data: d.pool.get()})
	return &d.parts[len(d.parts)-1], evicted
}

// add takes in fragment f of the message. It returns a cause if f is refused,
// and whether the message is complete now.
//
// Offsets come from the size of the fragments themselves, as the sender's MTU is
// not known here. The reference trusts fragments to agree with each other and
// with its buffer; this does not (CVE-2026-15813 is about the same numbers).
func (p *partial) add(now time.Duration, f *knet.Data) (complete bool, why Cause, ok bool) {
	n := len(f.Payload)
	if f.FragNum != p.num || f.Method != p.method {
		return false, ContraryFragment, false
	}
	if p.have[f.FragSeq/64]&(1<<(f.FragSeq%64)) != 0 {
		return false, Duplicate, false
	}
	size, last := p.size, p.last
	if f.FragSeq == f.FragNum {
		last = n
	} else if size == 0 {
		size = n
	} else if size != n {
		return false, ContraryFragment, false
	}
	if size != 0 && (last > size || (int(p.num)-1)*size+max(last, 1) > knet.MaxMessage) || last > knet.MaxMessage {
		return false, ContraryFragment, false
	}
	switch {
	case f.FragSeq != f.FragNum:
		copy(p.data[(int(f.FragSeq)-1)*size:], f.Payload)
	case size != 0:
		copy(p.data[(int(p.num)-1)*size:], f.Payload)
	default:
		// The last came first and its place is unknown: park it at the end,
		// which no other fragment of a message that fits can reach.
		copy(p.data[len(p.data)-n:], f.Payload)
	}
	if p.size == 0 && size != 0 && p.last != 0 {
		// Now the parked one's place is known.
		copy(p.data[(int(p.num)-1)*size:], p.data[len(p.data)-last:])
	}
	p.size, p.last, p.touched = size, last, now
	p.have[f.FragSeq/64] |= 1 << (f.FragSeq % 64)
	p.got++
	return p.got == p.num, 0, true
}

// take removes the complete message p and hands over its buffer and length.
func (d *defrag) take(p *partial) (*buffer, int) {
	b, n := p.data, (int(p.num)-1)*p.size+p.last
	for i := range d.parts {
		if &d.parts[i] == p {
			d.remove(i)
			break
		}
	}
	return b, n
}

// reclaim drops what is not among the 33 numbers up to newest and reports how
// many messages that were (_reclaim_old_defrag_bufs).
func (d *defrag) reclaim(newest uint16) (dropped int) {
	for i := len(d.parts) - 1; i >= 0; i-- {
		if newest-d.parts[i].seq > maxPartial {
			d.drop(i)
			dropped++
		}
	}
	return dropped
}

// reset drops all and reports how many messages that were.
func (d *defrag) reset() int {
	n := len(d.parts)
	for i := n - 1; i >= 0; i-- {
		d.drop(i)
	}
	return n
}

func (d *defrag) drop(i int) {
	d.pool.put(d.parts[i].data)
	d.remove(i)
}

func (d *defrag) remove(i int) {
	last := len(d.parts) - 1
	d.parts[i] = d.parts[last]
	d.parts[last] = partial{}
	d.parts = d.parts[:last]
}
