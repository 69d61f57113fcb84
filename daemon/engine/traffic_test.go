package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cpgol/wire/pg"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// lossy drops about one packet in n of the given types.
func (r *testRing) lossy(n int, types ...totem.Type) {
	rnd := newRand(uint64(n))
	r.drop = func(_ totem.NodeID, p []byte) bool {
		return slices.Contains(types, totem.Type(p[3])) && rnd.IntN(n) == 0
	}
}

// Lost multicasts are asked for after five visits and sent again by whoever has
// them; the order stays.
func TestLoss(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		r := formRing(t, n, nil)
		r.lossy(4, totem.TypeMcast)
		for i := range 300 {
			r.send(totem.NodeID(i%n+1), strings.Repeat(fmt.Sprint(i, " "), 100))
			r.run(50 * time.Microsecond)
		}
		r.until(func() bool { return r.allHave(300) })
		r.wantSameMessages()
		retransmits := uint64(0)
		for _, node := range r.nodes {
			retransmits += node.Stats().McastRetx
		}
		if retransmits == 0 {
			t.Error("nothing was sent again")
		}
	}
}

// Sequence numbers wrap, for messages and tokens alike, also with loss and
// through a change of membership.
func TestSequenceWrap(t *testing.T) {
	for _, first := range []totem.Seq{0xFFFFFF00, 0x7FFFFF00, 0xFFFFFFFF, 1} {
		r := formRing(t, 3, func(c *Config) { c.FirstSeq = first })
		r.lossy(10, totem.TypeMcast, totem.TypeToken)
		sent := 0
		burst := func(n int) {
			for range n {
				sent++
				r.send(r.ids()[sent%len(r.nodes)], strings.Repeat(fmt.Sprint(sent, " "), 200))
				r.run(100 * time.Microsecond)
			}
			r.until(func() bool { return r.allHave(sent) })
		}
		burst(700)
		r.wantSameMessages()
		if n := r.nodes[1]; n.token.lastSeq-first < 300 || n.token.lastTokenSeq-first < 300 {
			t.Errorf("first %#x: only came to message %#x, token %#x", first, n.token.lastSeq, n.token.lastTokenSeq)
		}
		r.remove(2)
		r.until(r.together)
		burst(700)
		r.wantSameMessages()
	}
}

// The longest messages pass, in small and large frames, packed with others.
func TestLongMessages(t *testing.T) {
	for _, mtu := range []int{1500, 65536} {
		r := formRing(t, 2, func(c *Config) { c.NetMTU = mtu })
		long := strings.Repeat("0123456789abcdef", pg.MaxMessage/16)
		r.send(1, "before")
		r.send(1, long)
		r.send(2, "between")
		r.send(1, "after")
		r.until(func() bool { return r.allHave(4) })
		r.wantSameMessages()
		var got []int
		for _, m := range r.nodes[2].messages() {
			if m[0] == '1' {
				got = append(got, len(m)-2)
			}
		}
		if diff := cmp.Diff([]int{6, pg.MaxMessage, 5}, got); diff != "" {
			t.Errorf("mtu %d (-want +got):\n%s", mtu, diff)
		}
		n := r.nodes[1]
		if err := n.Send(r.now, &n.out, make([]byte, pg.MaxMessage), []byte{0}); !errors.Is(err, ErrTooLong) {
			t.Errorf("mtu %d: one byte more: %v", mtu, err)
		}
	}
}

// The queue fills up, says so, and drains.
func TestQueueFull(t *testing.T) {
	for _, mtu := range []int{1500, 65536} {
		r := formRing(t, 2, func(c *Config) { c.NetMTU = mtu })
		n := r.nodes[1]
		msg := make([]byte, 100_000)
		msg[0] = 'x'
		var err error
		sent := 0
		for ; err == nil; sent++ {
			if !n.Room(len(msg)) {
				t.Logf("no room after %d", sent)
			}
			err = n.Send(r.now, &n.out, msg)
		}
		sent--
		if !errors.Is(err, ErrQueueFull) || n.Room(len(msg)) {
			t.Errorf("mtu %d: %v, room %v", mtu, err, n.Room(len(msg)))
		}
		if sent < 25 || sent > 42 { // four megabytes
			t.Errorf("mtu %d: took %d messages", mtu, sent)
		}
		if l := n.QueueLevel(); l < 90 || l > 100 {
			t.Errorf("mtu %d: level %d", mtu, l)
		}
		r.perform(n)
		r.until(func() bool { return r.allHave(sent) && !n.Pending() })
		if l := n.QueueLevel(); l != 0 {
			t.Errorf("mtu %d: level %d at the end", mtu, l)
		}
		r.wantSameMessages()
	}
}

