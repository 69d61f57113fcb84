package ipc

import (
	"errors"

	"cpgol/compat/ipc/internal/shm"
)

// An outlet is a ring towards the client with the messages that wait for room
// in it. Order is kept: nothing passes a waiting message.
type outlet struct {
	ring    *shm.Writer
	pool    *blockPool
	waiting backlog
}

// send commits head followed by body, or keeps it for [outlet.drain]. It reports
// how many chunks it committed, waiting ones included; an error means that the
// client spoilt the ring (corosync exec/ipc_glue.c:msg_send_or_queue).
func (o *outlet) send(head, body []byte) (sent int, err error) {
	if !o.waiting.empty() {
		if sent, err = o.drain(); err != nil {
			return sent, err
		}
	}
	if o.waiting.empty() {
		err = o.write(head, body)
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

// drain commits what waits as long as there is room, at most a ring's worth so
// that one client's backlog does not hold up the loop (outq_flush).
func (o *outlet) drain() (sent int, err error) {
	for budget := len(o.ring.Memory().Data); budget > 0 && !o.waiting.empty(); sent++ {
		msg := o.waiting.front()
		if err = o.write(msg, nil); err != nil {
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

func (o *outlet) write(head, body []byte) error {
	var wake bool
	mem := o.ring.Memory()
	err := mem.Guard(func() (err error) {
		wake, err = o.ring.Write(head, body)
		return err
	})
	if wake {
		mem.Wake()
	}
	return err
}
