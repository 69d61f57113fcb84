package engine

import (
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// A sendQueue holds what this node wants to multicast: frames that wait for the
// token, and behind them messages that wait in a packer for a frame to fill up.
//
// There are two. From a transitional configuration until SyncDone only the
// second, for the messages of the synchronisation, is filled and sent
// (totemsrp_mcast, new_message_queue_trans); what waits in the first goes on
// afterwards, even from the middle of a message. The reference shares one packer
// between them.
type sendQueue struct {
	packer *pg.Packer
	// frames are packets with room for a multicast's header in front; the header
	// is written when the token comes.
	frames [][]byte
	first  int // frames before it are sent
	pool   *pool
	emit   func(frame []byte) // q.push, bound once
	queued uint64             // frames ever pushed
}

func newSendQueue(p *pool, packet int) *sendQueue {
	q := &sendQueue{packer: pg.NewPacker(packet), pool: p}
	q.emit = q.push
	return q
}

func (q *sendQueue) len() int { return len(q.frames) - q.first }

func (q *sendQueue) empty() bool { return q.len() == 0 && !q.packer.Pending() }

// push queues one frame.
func (q *sendQueue) push(frame []byte) {
	b := q.pool.get(totem.McastLen + len(frame))
	b = append(b[:totem.McastLen], frame...)
	q.frames = append(q.frames, b)
	q.queued++
}

// pop takes the oldest frame, as a packet whose first 45 bytes are undefined.
func (q *sendQueue) pop() []byte {
	b := q.frames[q.first]
	q.frames[q.first] = nil
	q.first++
	switch {
	case q.first == len(q.frames):
		q.frames, q.first = q.frames[:0], 0
	case q.first >= 64 && q.first*2 >= len(q.frames):
		n := copy(q.frames, q.frames[q.first:])
		clear(q.frames[n:])
		q.frames, q.first = q.frames[:n], 0
	}
	return b
}

// flush moves what the packer holds into the queue (totempg.c:
// callback_token_received_fn).
func (q *sendQueue) flush() { q.packer.Flush(q.emit) }

// resize changes the frames' capacity for what is added from now on.
func (q *sendQueue) resize(packet int) {
	q.flush()
	q.packer = pg.NewPacker(packet)
}

// moveTo hands everything that waits here over to the end of another queue, if
// that can be done at a message's boundary.
func (q *sendQueue) moveTo(to *sendQueue) {
	q.flush()
	if q.len() == 0 || continues(q.frames[q.first]) {
		return
	}
	to.flush()
	for q.len() > 0 {
		to.frames = append(to.frames, q.pop())
	}
}

// continues reports whether a queued frame starts in the middle of a message.
func continues(packet []byte) bool {
	const continuationAt = totem.McastLen + 5
	return len(packet) > continuationAt && packet[continuationAt] != 0
}
