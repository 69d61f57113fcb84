package libcpg

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cpgol/compat/abi"
)

// Next waits for the next event and puts it into ev, whose slices are the
// library's until Next is called again: copy what is to be kept. It returns the
// context's error when that ends, ErrDisconnected when the daemon is gone, and
// ErrClosed after Close; what came before is told first.
func (c *Conn) Next(ctx context.Context, ev *Event) error {
	c.giveBack()
	ev.reset()
	for {
		if c.tell(ev) {
			return nil
		}
		select {
		case <-c.read:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c.tell(ev) { // whoever read meanwhile left it
			c.read <- struct{}{}
			return nil
		}
		err := c.readInto(ctx, -1, false)
		c.read <- struct{}{}
		if err != nil {
			return opError("next", err)
		}
	}
}

// tell puts the oldest item into ev, if there is one.
func (c *Conn) tell(ev *Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inbox.empty() {
		return false
	}
	it := c.inbox.pop()
	switch ev.Kind = it.kind; it.kind {
	case Message:
		ev.From, ev.Data = it.from, it.data
		c.off.told(it)
	case Change:
		ev.change(it.change)
	case NewRing:
		ev.Ring = it.ring.Ring
		ev.Nodes = append(ev.Nodes, it.ring.Members...)
	}
	return true
}

// giveBack lets go of the last message's bytes.
func (c *Conn) giveBack() {
	c.mu.Lock()
	c.off.giveBack()
	c.mu.Unlock()
}

// readInto reads one event into the inbox. With aside it leaves alone the bytes of
// the event that Next told last, and copies the new one's, as others may be read
// before it is told. The caller has c.read.
func (c *Conn) readInto(ctx context.Context, most time.Duration, aside bool) error {
	buf := &c.buf
	if aside {
		buf = &c.aside
	}
	b, over, err := c.readEvent(ctx, buf, most)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == errNone || ctx.Err() != nil && err == ctx.Err():
		return err
	case err != nil && c.failed != nil:
		return c.failed
	case err != nil:
		return err
	case over != c.ipc.now() || c.foreign(b):
		return nil
	}
	before, from := c.state, c.inbox.mark()
	if err := c.take(b); err != nil {
		return fmt.Errorf("cpg: %w", err)
	}
	if aside {
		c.inbox.keep(from)
	}
	if before != c.state { // we are in, or out
		c.rung = true
		c.stale = c.state == outside
	}
	c.wake() // it may be room that we wait for
	return nil
}

// foreign reports whether an event is of a group that this process has left: stock
// daemons go on to tell of it. c.mu is held.
func (c *Conn) foreign(b []byte) bool {
	id, _, _, err := abi.CutResponse(b)
	if err != nil || c.state != outside {
		return false
	}
	return id == abi.CPGDeliverEvent || id == abi.CPGPartialEvent || id == abi.CPGChangeEvent
}

// maxKept is how many bytes of others' messages are kept while Send waits and
// Next is not called.
const maxKept = 64 << 20

// pump waits for d, and reads events meanwhile unless others do or too much is
// kept: so a program with one goroutine can send without end.
func (c *Conn) pump(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	kept := c.inbox.size
	c.mu.Unlock()
	if kept <= maxKept {
		select {
		case <-c.read:
			defer func() { c.read <- struct{}{} }()
			if err := c.readInto(ctx, d, true); err != errNone {
				return err
			}
			return nil
		default:
		}
	}
	t := timers.Get().(*time.Timer)
	defer timers.Put(t)
	t.Reset(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.room:
	case <-t.C:
	}
	return nil
}

// timers are stopped ones: who sends without end waits with almost every message.
var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}
