package core

import (
	"testing"
	"time"

	"cpgol/wire/totem"
)

var (
	self  = Member{Node: 1, PID: 10}
	alice = Member{Node: 2, PID: 20}
	bob   = Member{Node: 3, PID: 30}
)

func viewOf(epoch uint64) View { return View{Ring: totem.RingID{Rep: 1, Seq: 4}, Epoch: epoch} }

// TestRingBegun: a message whose first part is in the ring stays there, though a
// view begins before its last part: it has one place in the order.
func TestRingBegun(t *testing.T) {
	c := New(self, Defaults)
	var out Output
	long, next := &message{"long", 2 << 20}, &message{"next", 1 << 20}
	c.Send(0, long, &out)
	c.Send(0, next, &out)
	if c.Ring() != long {
		t.Fatal("not to go in the ring")
	}
	c.RingBegun()
	c.ViewOn(0, viewOf(1), []Member{self, alice}, &out)
	c.PeerUp(0, alice, viewOf(1), &out)
	c.Held(0, alice, viewOf(1), 0, 64<<20, &out)
	if len(out.Effects) != 1 || out.Effects[0].Kind != Hold {
		t.Fatalf("beside the ring: %+v", out.Effects)
	}
	if c.Ring() != long {
		t.Fatalf("in the ring next: %v", c.Ring())
	}
	out.Reset()
	c.RingSent(time.Second, &out)
	if len(out.Effects) != 1 || out.Effects[0].Kind != Transmit || out.Effects[0].Payload != next || out.Effects[0].Seq != 1 {
		t.Fatalf("behind it: %+v", out.Effects)
	}
}
