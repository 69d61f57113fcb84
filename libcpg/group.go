package libcpg

import (
	"context"
	"errors"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
)

// MaxName is how long a group's name may be. It may have any bytes.
const MaxName = exec.MaxGroupName - 1 // one more, and peers of stock write past a buffer

// groupName checks a name.
func groupName(name string) (exec.GroupName, error) {
	if len(name) > MaxName {
		return exec.GroupName{}, ErrNameTooLong
	}
	g, _ := exec.NewGroupName([]byte(name))
	return g, nil
}

// Join makes this process a member of a group. It returns when the daemon has
// taken the request; that the process is in the group, an event of kind Change
// tells. A Conn is in one group at a time; if it is leaving one, Join waits for
// the end of that, reading events meanwhile for later calls of Next.
//
// If the context ends while the daemon has the request, the process may still
// become a member.
func (c *Conn) Join(ctx context.Context, group string) error {
	return opError("join", c.join(ctx, group))
}

func (c *Conn) join(ctx context.Context, group string) error {
	name, err := groupName(group)
	if err != nil {
		return err
	}
	if err := c.moved(ctx, leaving); err != nil {
		return err
	}
	c.mu.Lock()
	stale := c.stale && c.off == nil && c.state == outside
	c.mu.Unlock()
	if !stale {
		return c.enter(ctx, name)
	}
	if err := c.redial(ctx); err != nil {
		return err
	}
	for end, d := time.Now().Add(forgetting), time.Duration(0); ; {
		err := c.enter(ctx, name)
		if !errors.Is(err, ErrExist) || time.Now().After(end) {
			return err
		}
		if err := pause(ctx, &d); err != nil {
			return err
		}
	}
}

// forgetting is how long a daemon may take to see that a connection has gone,
// until when it counts a process among the group that it has left there.
const forgetting = 2 * time.Second

// enter asks the daemon for a membership.
func (c *Conn) enter(ctx context.Context, name exec.GroupName) error {
	c.mu.Lock()
	if err := c.may(outside, ErrExist); err != nil {
		c.mu.Unlock()
		return err
	}
	join := abi.CPGJoin{Group: name, PID: c.pid}
	if c.opt.Rings && !c.rung {
		join.Flags = abi.CPGInitialRing
	}
	c.state, c.group = entering, name
	c.mu.Unlock()
	return c.move(ctx, join.Append(nil), entering, outside)
}

// Leave takes this process out of its group, behind all that it sent. It returns
// when the daemon has taken the request; the last event of the group is a Change
// without this process. If the process is still joining, Leave waits for that,
// reading events meanwhile for later calls of Next.
//
// If the context ends while the daemon has the request, the process leaves all
// the same.
func (c *Conn) Leave(ctx context.Context) error {
	return opError("leave", c.leave(ctx))
}

func (c *Conn) leave(ctx context.Context) error {
	select {
	case <-c.sending: // nothing is sent from here on
		defer func() { c.sending <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.moved(ctx, entering); err != nil {
		return err
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	if err := c.may(inside, ErrNotExist); err != nil {
		c.mu.Unlock()
		return err
	}
	c.state = leaving
	leave := abi.CPGLeave{Group: c.group, PID: c.pid}
	c.mu.Unlock()
	return c.move(ctx, leave.Append(nil), leaving, inside)
}

// may gives other if the connection is in another state than it must be. c.mu is
// held.
func (c *Conn) may(want state, other error) error {
	if c.failed != nil {
		return c.failed
	}
	if c.state != want {
		return other
	}
	return nil
}

// move asks the daemon for a change of state, which is undone if it refuses.
func (c *Conn) move(ctx context.Context, request []byte, now, before state) error {
	undo := func() {
		c.mu.Lock()
		if c.state == now {
			c.state = before
		}
		c.mu.Unlock()
	}
	asked, err := c.put(ctx, question{request: request, cut: bare, late: func(st abi.Status) {
		if st != abi.OK {
			undo()
		}
	}})
	if err != nil && !asked {
		undo()
	}
	return err
}

// moved waits until the connection is no longer in a state that ends by itself.
func (c *Conn) moved(ctx context.Context, now state) error {
	var d time.Duration
	for {
		c.mu.Lock()
		is, err := c.state, c.failed
		c.mu.Unlock()
		if err != nil || is != now {
			return err
		}
		c.lookLate()
		d = longer(d)
		if err := c.pump(ctx, d); err != nil {
			return err
		}
	}
}

// Members are the members of any group as this node's daemon knows them now
// (cpg_membership_get).
func (c *Conn) Members(ctx context.Context, group string) (all []Member, err error) {
	name, err := groupName(group)
	if err != nil {
		return nil, opError("members", err)
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
	return all, opError("members", err)
}

// Groups are all groups of the cluster that have members
// (cpg_iteration_initialize and so on).
func (c *Conn) Groups(ctx context.Context) (names []string, err error) {
	var handle uint64
	start := abi.CPGIterInit{Type: abi.CPGIterNames}
	err = c.call(ctx, start.Append(nil), func(b []byte) (st abi.Status, err error) {
		handle, st, err = abi.CutCPGIterInitRes(b)
		return st, err
	})
	if err != nil {
		return nil, opError("groups", err)
	}
	for err == nil {
		var name string
		if name, err = c.nextGroup(ctx, handle); err == nil {
			names = append(names, name)
		}
	}
	if errors.Is(err, Status(abi.NoSections)) { // that was the last
		err = nil
	}
	end := abi.CPGIter{ID: abi.CPGIterFinalizeID, Handle: handle}
	if endErr := c.call(ctx, end.Append(nil), bare); err == nil {
		err = endErr
	}
	return names, opError("groups", err)
}

func (c *Conn) nextGroup(ctx context.Context, handle uint64) (name string, err error) {
	next := abi.CPGIter{ID: abi.CPGIterNextID, Handle: handle}
	err = c.call(ctx, next.Append(nil), func(b []byte) (abi.Status, error) {
		if st, err := bare(b); err != nil || st != abi.OK {
			return st, err
		}
		var item abi.CPGIterItem
		_, err := item.Decode(b)
		name = item.Group.String()
		return abi.OK, err
	})
	return name, err
}