// tokens counts the tokens sent while d passes.
func (r *testRing) tokens(d time.Duration) int {
	r.rec, r.sent = true, nil
	r.run(d)
	r.rec = false
	n := 0
	for _, p := range r.sent {
		if p.packet[3] == byte(totem.TypeToken) {
			n++
		}
	}
	return n
}

// An idle ring's token is held; work on any node lets it go at once.
func TestHold(t *testing.T) {
	for _, sender := range []totem.NodeID{1, 2, 3} {
		r := formRing(t, 3, nil)
		r.run(time.Second)
		if n := r.tokens(5610 * time.Millisecond); n < 27 || n > 33 {
			t.Errorf("sender %d: %d tokens while ten hold times pass, want three for each", sender, n)
		}
		begin := r.now
		r.send(sender, "work")
		r.until(func() bool { return r.allHave(1) })
		if took := r.now - begin; took > 2*time.Millisecond {
			t.Errorf("sender %d: delivered after %v", sender, took)
		}
		cancels := uint64(0)
		for _, n := range r.nodes {
			cancels += n.Stats().TokenHoldCancelTx
		}
		if cancels != 1 {
			t.Errorf("sender %d: %d hold cancels", sender, cancels)
		}
		// A while later it is held again.
		r.run(time.Second)
		if n := r.tokens(561 * time.Millisecond); n > 6 {
			t.Errorf("sender %d: %d tokens in a hold time afterwards", sender, n)
		}
	}
}

