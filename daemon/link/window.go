package link

// windowSize is how many sequence numbers a window remembers
// (KNET_CBUFFER_SIZE).
const windowSize = 4096

// farAhead is the least distance, counted backwards in 16 bits, that means
// ahead by at most the window's size; less, beyond the window, is another era.
const farAhead = 65535 - windowSize + 1

// A window remembers which of a host's messages were delivered and which had
// their reassembly begun, by their 16-bit sequence numbers. It is libknet
// 1.25's, oddities included: a number exactly 4096 behind the newest is taken
// for a duplicate, one further behind starts a new era (_seq_num_lookup).
type window struct {
	newest  uint16 // 0: nothing yet
	seen    flags  // delivered
	started flags  // reassembly begun (circular_buffer_defrag)
}

// flags has one bit per sequence number modulo windowSize.
type flags [windowSize / 64]uint64

func (f *flags) has(seq uint16) bool {
	i := seq % windowSize
	return f[i/64]&(1<<(i%64)) != 0
}

func (f *flags) set(seq uint16) {
	i := seq % windowSize
	f[i/64] |= 1 << (i % 64)
}

func (f *flags) unset(seq uint16) {
	i := seq % windowSize
	f[i/64] &^= 1 << (i % 64)
}

// wipe forgets everything; seq is the newest number from here on.
func (w *window) wipe(seq uint16) { *w = window{newest: seq} }

// fresh reports whether seq is not yet set in which, one of w's own two flag
// sets. A number ahead of the newest becomes the newest.
func (w *window) fresh(which *flags, seq uint16) bool {
	if w.newest == 0 {
		// The first number heard: without this the one after a restart would
		// count as far away (since 1.23).
		w.newest = seq
	}
	switch d := w.behind(seq); {
	case d < windowSize:
		return !which.has(seq)
	case d < farAhead:
		w.wipe(seq)
	default:
		for w.newest != seq {
			w.newest++
			w.seen.unset(w.newest)
			w.started.unset(w.newest)
		}
	}
	return true
}

// behind counts from seq up to the newest in 16 bits. It is one short for
// smaller numbers, because 0 is never sent, and so for every number within an
// era that did not wrap: 0 means the newest itself or the one before.
func (w *window) behind(seq uint16) uint16 {
	if seq < w.newest {
		return w.newest - seq - 1
	}
	return w.newest - seq
}
