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

// Send sends a message, the parts one after the other, to all members of the
// group, this process too. It waits while the daemon or the other members take
// no more, reading events meanwhile for later calls of Next. When it returns nil
// the bytes may be changed, and the message will have its place in the order
// unless this process or its node ends before; Flush tells when it has.
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
			return err
		}
		d = min(max(2*d, firstPause), lastPause)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
	}
}

// TrySend is Send, but gives ErrTryAgain instead of waiting. A message of over a
// megabyte that travels in the ring makes it wait all the same.
func (c *Conn) TrySend(parts ...[]byte) error {
	select {
	case <-c.sending:
		defer func() { c.sending <- struct{}{} }()
	default:
		return ErrTryAgain
	}
	return c.trySend(context.Background(), parts)
}

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
	case size <= abi.MaxCPGMessage:
		defer c.mu.Unlock()
		return c.mcast(parts, size)
	}
	c.mu.Unlock()
	return c.mcastLong(ctx, parts, size)
}

// mcast sends a message in the ring (cpg_mcast_joined). c.mu is held.
func (c *Conn) mcast(parts [][]byte, size int) error {
	// The daemon drops what comes while its door is closed, and cannot say so.
	if word, err := c.ipc.Flow(); err != nil {
		return ipcError(err)
	} else if word != 0 {
		return ErrTryAgain
	}
	var head [abi.CPGMcastLen]byte
	m := abi.CPGMcast{Guarantee: agreed}
	m.Append(head[:0])
	binary.LittleEndian.PutUint32(head[8:], uint32(len(head)+size))
	binary.LittleEndian.PutUint32(head[32:], uint32(size))
	return ipcError(c.ipc.Send(head[:], joined(parts)))
}

// agreed is the guarantee that every daemon gives (CPG_TYPE_AGREED).
const agreed = 2

// joined is the parts as one.
func joined(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}

// mcastLong sends a message of over a megabyte in the ring, in parts
// (lib/cpg.c:send_fragments). The caller has c.sending. If the group changes
// meanwhile, the daemon gives the message up, and it is sent again: receivers
// forget a message that is not complete when it begins anew.
func (c *Conn) mcastLong(ctx context.Context, parts [][]byte, size int) error {
	whole := joined(parts)
	for {
		err := c.mcastParts(ctx, whole)
		if !errors.Is(err, Status(abi.Interrupt)) {
			return err
		}
	}
}

func (c *Conn) mcastParts(ctx context.Context, whole []byte) error {
	m := abi.CPGPartial{Guarantee: agreed, Total: uint32(len(whole)), Part: exec.PartFirst}
	var buf []byte
	for rest := whole; len(rest) > 0; {
		n := min(len(rest), abi.MaxCPGMessage)
		m.Fragment, rest = rest[:n], rest[n:]
		if len(rest) == 0 {
			m.Part = exec.PartLast
		}
		buf = m.Append(buf[:0])
		if err := c.callPumping(ctx, buf); err != nil {
			return err
		}
		m.Part = exec.PartContinued
	}
	return nil
}

// callPumping is call, but reads events while the daemon takes nothing.
func (c *Conn) callPumping(ctx context.Context, request []byte) error {
	var d time.Duration
	for {
		st, err := c.ask(request, bare)
		if err != nil && !errors.Is(err, ErrTryAgain) {
			return err
		}
		if err == nil && st != abi.TryAgain {
			return check(st)
		}
		d = min(max(2*d, firstPause), lastPause)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
	}
}

// Flush waits until all that was sent is in the daemon's hands or has its place in
// the order, reading events meanwhile.
func (c *Conn) Flush(ctx context.Context) error {
	var d time.Duration
	for {
		c.mu.Lock()
		waiting, err := c.off.waiting(), c.failed
		c.mu.Unlock()
		if err != nil || waiting == 0 {
			return err
		}
		d = min(max(2*d, firstPause), lastPause)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
	}
}
