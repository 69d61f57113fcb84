package engine

import "cpgol/wire/totem"

const (
	// window is how many sequence numbers a sort queue spans
	// (QUEUE_RTR_ITEMS_SIZE_MAX). A power of two, so that slots stay put when
	// sequence numbers wrap.
	window = 16384

	// maxHeld bounds the bytes of the messages a queue holds. The reference
	// would hold a whole window of the longest frames, a gigabyte. Beyond it
	// only the message that the order waits for is taken; others are asked for
	// again later, like lost ones.
	maxHeld = 192 << 20
)

// A slot holds one message of a ring.
type slot struct {
	packet       []byte // the whole multicast, as it came; nil if it is missing
	from         totem.NodeID
	encapsulated bool // carries a message of an older ring
	borrowed     bool // packet is part of another slot's
	misses       int  // token visits at which it was missing
}

// A sortQueue holds a ring's messages by sequence number until all members have
// them (include/corosync/sq.h). Each queue knows its own progress, so that the
// old ring's survives attempts to form a new one; the reference saves and
// restores it (old_ring_state_save).
type sortQueue struct {
	head totem.Seq // the first number not yet released
	aru  totem.Seq // all up to here were received
	high totem.Seq // the highest number received
	// assigned is the highest number that a token said to have been assigned.
	assigned totem.Seq
	slots    []slot
	held     int // bytes
	pool     *pool
}

func newSortQueue(p *pool, start totem.Seq) *sortQueue {
	q := &sortQueue{slots: make([]slot, window), pool: p}
	q.reset(start)
	return q
}

// reset empties the queue; start is the number before the ring's first.
func (q *sortQueue) reset(start totem.Seq) {
	for i := range q.slots {
		q.clear(&q.slots[i])
	}
	// As in the reference, the number before the first is in the window too.
	q.head, q.aru, q.high, q.assigned = start, start, start, start
}

func (q *sortQueue) at(s totem.Seq) *slot { return &q.slots[s%window] }

// inWindow reports whether s has a slot now (sq_in_range).
func (q *sortQueue) inWindow(s totem.Seq) bool { return s-q.head < window }

// assignable reports whether a token may say that numbers up to s were assigned:
// never less than before, and no node goes further beyond what it has released,
// and so beyond what all have received, than windowLimit lets it. A node of the
// reference ends itself when a token is behind what it has received, or further
// from it than the window is long (orf_token_rtr).
func (q *sortQueue) assignable(s totem.Seq, windowSize int) bool {
	return !s.Before(q.assigned) && uint32(s-q.aru) < window && uint32(s+1-q.head) <= window-uint32(windowSize)+1
}

// plausible reports whether a message may have number s by now: the rotation that
// the token is in assigns no more than a window, or a few if nodes differ in what
// that is. Above the window's last part no message is taken either, though nodes
// may send it when one of them receives nothing for long: one of the reference
// that has released a little less than this node ends itself when such a message
// is sent to it again (messages_deliver_to_app, sq_item_add).
func (q *sortQueue) plausible(s totem.Seq, windowSize int) bool {
	few := totem.Seq(max(8*windowSize, 1024))
	return s-q.head < window-totem.Seq(min(4*windowSize, window/4)) && s.AtMost(q.assigned+few)
}

// get returns the slot of message s, or nil if it is missing or out of the
// window.
func (q *sortQueue) get(s totem.Seq) *slot {
	if !q.inWindow(s) {
		return nil
	}
	if sl := q.at(s); sl.packet != nil {
		return sl
	}
	return nil
}

// put stores message s, which the caller knows to be in the window. The buffer
// is the queue's from now on, unless it is borrowed.
func (q *sortQueue) put(s totem.Seq, sl slot) {
	at := q.at(s)
	q.clear(at)
	sl.misses = 0
	*at = sl
	if !sl.borrowed {
		q.held += cap(sl.packet)
	}
	if q.high.Before(s) {
		q.high = s
	}
}

// takes reports whether memory allows for message s.
func (q *sortQueue) takes(s totem.Seq) bool { return q.held < maxHeld || s == q.aru+1 }

// advance moves aru over the messages that are here (update_aru).
func (q *sortQueue) advance() {
	for q.aru.Before(q.high) && q.get(q.aru+1) != nil {
		q.aru++
	}
}

// release lets go of all messages up to and including s (sq_items_release).
func (q *sortQueue) release(s totem.Seq) {
	for q.head.AtMost(s) {
		q.clear(q.at(q.head))
		q.head++
	}
}

func (q *sortQueue) clear(sl *slot) {
	if sl.packet != nil && !sl.borrowed {
		q.held -= cap(sl.packet)
		q.pool.retire(sl.packet)
	}
	*sl = slot{}
}
