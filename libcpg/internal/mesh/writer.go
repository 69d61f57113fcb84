package mesh

import "net"

// Bounds of what is written at once.
const (
	batchBytes   = 256 << 10
	batchRecords = 64
	// tiny is up to how many bytes they are copied behind their record, which
	// costs less than a place of their own in the list.
	tiny = 256
)

// A writer is a session's state between writes.
type writer struct {
	msg  *message // that is being written
	next int      // its next chunk
	key  *senderKey

	list    net.Buffers // what is written
	store   [2*batchRecords + 1][]byte
	scratch []byte // records, and tiny bodies
	from    int    // what of scratch is in the list already
	size    int
	written []written
}

// A written chunk is in the list.
type written struct {
	msg   *message
	chunk int
	last  bool // the message's
}

// write writes queued messages until the session ends.
func (s *session) write() {
	defer s.fail()
	w := &s.writer
	defer func() {
		if w.msg != nil {
			w.msg.drop(w.next)
		}
	}()
	for {
		if !s.gather() {
			select {
			case <-s.work:
				continue
			case <-s.dead:
				return
			case <-s.peer.ctx.Done():
				return
			}
		}
		err := s.layer.write(&w.list)
		for i, c := range w.written {
			if c.last {
				c.msg.drop(c.chunk)
			} else {
				c.msg.wrote(c.chunk)
			}
			w.written[i] = written{}
		}
		if err != nil {
			return
		}
	}
}

// gather makes a list of what can be written now; false if there is nothing.
func (s *session) gather() bool {
	w := &s.writer
	w.list, w.scratch, w.written = w.store[:0], w.scratch[:0], w.written[:0]
	w.from, w.size = 0, 0
	if w.msg != nil && !s.live(w.msg.view) { // the rest is in vain; the next message says so
		w.msg.drop(w.next)
		w.msg = nil
	}
	for w.size < batchBytes && len(w.written) < batchRecords {
		if w.msg == nil {
			if w.msg, w.next = s.pop(), 0; w.msg == nil {
				break
			}
			if w.scratch == nil { // it must not grow: the list has parts of it
				w.scratch = make([]byte, 0, batchRecords*(2*(recordLen+sealLen)+tiny+sealLen))
			}
		}
		s.add()
	}
	if w.from < len(w.scratch) {
		w.list = append(w.list, w.scratch[w.from:])
	}
	return len(w.list) > 0
}

// add appends the message's next chunk to the list.
func (s *session) add() {
	w, msg := &s.writer, s.writer.msg
	var r record
	var body []byte
	if s.layer.sealed {
		var key *senderKey
		body, key = msg.seal(w.next, &r)
		if key != w.key {
			w.key = key
			w.scratch = s.layer.out.append(w.scratch, &record{kind: kindKey, key: key.secret})
		}
	} else {
		msg.record(w.next, &r)
		body = msg.bytes(w.next)
	}
	w.scratch = s.layer.out.append(w.scratch, &r)
	if len(body) <= tiny+sealLen {
		w.scratch = append(w.scratch, body...)
	} else {
		w.list = append(w.list, w.scratch[w.from:], body)
		w.from = len(w.scratch)
	}
	w.size += len(body)
	last := w.next == len(msg.chunks)-1
	w.written = append(w.written, written{msg, w.next, last})
	if w.next++; last {
		w.msg = nil
	}
}
