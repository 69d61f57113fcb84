package engine

// maxLoops bounds the packets that are expected back. A caller that drops them
// costs the engine nothing but their reuse.
const maxLoops = 16

// loops owns the packets that this node sends to itself. They outlive the call
// that made them, so each has a buffer until it is handed back.
type loops struct {
	waiting [][]byte
	free    [][]byte
}

// out copies a packet into a buffer of its own.
func (l *loops) out(packet []byte) []byte {
	var b []byte
	if n := len(l.free); n > 0 {
		b, l.free = l.free[n-1], l.free[:n-1]
	}
	b = append(b[:0], packet...)
	if len(l.waiting) == maxLoops {
		copy(l.waiting, l.waiting[1:])
		l.waiting = l.waiting[:maxLoops-1]
	}
	l.waiting = append(l.waiting, b)
	return b
}

// has reports whether packet is one of ours that is on its way back, and not
// somebody else's that claims to be ours.
func (l *loops) has(packet []byte) bool {
	for _, b := range l.waiting {
		if len(packet) > 0 && &b[0] == &packet[0] {
			return true
		}
	}
	return false
}

// back takes a buffer back if packet is one of ours, once it has been handled.
func (l *loops) back(packet []byte) {
	if len(packet) == 0 {
		return
	}
	for i, b := range l.waiting {
		if &b[0] == &packet[0] {
			n := len(l.waiting) - 1
			l.waiting[i] = l.waiting[n]
			l.waiting[n] = nil
			l.waiting = l.waiting[:n]
			if len(l.free) < maxLoops {
				l.free = append(l.free, b)
			}
			return
		}
	}
}