// A ring of one holds its token too, and does not spin.
func TestHoldAlone(t *testing.T) {
	r := formRing(t, 1, nil)
	r.run(time.Second)
	if n := r.tokens(5610 * time.Millisecond); n > 11 {
		t.Errorf("%d tokens in ten hold times", n)
	}
	r.send(1, "to myself")
	r.run(time.Millisecond)
	if diff := cmp.Diff([]string{"1:to myself"}, r.nodes[1].messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The option to let go of the token while messages are missing.
func TestCancelHoldOnRetransmit(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		r := formRing(t, 2, func(c *Config) { c.CancelHoldOnRetransmit = cancel })
		r.run(time.Second)
		lost := 0
		r.drop = func(_ totem.NodeID, p []byte) bool {
			if p[3] == byte(totem.TypeMcast) {
				lost++
			}
			return p[3] == byte(totem.TypeMcast) && lost < 40 // until well after the hold
		}
		r.send(1, "lost for long")
		begin := r.now
		r.until(func() bool { return r.allHave(1) })
		// Without the option each visit takes a hold time once the token is held.
		if took := r.now - begin; cancel != (took < time.Second) {
			t.Errorf("option %v: repaired after %v", cancel, took)
		}
	}
}

// Messages that some members lack when a node dies are exchanged in recovery,
// before the transitional configuration.
func TestRecovery(t *testing.T) {
	r := formRing(t, 4, nil)
	r.drop = func(to totem.NodeID, p []byte) bool {
		if p[3] != byte(totem.TypeMcast) || p[4] != totem.NotEncapsulated {
			return false
		}
		seq := p[17]
		return to == 2 && seq%3 == 0 || to == 3 && seq%3 == 1
	}
	for i := range 40 {
		r.send(1, strings.Repeat(fmt.Sprint(i, " "), 400))
	}
	r.until(func() bool { return len(r.nodes[4].messages()) >= 30 })
	r.remove(1)
	r.until(r.together)
	r.wantSameMessages()
	n := r.nodes[3]
	transitional := slices.IndexFunc(n.got, func(s string) bool {
		return strings.HasPrefix(s, "transitional") && strings.Contains(s, "left [1]")
	})
	before := 0
	for _, s := range n.got[:transitional] {
		if strings.HasPrefix(s, "1:") {
			before++
		}
	}
	if before < 30 {
		t.Errorf("%d messages before the transitional configuration", before)
	}
	total := uint64(0)
	for _, n := range r.nodes {
		total += uint64(n.senderSeq)
	}
	if total == 0 {
		t.Error("nothing was sent again")
	}
}

// What nobody has is skipped, and what is behind it comes in the transitional
// configuration, if its sender came along.
func TestRecoveryWithHoles(t *testing.T) {
	r := formRing(t, 3, nil)
	r.drop = func(to totem.NodeID, p []byte) bool {
		var m totem.Mcast
		if _, err := m.Decode(p); err != nil {
			return false
		}
		return m.From == 1 && strings.Contains(string(m.Payload), "lost")
	}
	for i := range 6 {
		if i == 2 {
			r.send(1, "lost"+strings.Repeat(".", 1390)) // fills a frame
		} else {
			r.send(1, fmt.Sprint("one ", i, strings.Repeat(".", 1390)))
		}
		r.send(2, fmt.Sprint("two ", i, strings.Repeat(".", 1390)))
		r.run(2 * time.Millisecond)
	}
	r.remove(1)
	r.until(r.together)
	r.wantSameMessages()
	var got []string
	for _, s := range r.nodes[3].got[2:] {
		got = append(got, s[:min(len(s), 7)])
	}
	i := len(got) - 1
	for i >= 0 && got[i] != "transit" {
		i--
	}
	if i < 3 {
		t.Fatalf("got %v", got)
	}
	for _, s := range got[i:] {
		if s[:2] == "1:" {
			t.Errorf("%q of the dead node behind the transitional configuration: %v", s, got)
		}
	}
	if n := strings.Count(strings.Join(got, "\n"), "2:two"); n != 6 {
		t.Errorf("%d messages of node 2: %v", n, got)
	}
}

// While the synchronisation lasts only its messages travel; what waited, even a
// half-sent message, follows.
func TestSynchronisationQueue(t *testing.T) {
	r := formRing(t, 2, func(c *Config) { c.MaxMessages = 2 })
	long := strings.Repeat("x", 60_000)
	r.send(1, "first "+long)
	r.send(1, "second")
	r.run(time.Millisecond) // a part of it
	for _, n := range r.nodes {
		n.noSync = true
	}
	r.add(func() Config { c := testConfig(3); c.MaxMessages = 2; return c }())
	r.nodes[3].noSync = true
	r.until(func() bool {
		for _, n := range r.nodes {
			if len(n.Members()) != 3 || n.State() != StateOperational {
				return false
			}
		}
		return true
	})
	for _, n := range r.nodes {
		n.noSync = false
	}
	r.send(1, "barrier of 1")
	r.send(2, "barrier of 2")
	r.until(func() bool { return len(r.nodes[3].messages()) == 2 && len(r.nodes[1].messages()) == 2 })
	r.run(100 * time.Millisecond)
	if m := r.nodes[1].messages(); len(m) != 2 {
		t.Fatalf("delivered during the synchronisation: %d", len(m))
	}
	for _, n := range r.nodes {
		n.SyncDone(r.now, &n.out)
		n.assembler = &n.normal
		r.perform(n)
	}
	r.until(func() bool { return r.allHave(4) })
	if diff := cmp.Diff(r.nodes[1].messages(), r.nodes[2].messages()); diff != "" {
		t.Error(diff)
	}
	if m := r.nodes[2].messages(); m[2] != "1:first "+long || m[3] != "1:second" {
		t.Errorf("got %.20q, %.20q", m[2], m[3])
	}
	// The node that came in the middle misses nothing: the long one starts over.
	if diff := cmp.Diff(r.nodes[1].messages(), r.nodes[3].messages()); diff != "" {
		t.Error(diff)
	}
}

// What was queued for the synchronisation and not sent before its end becomes
// ordinary, behind what waited already.
func TestSynchronisationLeftovers(t *testing.T) {
	r := newTestRing(t)
	n := r.add(testConfig(1))
	n.noSync = true
	r.until(func() bool { return n.State() == StateOperational })
	n.SyncDone(r.now, &n.out)
	n.assembler = &n.normal
	r.send(1, "ordinary")
	n.syncing = true
	r.send(1, "late")
	n.SyncDone(r.now, &n.out)
	r.perform(n)
	r.send(1, "last")
	r.until(func() bool { return len(n.messages()) == 3 })
	if diff := cmp.Diff([]string{"1:ordinary", "1:late", "1:last"}, n.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
