package net

import "net/netip"

// bundleBytes is when a bundle is sent without being asked to, so that what is
// queued stays in the cache.
const bundleBytes = 512 << 10

// A bundle gathers copies of packets in the order they are sent, and keeps
// neighbours of equal size for one destination together as a run, which the
// kernel takes as one message.
type bundle struct {
	bytes []byte
	runs  []run
}

// A run is packets back to back, each segment long but for the last.
type run struct {
	to         netip.AddrPort // the zero value means everyone
	start, end int
	segment    int
}

// add copies a packet to the end and reports whether the bundle is full.
func (b *bundle) add(to netip.AddrPort, packet []byte) bool {
	if len(packet) == 0 {
		return false
	}
	start := len(b.bytes)
	b.bytes = append(b.bytes, packet...)
	end := len(b.bytes)
	if n := len(b.runs); n > 0 {
		// A run whose last packet is shorter has ended.
		r := &b.runs[n-1]
		if r.to == to && len(packet) <= r.segment && (r.end-r.start)%r.segment == 0 {
			r.end = end
			return end >= bundleBytes
		}
	}
	b.runs = append(b.runs, run{to: to, start: start, end: end, segment: len(packet)})
	return end >= bundleBytes
}

// packets are a run's bytes, valid until the next add.
func (b *bundle) packets(r run) []byte { return b.bytes[r.start:r.end:r.end] }

func (b *bundle) reset() { b.bytes, b.runs = b.bytes[:0], b.runs[:0] }
