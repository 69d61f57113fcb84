package engine

import (
	"errors"
	"time"

	"cpgol/wire/pg"
)

// What Send refuses.
var (
	// ErrQueueFull tells that no more can be queued until a token has come.
	ErrQueueFull = errors.New("engine: send queue full")
	// ErrTooLong tells that the message could never be sent.
	ErrTooLong = errors.New("engine: message too long")
)

// sendQueue is the queue of the present phase.
func (e *Engine) sendQueue() *sendQueue {
	if e.syncing {
		return e.sync
	}
	return e.normal
}

// Send queues one message, group header first, given in parts, which are
// copied. It goes to every member, this node included, in the ring's order. It
// may be called while effects are performed, and before Start. What is sent
// while the effects that install a ring are performed travels with the
// synchronisation's messages.
func (e *Engine) Send(now time.Duration, out *Output, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if !e.Fits(size) {
		return ErrTooLong
	}
	if !e.Room(size) {
		return ErrQueueFull
	}
	e.CancelHold(now, out)
	q := e.sendQueue()
	before := q.queued
	q.packer.Add(q.emit, parts...)
	e.stats.McastTx += q.queued - before
	return nil
}

// Fits reports whether a message of size bytes, group header included, may be
// sent at all: the reference's nodes abort when one is longer.
func (e *Engine) Fits(size int) bool { return size <= pg.MaxMessage }

// Room reports whether a message of size bytes, group header included, can be
// queued now.
func (e *Engine) Room(size int) bool {
	q := e.sendQueue()
	return q.len()+q.packer.Frames(size) <= e.cfg.queueFrames()
}

// QueueLevel is how much of the send queue is used, in percent.
func (e *Engine) QueueLevel() int {
	return min(100, e.sendQueue().len()*100/e.cfg.queueFrames())
}

// Pending reports whether anything waits to be sent.
func (e *Engine) Pending() bool { return !e.normal.empty() || !e.sync.empty() }

// SyncDone ends the synchronisation phase: from here on ordinary messages are
// sent again, beginning with those that waited (totempg_trans_ack). Call it
// while performing the delivery of the message that ended the synchronisation,
// so that it has the same place in every node's order.
//
// Among the effects that install a ring the old ring's last messages come
// first, and they may end the old ring's synchronisation. The engine is in the
// next one already then, and stays there.
func (e *Engine) SyncDone(now time.Duration, out *Output) {
	if !e.syncing || e.installing {
		return
	}
	e.sync.moveTo(e.normal)
	e.syncing = false
	if e.Pending() {
		e.CancelHold(now, out)
	}
}
