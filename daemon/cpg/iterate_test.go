package cpg

import (
	"fmt"
	"testing"

	"cpgol/compat/abi"
	"cpgol/wire/exec"

	"github.com/google/go-cmp/cmp"
)

// iterate reads a whole iteration, twice round the end.
func (u *user) iterate(kind uint32, group string) (items []string) {
	u.t.Helper()
	request := abi.CPGIterInit{Type: kind, Group: name(group)}
	handle, st, err := abi.CutCPGIterInitRes(u.Request(request.Append(nil)))
	if st != abi.OK || err != nil {
		u.t.Fatalf("iterate: %v, %v", st, err)
	}
	next := abi.CPGIter{ID: abi.CPGIterNextID, Handle: handle}
	for {
		var item abi.CPGIterItem
		if _, err := item.Decode(u.Request(next.Append(nil))); err != nil {
			u.t.Fatal(err)
		}
		if item.Status == abi.NoSections {
			break
		}
		items = append(items, fmt.Sprintf("%s %d.%d", item.Group, item.Node, item.PID))
	}
	end := abi.CPGIter{ID: abi.CPGIterFinalizeID, Handle: handle}
	if st := u.ask(&end); st != abi.OK {
		u.t.Errorf("finalize: %v", st)
	}
	if st := u.ask(&end); st != abi.Library {
		u.t.Errorf("finalize again: %v", st)
	}
	if st := u.ask(&next); st != abi.Library {
		u.t.Errorf("next after finalize: %v", st)
	}
	return items
}

// TestIterate: the order is that of the reference's head insertion.
func TestIterate(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	for i, g := range []string{"g", "h", "g", "g"} {
		c.user(1, uint32(10+i)).mustJoin(g)
	}
	c.user(2, 20).mustJoin("h")
	c.user(2, 21).mustJoin("f")
	c.Run()
	u := c.user(2, 99)
	for _, w := range []struct {
		kind  uint32
		group string
		want  []string
	}{
		{abi.CPGIterAll, "ignored", []string{"f 2.21", "h 1.11", "h 2.20", "g 1.10", "g 1.13", "g 1.12"}},
		{abi.CPGIterGroup, "g", []string{"g 1.10", "g 1.13", "g 1.12"}},
		{abi.CPGIterGroup, "none", nil},
		{abi.CPGIterNames, "", []string{"f 0.0", "h 0.0", "g 0.0"}},
	} {
		if diff := cmp.Diff(w.want, u.iterate(w.kind, w.group)); diff != "" {
			t.Errorf("type %d of %q: %s", w.kind, w.group, diff)
		}
	}
}

// TestIterationsBounded: a client cannot keep any number of snapshots.
func TestIterationsBounded(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	u := c.user(1, 10)
	for i := range maxIterations + 1 {
		_, st, _ := abi.CutCPGIterInitRes(u.Request((&abi.CPGIterInit{Type: abi.CPGIterAll}).Append(nil)))
		if (st == abi.OK) != (i < maxIterations) {
			t.Fatalf("iteration %d: %v", i, st)
		}
	}
}

func TestMembership(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	c.user(2, 20).mustJoin("g")
	c.user(1, 10).mustJoin("g")
	c.user(1, 11).mustJoin("h")
	c.Run()
	u := c.user(1, 99)
	for group, want := range map[string][]abi.Address{
		"g": {{Node: 1, PID: 10}, {Node: 2, PID: 20}},
		"x": nil,
	} {
		answer := u.Request((&abi.CPGMembership{Group: name(group)}).Append(nil))
		var got abi.CPGMembers
		if _, err := got.Decode(answer); err != nil || len(answer) != 9248 {
			t.Fatalf("%d bytes: %v", len(answer), err)
		}
		if diff := cmp.Diff(want, got.Members); diff != "" || got.Status != abi.OK {
			t.Errorf("%s: %v %s", group, got.Status, diff)
		}
	}
}

// However many connections keep snapshots, they hold so many items and no more;
// an end gives them back, of an iteration or a connection.
func TestIterationsAreBounded(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	s := c.cpgs[1]
	g := s.group(&exec.GroupName{})
	for pid := range uint32(5000) {
		s.add(g, 2, pid)
	}
	all := abi.CPGIterInit{Type: abi.CPGIterAll}
	open := func(u *user) (handle uint64, st abi.Status) {
		handle, st, err := abi.CutCPGIterInitRes(u.Request(all.Append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		return handle, st
	}
	first, second := c.user(1, 98), c.user(1, 99)
	var last uint64
	opened := 0
	for range maxIterations {
		handle, st := open(first)
		if st != abi.OK {
			break
		}
		last = handle
		opened++
	}
	if opened != maxIterated/5000 {
		t.Errorf("%d snapshots of 5000 items", opened)
	}
	if _, st := open(second); st != abi.NoMemory {
		t.Errorf("another connection: %v", st)
	}
	first.ask(&abi.CPGIter{ID: abi.CPGIterFinalizeID, Handle: last})
	if _, st := open(second); st != abi.OK {
		t.Errorf("after an end: %v", st)
	}
	first.Close()
	second.Close()
	if s.iterated != 0 {
		t.Errorf("%d items are left", s.iterated)
	}
}
