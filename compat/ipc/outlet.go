package ipc

import (
	"errors"

	"cpgol/compat/ipc/internal/shm"
)

// An outlet is a way towards the client with the messages that wait for room
// on it. Order is kept: nothing passes a waiting message.
type outlet struct {
	to      sink
	pool    *blockPool
	waiting backlog
}

// drainBudget is how many bytes of waiting messages go out in one turn at most,
// a ring's worth, so that one client's backlog does not hold up the loop.
const drainBudget = 1 << 20

// send commits head followed by body, or keeps it for [outlet.drain]. It reports
// how many messages it committed, waiting ones included; an error means that the
// client spoilt its end (corosync exec/ipc_glue.c:msg_send_or_queue).
func (o *outlet) send(head, body []byte) (sent int, err error) {
	if !o.waiting.empty() {
		if sent, err = o.drain(); err != nil {
			return sent, err
		}
	}
	if o.waiting.empty() {
		err = o.to.write(head, body)
		if err == nil {
			return sent + 1, nil
		}
	}
	if err != nil && !errors.Is(err, shm.ErrFull) {
		return sent, err
	}
	o.waiting.push(o.pool, head, body)
	return sent, nil
}

// drain commits what waits as long as there is room (outq_flush).
func (o *outlet) drain() (sent int, err error) {
	for budget := drainBudget; budget > 0 && !o.waiting.empty(); sent++ {
		msg := o.waiting.front()
		if err = o.to.write(msg, nil); err != nil {
			break
		}
		budget -= len(msg)
		o.waiting.pop(o.pool)
	}
	if errors.Is(err, shm.ErrFull) {
		err = nil
	}
	return sent, err
}
