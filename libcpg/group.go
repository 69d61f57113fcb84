package libcpg

import (
	"context"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
)

// Join makes this process a member of a group, which needs a name of at most 127
// bytes. It returns when the daemon has taken the request; that the process is in
// the group, an event of kind Change tells. A Conn is in one group at a time.
func (c *Conn) Join(ctx context.Context, group string) error {
	name, ok := exec.NewGroupName([]byte(group))
	if !ok {
		return ErrNameTooLong
	}
	c.mu.Lock()
	switch {
	case c.failed != nil:
		defer c.mu.Unlock()
		return c.failed
	case c.state != outside:
		defer c.mu.Unlock()
		return ErrExist
	}
	c.state, c.group = entering, name
	c.mu.Unlock()
	join := abi.CPGJoin{Group: name, PID: c.pid}
	if c.opt.Rings {
		join.Flags = abi.CPGInitialRing
	}
	err := c.call(ctx, join.Append(nil), bare)
	if err != nil {
		c.mu.Lock()
		if c.state == entering {
			c.state = outside
		}
		c.mu.Unlock()
	}
	return err
}

// Leave takes this process out of its group, behind all that it sent. It returns
// when the daemon has taken the request; the last event of the group is a Change
// without this process. Then it may join another.
func (c *Conn) Leave(ctx context.Context) error {
	select {
	case <-c.sending: // nothing is sent from here on
		defer func() { c.sending <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	switch {
	case c.failed != nil:
		defer c.mu.Unlock()
		return c.failed
	case c.state == outside || c.state == leaving:
		defer c.mu.Unlock()
		return ErrNotExist
	case c.state == entering:
		defer c.mu.Unlock()
		return ErrBusy
	}
	name := c.group
	c.mu.Unlock()
	if err := c.Flush(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.state = leaving
	c.mu.Unlock()
	leave := abi.CPGLeave{Group: name, PID: c.pid}
	err := c.call(ctx, leave.Append(nil), bare)
	if err != nil {
		c.mu.Lock()
		if c.state == leaving {
			c.state = inside
		}
		c.mu.Unlock()
	}
	return err
}

// Members are the members of any group as this node's daemon knows them now.
func (c *Conn) Members(ctx context.Context, group string) (all []Member, err error) {
	name, ok := exec.NewGroupName([]byte(group))
	if !ok {
		return nil, ErrNameTooLong
	}
	ask := abi.CPGMembership{Group: name}
	err = c.call(ctx, ask.Append(nil), func(b []byte) (abi.Status, error) {
		var m abi.CPGMembers
		_, err := m.Decode(b)
		for _, a := range m.Members {
			all = append(all, memberOf(a))
		}
		return m.Status, err
	})
	return all, err
}

// Groups are all groups of the cluster that have members.
func (c *Conn) Groups(ctx context.Context) (names []string, err error) {
	var handle uint64
	start := abi.CPGIterInit{Type: abi.CPGIterNames}
	err = c.call(ctx, start.Append(nil), func(b []byte) (st abi.Status, err error) {
		handle, st, err = abi.CutCPGIterInitRes(b)
		return st, err
	})
	for err == nil {
		next := abi.CPGIter{ID: abi.CPGIterNextID, Handle: handle}
		var item abi.CPGIterItem
		err = c.call(ctx, next.Append(nil), func(b []byte) (abi.Status, error) {
			if _, _, st, err := abi.CutResponse(b); err != nil || st != abi.OK {
				return st, err
			}
			_, err := item.Decode(b)
			return abi.OK, err
		})
		if err == nil {
			names = append(names, item.Group.String())
		}
	}
	if err == Status(abi.NoSections) { // that was the last
		end := abi.CPGIter{ID: abi.CPGIterFinalizeID, Handle: handle}
		err = c.call(ctx, end.Append(nil), bare)
	}
	return names, err
}
