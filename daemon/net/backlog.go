package net

import "net/netip"

const (
	// backlogBytes bounds what waits for a socket that takes no more. Beyond,
	// new datagrams are dropped: Totem asks again for what was lost.
	backlogBytes = 4 << 20
	// parcelCost is what a parcel counts beside its bytes, so that many tiny
	// ones are bounded too.
	parcelCost = 64
	// backlogKeep is the memory kept once the backlog is empty.
	backlogKeep = 256 << 10
)

// A backlog is a bounded queue of parcels with the bytes copied, first in first
// out. The zero value is empty and holds no memory.
type backlog struct {
	items []waiting
	head  int // of items
	bytes []byte
	start int // of the first item's bytes
}

type waiting struct {
	to      netip.AddrPort
	size    int
	segment int
	tag     uint32
}

func (q *backlog) len() int { return len(q.items) - q.head }

// push copies a parcel in and reports whether there was room.
func (q *backlog) push(p parcel) bool {
	if q.cost()+len(p.b)+parcelCost > backlogBytes {
		return false
	}
	// Moving down only what is the smaller half keeps the cost linear.
	if q.start > len(q.bytes)/2 && len(q.bytes)+len(p.b) > cap(q.bytes) {
		n := copy(q.bytes, q.bytes[q.start:])
		q.bytes, q.start = q.bytes[:n], 0
	}
	if q.head > len(q.items)/2 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		q.items, q.head = q.items[:n], 0
	}
	q.bytes = append(q.bytes, p.b...)
	q.items = append(q.items, waiting{to: p.to, size: len(p.b), segment: p.segment, tag: p.tag})
	return true
}

func (q *backlog) cost() int { return len(q.bytes) - q.start + q.len()*parcelCost }

// each calls add with the oldest parcels until it returns false. Their bytes
// are valid until the next push.
func (q *backlog) each(add func(parcel) bool) {
	at := q.start
	for _, w := range q.items[q.head:] {
		if !add(parcel{to: w.to, b: q.bytes[at : at+w.size], segment: w.segment, tag: w.tag}) {
			return
		}
		at += w.size
	}
}

// drop forgets the oldest n parcels and the first part bytes of the one after.
func (q *backlog) drop(n, part int) {
	for range n {
		q.start += q.items[q.head].size
		q.head++
	}
	if part > 0 {
		q.items[q.head].size -= part
		q.start += part
	}
	if q.len() > 0 {
		return
	}
	*q = backlog{items: q.items[:0], bytes: q.bytes[:0]}
	if cap(q.bytes) > backlogKeep {
		*q = backlog{}
	}
}
