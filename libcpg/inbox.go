package libcpg

import (
	"slices"

	"cpgol/compat/abi"
	"cpgol/libcpg/internal/mesh"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// An item is an event that Next has not told yet.
type item struct {
	kind    EventKind
	from    Member
	data    []byte
	copied  bool         // data is a copy of its own
	payload *mesh.Buffer // what data is in, to be given back; nil: nothing
	change  *abi.CPGChange
	ring    *abi.CPGRing
}

// An inbox holds items in their order.
type inbox struct {
	items []item
	first int
	gone  int // items that items has room for no more
	size  int // bytes in items that are copies
}

func (q *inbox) empty() bool { return q.first == len(q.items) }

// mark is the place behind the last item.
func (q *inbox) mark() int { return q.gone + len(q.items) }

// push adds an item. Before storage grows, that of items that are gone is used
// again: the inbox may never be empty.
func (q *inbox) push(it item) {
	if len(q.items) == cap(q.items) && q.first > len(q.items)/2 {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first, q.gone = q.items[:n], 0, q.gone+q.first
	}
	q.items = append(q.items, it)
}

func (q *inbox) pop() item {
	it := q.items[q.first]
	q.items[q.first] = item{}
	if it.copied {
		q.size -= len(it.data)
	}
	if q.first++; q.first == len(q.items) {
		q.items, q.first, q.gone = q.items[:0], 0, q.gone+q.first
	}
	return it
}

// keep makes items behind a mark independent of the buffer that they were read
// into.
func (q *inbox) keep(mark int) {
	for i := max(mark-q.gone, q.first); i < len(q.items); i++ {
		if it := &q.items[i]; it.payload == nil && it.data != nil {
			it.data, it.copied = slices.Clone(it.data), true
			q.size += len(it.data)
		}
	}
}

// take turns a daemon's event into items. c.mu is held; b is c.buf's.
func (c *Conn) take(b []byte) error {
	id, _, _, err := abi.CutResponse(b)
	if err != nil {
		return err
	}
	switch id {
	case abi.CPGDeliverEvent:
		var m abi.CPGDeliver
		if _, err := m.Decode(b); err != nil {
			return err
		}
		from := Member{Node: m.Node, PID: m.PID}
		c.off.came(from)
		c.inbox.push(item{kind: Message, from: from, data: m.Message})
	case abi.CPGPartialEvent:
		return c.takePart(b)
	case abi.CPGChangeEvent:
		m := new(abi.CPGChange)
		if _, err := m.Decode(b); err != nil {
			return err
		}
		c.changed(m)
	case abi.CPGRingEvent:
		m := new(abi.CPGRing)
		if _, err := m.Decode(b); err != nil {
			return err
		}
		if c.opt.Rings {
			c.inbox.push(item{kind: NewRing, ring: m})
		}
	default:
		if c.off != nil {
			return c.off.take(id, b)
		}
	}
	return nil
}

// maxAhead is how much memory is made for a long message before it is here: its
// length is its sender's word.
const maxAhead = 16 << 20

// takePart puts a long message together (lib/cpg.c:cpg_dispatch).
func (c *Conn) takePart(b []byte) error {
	var m abi.CPGPartialDeliver
	if _, err := m.Decode(b); err != nil {
		return err
	}
	from := Member{Node: m.Node, PID: m.PID}
	so := c.long[from]
	if m.Part == exec.PartFirst {
		so = make([]byte, 0, min(m.Total, maxAhead))
	}
	if so == nil || len(so)+len(m.Fragment) > int(m.Total) {
		delete(c.long, from) // its beginning was not for us
		return nil
	}
	so = append(so, m.Fragment...)
	if m.Part != exec.PartLast {
		c.long[from] = so
		return nil
	}
	delete(c.long, from)
	if len(so) != int(m.Total) {
		return nil // a part of it was not for us either
	}
	c.off.came(from)
	c.inbox.push(item{kind: Message, from: from, data: so})
	return nil
}

// changed takes a change of the group.
func (c *Conn) changed(m *abi.CPGChange) {
	self := c.Self()
	var left []offload.Member
	for _, a := range m.Left {
		left = append(left, memberOf(a))
		delete(c.long, memberOf(a))
	}
	c.off.left(left)
	c.inbox.push(item{kind: Change, change: m})
	if slices.Contains(left, self) {
		c.state = outside
		clear(c.long)
		c.off.outside()
	}
	for _, a := range m.Joined {
		if memberOf(a) == self && c.state == entering {
			c.state = inside
			c.off.inside()
		}
	}
}
