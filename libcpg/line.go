package libcpg

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
)

// A line is the connection to the daemon. It is another one after [Conn.redial].
type line struct{ conn atomic.Pointer[client.Conn] }

func (l *line) now() *client.Conn { return l.conn.Load() }

// Send sends a request.
func (l *line) Send(head, body []byte) error { return l.now().Send(head, body) }

// Flow is the daemon's flow-control word.
func (l *line) Flow() (int32, error) { return l.now().Flow() }

// Close ends the connection.
func (l *line) Close() error { return l.now().Close() }

// slice is how often a wait looks at its context: the IPC knows only time.
const slice = 50 * time.Millisecond

// untilLook is how long to wait before a look at the context, below zero for ever.
func untilLook(ctx context.Context) time.Duration {
	if ctx.Done() == nil {
		return -1
	}
	return slice
}

// Pauses between tries of what the daemon does not take now.
const (
	firstPause = 250 * time.Microsecond
	lastPause  = 8 * time.Millisecond
)

// longer is the pause after one of d.
func longer(d time.Duration) time.Duration { return min(max(2*d, firstPause), lastPause) }

// longerToSend is longer for who waits to send, while stock daemons look each
// millisecond whether they may take messages again.
func longerToSend(d time.Duration) time.Duration { return min(longer(d), time.Millisecond) }

// pause waits a little longer each time.
func pause(ctx context.Context, d *time.Duration) error {
	*d = longer(*d)
	t := time.NewTimer(*d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// A question is a request that the daemon answers. Answers carry no mark of what
// they answer, but there is one for each request, in their order.
type question struct {
	request []byte
	// cut takes the answer apart while somebody waits for it.
	cut func(b []byte) (abi.Status, error)
	// late is told the result when nobody did any more; nil if it is of no use.
	late func(abi.Status)
}

// call sends a request until the daemon takes it, and gives its answer to cut.
func (c *Conn) call(ctx context.Context, request []byte, cut func(b []byte) (abi.Status, error)) error {
	_, err := c.put(ctx, question{request: request, cut: cut})
	return err
}

// put is call. asked says, with an error, that the daemon has the request all the
// same and late will be told of its answer.
func (c *Conn) put(ctx context.Context, q question) (asked bool, err error) {
	var d time.Duration
	for {
		r, err := c.ask(ctx, q)
		switch {
		case err != nil && !errors.Is(err, ErrTryAgain):
			return r.asked, err
		case err == nil && r.status != abi.TryAgain:
			return false, check(r.status)
		}
		if err := pause(ctx, &d); err != nil {
			return false, err
		}
	}
}

// A result is what became of a question.
type result struct {
	status abi.Status
	gate   bool // the daemon did not look at the request at all
	asked  bool // the daemon has it, and nobody waits for the answer
}

// ask puts a question once.
func (c *Conn) ask(ctx context.Context, q question) (r result, err error) {
	select {
	case <-c.calling:
		defer func() { c.calling <- struct{}{} }()
	case <-ctx.Done():
		return r, ctx.Err()
	}
	for len(c.owed) > 0 {
		if err := c.settle(ctx); err != nil {
			return r, err
		}
	}
	if err := c.ipc.Send(q.request, nil); err != nil {
		return r, c.why(ipcError(err))
	}
	b, err := c.answered(ctx)
	if err != nil {
		if r.asked = ctx.Err() != nil && errors.Is(err, ctx.Err()); r.asked {
			c.owed = append(c.owed, q.late)
		}
		return r, err
	}
	if r.status, r.gate = gate(b); r.gate {
		return r, nil
	}
	r.status, err = q.cut(b)
	return r, err
}

// answered waits for the next answer. The caller has c.calling.
func (c *Conn) answered(ctx context.Context) ([]byte, error) {
	for {
		b, err := c.ipc.now().Recv(c.answer, untilLook(ctx))
		if err == nil {
			c.answer = b[:0]
			return b, nil
		}
		if !errors.Is(err, client.ErrTimeout) {
			return nil, c.why(ipcError(err))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// settle waits for the oldest answer that nobody waits for. The caller has
// c.calling.
func (c *Conn) settle(ctx context.Context) error {
	b, err := c.answered(ctx)
	if err != nil {
		return err
	}
	late := c.owed[0]
	c.owed = c.owed[1:]
	if late != nil {
		st, err := bare(b)
		if err != nil {
			st = abi.Library
		}
		late(st)
	}
	return nil
}

// lookLate takes answers that came and nobody waits for.
func (c *Conn) lookLate() {
	select {
	case <-c.calling:
		defer func() { c.calling <- struct{}{} }()
	default:
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // to wait for one slice at most
	for len(c.owed) > 0 && c.settle(ctx) == nil {
	}
}

// gate is the result in an answer of the daemon's gate's, a bare header of number
// 0, if it is one.
func gate(b []byte) (abi.Status, bool) {
	id, size, st, err := abi.CutResponse(b)
	return st, err == nil && id == 0 && size == abi.ResponseLen && st != abi.OK
}

// bare cuts an answer that is a result and no more.
func bare(b []byte) (abi.Status, error) {
	_, _, st, err := abi.CutResponse(b)
	return st, err
}

// redial replaces the connection by a new one. Stock daemons since 3.0.3 keep a
// connection that has left its group from joining again, and go on to tell it of
// that group (exec/cpg.c:notify_lib_joinlist).
func (c *Conn) redial(ctx context.Context) error {
	select {
	case <-c.calling:
		defer func() { c.calling <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var d time.Duration
	for {
		next, err := dial(&c.opt)
		if err == nil {
			return c.replace(next)
		}
		if !errors.Is(err, ErrTryAgain) {
			return err
		}
		if err := pause(ctx, &d); err != nil {
			return err
		}
	}
}

func (c *Conn) replace(next *client.Conn) error {
	c.mu.Lock()
	if c.failed != nil {
		defer c.mu.Unlock()
		next.Close()
		return c.failed
	}
	old := c.ipc.now()
	c.ipc.conn.Store(next)
	c.owed, c.stale = nil, false
	c.mu.Unlock()
	return old.Close()
}
