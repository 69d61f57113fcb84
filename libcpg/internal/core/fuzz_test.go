package core

import (
	"testing"
	"time"
)

// FuzzCore: whatever others, the daemon and the mesh say, in whatever order,
// nothing panics, what is kept stays within its bounds, every payload is given
// back once at most, and the library is told nothing that it can't do.
func FuzzCore(f *testing.F) {
	f.Add([]byte{1, 1, 3, 1, 7, 1, 0, 255, 4, 50, 7, 1, 1, 255, 9, 0, 1, 1})
	f.Add([]byte{4, 90, 13, 1, 2, 4, 90, 14, 4, 3, 2, 0, 6, 1, 1, 40, 9, 1, 1, 1, 12, 1, 40})
	f.Add([]byte("\x04Z\x01\x02\x04Z\xcd\xcd\xcd\x02\x00\x00\x04\x01(\t\x01\x01\x01")) // holds more than it took
	f.Add([]byte{1, 1, 3, 6, 1, 1, 99, 6, 1, 2, 99, 5, 2, 1, 9, 2, 1, 1, 3, 1, 1, 2, 3, 2, 8, 200, 11})
	f.Fuzz(func(t *testing.T, in []byte) {
		h := &harness{t: t, Core: New(self, small), in: in, epoch: 1, owned: map[*message]bool{}}
		for len(h.in) > 0 {
			h.step()
			h.perform()
			h.bounds()
		}
	})
}

type harness struct {
	*Core
	t       *testing.T
	in      []byte
	out     Output
	now     time.Duration
	epoch   uint64
	owned   map[*message]bool // the core's
	ringing bool
	largest int // that was sent
}

func (h *harness) next() int {
	if len(h.in) == 0 {
		return 0
	}
	b := h.in[0]
	h.in = h.in[1:]
	return int(b)
}

func (h *harness) who() Member { return []Member{self, alice, bob, {Node: 9, PID: 9}}[h.next()%4] }

// view is mostly the present one.
func (h *harness) view() View {
	if h.next() == 255 {
		return viewOf(h.epoch - 1)
	}
	return viewOf(h.epoch)
}

func (h *harness) payload() *message {
	m := &message{"x", h.next()}
	h.owned[m] = true
	return m
}

func (h *harness) step() {
	switch h.next() % 16 {
	case 0:
		h.now += time.Duration(h.next()) * 50 * time.Millisecond
	case 1, 2:
		h.epoch++
		members := []Member{self, alice, bob}[:1+h.next()%3]
		h.ViewOn(h.now, viewOf(h.epoch), members, &h.out)
	case 3:
		h.ViewOff(h.now, h.next()%2 == 0, &h.out)
	case 4:
		m := h.payload()
		if h.Send(h.now, m, &h.out) != nil {
			delete(h.owned, m)
		} else {
			h.largest = max(h.largest, m.size)
		}
	case 5:
		h.Left(h.now, []Member{h.who()}, &h.out)
	case 6:
		h.Arrived(h.who(), h.view(), uint64(h.next()), h.payload(), &h.out)
	case 7, 8:
		h.Held(h.now, h.who(), h.view(), uint64(h.next()), uint64(h.next())*20, &h.out)
	case 9:
		h.Ordered(h.now, h.view(), h.who(), uint64(h.next()), uint32(h.next()), &h.out)
	case 10:
		if h.next()%2 == 0 {
			h.DirectSent()
		} else {
			h.RingDelivered()
		}
	case 11:
		h.Tick(h.now, &h.out)
	case 12:
		h.Consumed(h.who(), h.next(), &h.out)
	case 13:
		h.PeerUp(h.now, h.who(), h.view(), &h.out)
		h.Progress(h.now, h.who())
	case 14:
		h.PeerDown(h.who())
	case 15:
		if m := h.Ring(); m != nil && h.next()%2 == 0 {
			h.give(m)
			h.RingSent(h.now, &h.out)
		} else if m != nil {
			h.RingBegun()
		}
	}
}

// give is the end of the core's use of a payload.
func (h *harness) give(p Payload) {
	m := p.(*message)
	if !h.owned[m] {
		h.t.Fatal("a payload that is not the core's")
	}
	delete(h.owned, m)
}

func (h *harness) perform() {
	for _, e := range h.out.Effects {
		switch e.Kind {
		case Release, Drop:
			h.give(e.Payload)
		case Transmit:
			for _, m := range e.To {
				p := h.peer(m)
				if m == self || p != nil && !p.up {
					h.t.Fatalf("transmits to %v", m)
				}
			}
			if e.Payload == nil {
				h.t.Fatal("nothing to send")
			}
		case Submit:
			if e.Count == 0 || e.Seq == 0 {
				h.t.Fatalf("submits %d from %d on", e.Count, e.Seq)
			}
		}
	}
	h.out.Reset()
}

func (h *harness) bounds() {
	kept := 0
	for _, n := range h.unread {
		kept += n
	}
	held := 0
	for _, p := range h.peers {
		kept += p.holding + p.open()
		held += p.holding
		// A member may say that it holds more than it took, and is believed.
		if p.limit > 0 && p.sent > max(p.limit, p.heldBytes) && p.up {
			h.t.Fatalf("sent %d of %d", p.sent, p.limit)
		}
		if p.heldAt < h.popped || p.heldAt > h.numbered || p.next < h.popped || p.next > h.numbered {
			h.t.Fatalf("%v: held up to %d, next %d, in %d to %d", p.Member, p.heldAt, p.next, h.popped, h.numbered)
		}
	}
	if kept != h.kept || kept < 0 {
		h.t.Fatalf("keeps %d bytes, thinks %d", kept, h.kept)
	}
	if most := max(small.Credit, 2*small.LargeLimit); held > most {
		h.t.Fatalf("holds %d bytes, granted %d at most", held, most)
	}
	waiting := 0
	for i := range h.queue.len() {
		waiting += h.queue.at(i).size
	}
	if waiting != h.waiting || waiting > small.Window+h.largest {
		h.t.Fatalf("%d bytes wait, thinks %d", waiting, h.waiting)
	}
	if h.popped > h.asked || h.asked > h.numbered || h.numbered > h.newest() {
		h.t.Fatalf("positions %d, %d, %d, %d", h.popped, h.asked, h.numbered, h.newest())
	}
	if h.Deadline() < 0 {
		h.t.Fatal("a deadline before all time")
	}
}
