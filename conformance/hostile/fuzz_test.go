package hostile

import (
	"testing"
	"time"

	"cpgol/wire/pg"
)

// FuzzNode gives a whole node a row of hostile acts: packets from a member, in
// order through the ring or past it, datagrams from its address, and time. The
// first byte of each says which, the next two how long it is. Nothing may panic
// or hold more than its bounds, and the ring must be healthy afterwards.
func FuzzNode(f *testing.F) {
	c, err := recorded()
	if err != nil {
		f.Fatal(err)
	}
	act := func(kind byte, b []byte) []byte {
		return append([]byte{kind, byte(len(b)), byte(len(b) >> 8)}, b...)
	}
	for i, p := range c.packets {
		if i%7 == 0 && len(p) < 600 {
			f.Add(append(act(byte(i/7%3), p), act(7, nil)...))
		}
	}
	f.Add(act(3, []byte{0, 0, 2, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0}))
	f.Add(act(4, []byte{1, 0, 0, 0, 0, 0, 0, 0, 40, 2, 0, 0, 0, 0, 0, 0}))
	f.Add(act(5, []byte{1, 0, 0, 2, 0, 0, 0, 5, 0, 0, 1, 1, 0, 0, 'h', 'e', 'l', 'l', 'o'}))
	f.Add(act(6, []byte{1, 0, 2, 0, 'a', 'b'}))

	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t, 1, options{totem: " fail_recv_const: 20\n"})
		if !w.until(time.Minute, func() bool {
			return w.nodes[0].inService() && w.nodes[1].inService() && w.nodes[2].inService()
		}) {
			t.Fatal("no ring")
		}
		w.record = false
		own := w.nodes[1]
		for n := 0; len(b) >= 3 && n < 50; n++ {
			kind, size := b[0], min(int(b[1])|int(b[2])<<8, len(b)-3)
			packet := b[3 : 3+size]
			b = b[3+size:]
			switch kind % 8 {
			case 0: // as it is
				own.say(1, packet)
			case 1: // of the present ring
				own.say(1, ofRing(packet, own.ring()))
			case 2: // to all
				own.say(0, ofRing(packet, own.ring()))
			case 3: // through the ring
				own.order(append(pg.AppendGroup(nil, pg.GroupServices), packet...))
			case 4:
				own.order(append(pg.AppendGroup(nil, pg.GroupSync), packet...))
			case 5:
				w.post(addrOf(2), addrOf(1), packet)
			case 6: // of any group
				own.order(packet)
			case 7:
				w.run(time.Duration(size) * time.Millisecond)
			}
			w.run(300 * time.Microsecond)
		}
		if err := w.healthy(heal); err != nil {
			t.Fatal(err)
		}
	})
}
