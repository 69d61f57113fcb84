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
	// spoken are copies of the frames already sent of a message whose end is
	// still to come, beginning with the one in which it begins.
	spoken [][]byte
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

// next takes the oldest frame to be sent, as a packet whose first 45 bytes are
// undefined.
func (q *sendQueue) next() []byte {
	b := q.pop()
	frame := b[totem.McastLen:]
	if !pg.IsMiddle(frame) {
		for _, s := range q.spoken {
			q.pool.retire(s)
		}
		q.spoken = q.spoken[:0]
	}
	if pg.IsOpen(frame) {
		q.spoken = append(q.spoken, append(q.pool.get(len(frame)), frame...))
	}
	return b
}

// startOver makes a message that was sent in part be sent again from its
// beginning: to members who were not there then. Those who were are told first
// that it is void, by a frame that continues nothing. (In the reference the
// members that were there deliver the message and those that were not do not.)
func (q *sendQueue) startOver() {
	if len(q.spoken) == 0 {
		return
	}
	q.flush()
	var messages pg.Assembler
	number := uint8(0)
	for _, s := range q.spoken {
		number = s[pg.FragmentedAt]
		if err := messages.Frame(0, false, s, func([]byte) {}); err != nil {
			return // our own frames are whole
		}
	}
	waiting := q.frames[q.first:]
	q.frames, q.first, q.spoken = nil, 0, nil
	q.push(pg.AppendVoid(nil, number))
	for _, b := range waiting {
		if err := messages.Frame(0, false, b[totem.McastLen:], func(m []byte) { q.packer.Add(q.emit, m) }); err != nil {
			return
		}
	}
}

// pop takes the oldest frame out of the queue.
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
	if len(q.spoken) > 0 {
		return
	}
	to.flush()
	for q.len() > 0 {
		to.frames = append(to.frames, q.pop())
	}
}
