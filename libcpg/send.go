package libcpg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
)

// MaxAtomic is the longest message that travels in the ring as one
// (cpg_max_atomic_msgsize_get). A longer one does so in parts: it has its place
// in the order where its last part has, and if the group changes before that it
// is sent anew. Offloaded messages have no such limit.
const MaxAtomic = abi.MaxCPGMessage

// Send sends a message, the parts one after the other, to all members of the
// group, this process too (cpg_mcast_joined). It waits while the daemon or the
// other members take no more, reading events meanwhile for later calls of Next.
// When it returns nil the bytes may be changed, and the message will have its
// place in the order unless this process or its node ends before; Flush tells
// when its daemon has it.
func (c *Conn) Send(ctx context.Context, parts ...[]byte) error {
	select {
	case <-c.sending:
		defer func() { c.sending <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var d time.Duration
	for {
		err := c.trySend(ctx, parts)
		if !errors.Is(err, ErrTryAgain) {
			return opError("send", err)
		}
		d = longerToSend(d)
		if err := c.pump(ctx, d); err != nil {
			return opError("send", err)
		}
	}
}

// TrySend is Send, but gives ErrTryAgain instead of waiting. A message of over
// MaxAtomic that travels in the ring makes it wait all the same.
func (c *Conn) TrySend(parts ...[]byte) error {
	select {
	case <-c.sending:
		defer func() { c.sending <- struct{}{} }()
	default:
		return ErrTryAgain
	}
	return opError("send", c.trySend(context.Background(), parts))
}

// Throttled reports whether Send would wait now because the daemon takes no
// messages (cpg_flow_control_state_get).
func (c *Conn) Throttled() bool {
	word, err := c.ipc.Flow()
	return err == nil && word != 0
}

// trySend sends if it can be done now. The caller has c.sending.
func (c *Conn) trySend(ctx context.Context, parts [][]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	c.mu.Lock()
	switch {
	case c.failed != nil:
		defer c.mu.Unlock()
		return c.failed
	case c.state != inside && c.state != entering:
		defer c.mu.Unlock()
		return ErrNotExist
	case !c.off.direct(size):
		defer c.mu.Unlock()
		return c.off.send(parts, size)
	case size <= MaxAtomic:
		defer c.mu.Unlock()
		err := c.mcast(parts, size)
		if err == nil {
			c.off.sent()
		}
		return err
	}
	c.off.sent()
	c.mu.Unlock()
	err := c.mcastLong(ctx, parts)
	if err != nil {
		c.mu.Lock()
		c.off.came(c.Self())
		c.mu.Unlock()
	}
	return err
}

// mcast sends a message in the ring (cpg_mcast_joined). c.mu is held.
func (c *Conn) mcast(parts [][]byte, size int) error {
	// The daemon drops what comes while its door is closed, and cannot say so.
	if word, err := c.ipc.Flow(); err != nil {
		return c.ended(err)
	} else if word != 0 {
		return ErrTryAgain
	}
	m := abi.CPGMcast{Guarantee: agreed}
	m.Append(c.head[:0])
	binary.LittleEndian.PutUint32(c.head[8:], uint32(len(c.head)+size))
	binary.LittleEndian.PutUint32(c.head[32:], uint32(size))
	if err := c.ipc.Send(c.head[:], c.joined(parts)); err != nil {
		return c.ended(err)
	}
	c.unsaid = true
	return nil
}

// ended is ipcError and why. c.mu is held.
func (c *Conn) ended(err error) error {
	if err = ipcError(err); c.failed != nil {
		return c.failed
	}
	return err
}

// agreed is the guarantee that every daemon gives (CPG_TYPE_AGREED).
const agreed = 2

// joined is the parts as one, valid until the next call. c.mu is held.
func (c *Conn) joined(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	c.joint = c.joint[:0]
	for _, p := range parts {
		c.joint = append(c.joint, p...)
	}
	return c.joint
}

// mcastLong sends a message of over MaxAtomic in the ring, in parts
// (lib/cpg.c:send_fragments). The caller has c.sending. If the group changes
// meanwhile, the daemon gives the message up, and it is sent again: receivers
// forget a message that is not complete when it begins anew.
func (c *Conn) mcastLong(ctx context.Context, parts [][]byte) error {
	whole := parts[0]
	if len(parts) > 1 {
		whole = bytes.Join(parts, nil)
	}
	for {
		err := c.mcastParts(ctx, whole)
		if err != errAnew {
			return err
		}
	}
}

// errAnew says that a message in parts must begin anew.
var errAnew = errors.New("the group changed within the message")

func (c *Conn) mcastParts(ctx context.Context, whole []byte) error {
	m := abi.CPGPartial{Guarantee: agreed, Total: uint32(len(whole)), Part: exec.PartFirst}
	var buf []byte
	for rest := whole; len(rest) > 0; {
		n := min(len(rest), MaxAtomic)
		m.Fragment, rest = rest[:n], rest[n:]
		if len(rest) == 0 {
			m.Part = exec.PartLast
		}
		buf = m.Append(buf[:0])
		if err := c.mcastPart(ctx, buf); err != nil {
			return err
		}
		m.Part = exec.PartContinued
	}
	return nil
}

// mcastPart sends a part, and reads events while the daemon takes nothing.
func (c *Conn) mcastPart(ctx context.Context, request []byte) error {
	var d time.Duration
	for {
		r, err := c.ask(ctx, question{request: request, cut: bare})
		switch {
		case err != nil && !errors.Is(err, ErrTryAgain):
			return err
		case err == nil && r.status == abi.Interrupt:
			return errAnew
		case err == nil && r.status != abi.TryAgain:
			return check(r.status)
		}
		d = longerToSend(d)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
		if err == nil && !r.gate { // it has forgotten the parts before
			return errAnew
		}
	}
}

// Flush waits until all that was sent has its place in the order, or at least is
// in the daemon's hands, reading events meanwhile. What a program sent and did
// not flush before it ends may be lost; Close and Leave flush too.
func (c *Conn) Flush(ctx context.Context) error {
	select {
	case <-c.sending:
		defer func() { c.sending <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return opError("flush", c.flush(ctx))
}

func (c *Conn) flush(ctx context.Context) error {
	if err := c.drain(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	unsaid := c.unsaid
	c.unsaid = false
	c.mu.Unlock()
	if !unsaid {
		return nil
	}
	// It answers once it has read what came before.
	err := c.call(ctx, abi.AppendRequest(nil, abi.CPGLocalID, abi.RequestLen), func(b []byte) (abi.Status, error) {
		_, st, err := abi.CutCPGLocalRes(b)
		return st, err
	})
	if err != nil {
		c.mu.Lock()
		c.unsaid = true
		c.mu.Unlock()
	}
	return err
}

// drain waits until nothing waits in the library.
func (c *Conn) drain(ctx context.Context) error {
	var d time.Duration
	for {
		c.mu.Lock()
		waiting, err := c.off.waiting(), c.failed
		c.mu.Unlock()
		if err != nil || waiting == 0 {
			return err
		}
		d = longer(d)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
	}
}
