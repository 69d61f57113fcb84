package offloadsim

import (
	"slices"
	"time"

	"cpgol/compat/abi"
)

// A conn is one client's IPC: requests one way, answers and events the other,
// each in its order and after a while (compat/ipc).
type conn struct {
	n      *node
	p      *process
	serial uint64
	closed bool // the daemon is gone, or knows that the client is

	requests [][]byte // on their way and arrived
	arrived  int
	size     int           // bytes in requests
	last     time.Duration // when the last of them arrives
	events   channel       // read by whoever wants the next event
	answers  channel
}

// Bounds of the shared memory.
const (
	maxRequests = 1 << 20 // bytes
	maxEvents   = 300     // unread: then the client may send no messages in the ring
)

// flow is what the daemon shows this client: not zero if it may send nothing in
// the ring (compat/ipc/conn_linux.go:showFlow).
func (c *conn) flow() bool { return c.closed || !c.n.open() || c.events.len() > maxEvents }

// send takes a request, or reports that there is no room.
func (c *conn) send(msg []byte) bool {
	w := c.n.w
	if c.closed {
		return true // nobody will ever know
	}
	if c.size+len(msg) > maxRequests {
		return false
	}
	c.requests = append(c.requests, slices.Clone(msg))
	c.size += len(msg)
	c.last = max(c.last, w.now+w.upTo(c.delay()))
	w.at(c.last, func() {
		if !c.closed {
			c.arrived++
			c.n.waiting++
		}
	})
	return true
}

func (c *conn) delay() time.Duration {
	if c.n.w.rnd.IntN(20) == 0 {
		return 5 * time.Millisecond
	}
	return 60 * time.Microsecond
}

// take takes the oldest request that has arrived.
func (c *conn) take() []byte {
	msg := c.requests[0]
	c.requests = c.requests[1:]
	c.size -= len(msg)
	c.arrived--
	c.n.waiting--
	return msg
}

// Respond implements [service.Conn].
func (c *conn) Respond(msg []byte) {
	msg = slices.Clone(msg)
	c.answers.push(c.p, c.n.w.upTo(c.delay()), func() { c.p.lib.answered(msg) })
}

// Event implements [service.Conn].
func (c *conn) Event(head, body []byte) {
	msg := slices.Concat(head, body)
	var m abi.CPGRing
	if _, err := m.Decode(msg); err == nil {
		c.n.tellsRing(m.Ring)
	}
	c.events.push(c.p, c.n.w.upTo(c.delay()), func() { c.p.lib.take(msg) })
}

// PID implements [service.Conn].
func (c *conn) PID() uint32 { return c.p.PID }

// UID implements [service.Conn].
func (c *conn) UID() uint32 { return 0 }

// GID implements [service.Conn].
func (c *conn) GID() uint32 { return 0 }

// Serial implements [service.Conn].
func (c *conn) Serial() uint64 { return c.serial }

// A channel is what comes to a process from one side, in order.
type channel struct {
	items []item
	last  time.Duration
}

type item struct {
	due time.Duration
	act func()
	may func() bool // whether it can be taken yet; nil: yes
}

func (c *channel) len() int { return len(c.items) }

// push puts something on its way to a process, behind what is there.
func (c *channel) push(p *process, delay time.Duration, act func()) { c.pushIf(p, delay, act, nil) }

func (c *channel) pushIf(p *process, delay time.Duration, act func(), may func() bool) {
	w := p.w
	c.last = max(c.last, w.now+delay)
	c.items = append(c.items, item{c.last, act, may})
	p.wake(c.last)
}

// due reports whether the first item can be taken.
func (c *channel) due(now time.Duration) bool {
	return len(c.items) > 0 && c.items[0].due <= now && (c.items[0].may == nil || c.items[0].may())
}

func (c *channel) take() {
	it := c.items[0]
	c.items[0] = item{}
	c.items = c.items[1:]
	it.act()
}
