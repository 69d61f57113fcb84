package cpg

import (
	"strings"
	"testing"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
)

// TestJoinSendLeave: what members on two nodes hear is the same sequence, and
// a joiner's first event is its own change (services.md 3.5, 3.6, 3.8).
func TestJoinSendLeave(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b := c.user(1, 10), c.user(2, 20)
	a.mustJoin("g")
	a.say("early") // follows the join in the order
	c.Run()
	a.hears("g: 1.10 + 1.10join", "g: 1.10 says early")
	if st := b.join("g", abi.CPGInitialRing); st != abi.OK {
		t.Fatal(st)
	}
	c.Run()
	a.hears("g: 1.10 2.20 + 2.20join")
	b.hears("g: 1.10 2.20 + 2.20join", "ring 1.4 [1 2]")
	a.say("one")
	b.say("two")
	c.Run()
	a.hears("g: 1.10 says one", "g: 2.20 says two")
	b.hears("g: 1.10 says one", "g: 2.20 says two")
	c.agree("1.10@g 2.20@g", 1, 2)

	if st := a.leave("g"); st != abi.OK {
		t.Fatal(st)
	}
	b.say("three")
	c.Run()
	a.hears("g: 2.20 - 1.10leave")
	b.hears("g: 2.20 - 1.10leave", "g: 2.20 says three")
	b.Close()
	c.Run()
	c.agree("", 1, 2)
	if n := len(c.cpgs[1].groups); n != 0 {
		t.Errorf("%d groups left", n)
	}
}

// TestLeaveOrder: a leaver hears nothing after its leave in the order; then it
// may join again, another group or the same.
func TestLeaveOrder(t *testing.T) {
	c, a, b := pair(t)
	for _, next := range []string{"g", "h"} {
		b.say("late") // sent by node 2, whose turn comes after node 1's
		if st := a.leave("g"); st != abi.OK {
			t.Fatal(st)
		}
		c.Run()
		a.hears("g: 2.20 - 1.10leave")
		b.hears("g: 2.20 - 1.10leave", "g: 2.20 says late")
		a.mustJoin(next)
		c.Run()
		a.heard()
		b.heard()
	}
	c.agree("1.10@h 2.20@g", 1, 2)
}

// TestStates walks the reference's table of states (services.md 3.4).
func TestStates(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	a := c.user(1, 10)
	check := func(what string, got, want abi.Status) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("leave when unjoined", a.leave("g"), abi.NotExist)
	check("part when unjoined", a.part(exec.PartFirst, 2, "x"), abi.NotExist)
	a.mustJoin("g")
	check("join when joining", a.join("h", 0), abi.Exist)
	check("leave when joining", a.leave("g"), abi.Busy)
	check("part when joining", a.part(exec.PartFirst, 2, "x"), abi.OK)
	c.Run()
	check("join when joined", a.join("h", 0), abi.Exist)
	check("join again", a.join("g", 0), abi.Exist)
	check("leave when joined", a.leave("other name, same group"), abi.OK)
	check("leave when leaving", a.leave("g"), abi.NotExist)
	check("join when leaving", a.join("h", 0), abi.Busy)
	check("join the same when leaving", a.join("g", 0), abi.Exist)
	check("part when leaving", a.part(exec.PartFirst, 2, "x"), abi.NotExist)

	b := c.user(1, 10) // another connection of the same process
	check("same process and group", b.join("g", 0), abi.Exist)
	check("same process, other group", b.join("h", 0), abi.OK)
	c.Run()
	check("leave when left", a.leave("g"), abi.NotExist)
	a.mustJoin("g")
	c.Run()
	c.agree("1.10@h 1.10@g", 1)
	a.Close()
	check("leave not delivered", c.user(1, 10).join("g", 0), abi.TryAgain)
	c.Run()
	check("leave delivered", c.user(1, 10).join("g", 0), abi.OK)
}

func TestNames(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	long := c.user(1, 10)
	if st := long.join(strings.Repeat("x", 128), 0); st != abi.NameTooLong {
		t.Errorf("128 bytes: %v", st)
	}
	m := (&abi.CPGJoin{PID: 10}).Append(nil)
	m[16] = 129
	if _, _, st, _ := abi.CutResponse(long.Request(m)); st != abi.NameTooLong {
		t.Errorf("129 bytes: %v", st)
	}
	long.mustJoin(strings.Repeat("x", 127))
	// A trailing NUL makes another group, and no bytes at all make one too.
	users := []*user{c.user(1, 20), c.user(1, 21), c.user(1, 22)}
	for i, g := range []string{"g", "g\x00", ""} {
		users[i].mustJoin(g)
	}
	c.Run()
	for _, u := range users {
		u.heard()
		u.say("mine")
	}
	c.Run()
	users[0].hears("g: 1.20 says mine")
	users[1].hears("g\x00: 1.21 says mine")
	users[2].hears(": 1.22 says mine")
	users[2].Close()
	c.Run()
	if c.cpgs[1].groups[name("")].process(1, 22) != nil {
		t.Error("the nameless group kept a dead process")
	}
}

// TestRingFirst: a change of any group brings the ring to those who asked for
// it, even before their own join.
func TestRingFirst(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	a, b := c.user(1, 10), c.user(1, 11)
	if st := b.join("h", abi.CPGInitialRing); st != abi.OK {
		t.Fatal(st)
	}
	a.mustJoin("g")
	c.Node(1).Say((&exec.ProcChange{Group: name("third"), PID: 99}).Append(nil))
	c.Deliver()
	b.hears("ring 1.4 [1]")
	c.Run()
	b.hears("h: 1.11 + 1.11join")
	a.hears("g: 1.10 + 1.10join")
}

// TestUnknownSender: messages from a node that has nobody in the group are
// for nobody.
func TestUnknownSender(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a := c.user(1, 10)
	a.mustJoin("g")
	c.Run()
	a.heard()
	c.Node(2).Say((&exec.Mcast{Group: name("g"), PID: 20, Data: []byte("x")}).Append(nil))
	c.Run()
	a.hears()
	if n := c.cpgs[1].Stats().UnknownSender; n != 1 {
		t.Errorf("counted %d", n)
	}
	// Any process of that node in the group will do.
	b := c.user(2, 21)
	b.mustJoin("g")
	c.Run()
	a.heard()
	c.Node(2).Say((&exec.Mcast{Group: name("g"), PID: 20, Data: []byte("x")}).Append(nil))
	c.Run()
	a.hears("g: 2.20 says x")
}

// TestUnknownLeave: a leave of a process that nobody knows is told.
func TestUnknownLeave(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a := c.user(1, 10)
	a.mustJoin("g")
	c.Run()
	a.heard()
	c.Node(2).Say((&exec.ProcChange{Leave: true, Group: name("g"), PID: 20, Reason: 5}).Append(nil))
	c.Run()
	a.hears("g: 1.10 - 2.20procdown")
}

func TestFinalize(t *testing.T) {
	c, a, b := pair(t)
	_, _, st, _ := abi.CutResponse(a.Request(abi.AppendRequest(nil, abi.CPGFinalizeID, 16)))
	if st != abi.OK {
		t.Errorf("finalize: %v", st)
	}
	b.say("x")
	c.Run()
	a.hears()
	b.hears("g: 2.20 says x")
	c.agree("1.10@g 2.20@g", 1, 2)
	if st := c.user(1, 10).join("g", 0); st != abi.TryAgain {
		t.Errorf("join beside a finalised connection: %v", st)
	}
	a.Close()
	c.Run()
	b.hears("g: 2.20 - 1.10procdown")
	c.agree("2.20@g", 1, 2)
}

// TestFinalizeEarly: a connection that is finalised and closed before its join
// came back leaves nothing behind.
func TestFinalizeEarly(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	a := c.user(1, 10)
	a.mustJoin("g")
	a.Request(abi.AppendRequest(nil, abi.CPGFinalizeID, 16))
	c.Run()
	c.agree("1.10@g", 1)
	a.Close()
	c.Run()
	c.agree("", 1)
}

func TestLocalGet(t *testing.T) {
	c := newCluster(t, 7)
	c.form(7)
	a := c.user(7, 10)
	self, st, err := abi.CutCPGLocalRes(a.Request(abi.AppendRequest(nil, abi.CPGLocalID, 16)))
	if self != 7 || st != abi.OK || err != nil {
		t.Errorf("local get: %d, %v, %v", self, st, err)
	}
}

// TestTables: sizes, pacing and numbers as ipc.md 4.6 and appendix A have them.
func TestTables(t *testing.T) {
	c := newCluster(t, 1)
	sizes := []int{168, 160, 40, 152, 16, 160, 24, 24, 16, 152, 32, 24, 56}
	throttled := "yyynnnnnynnyy" // but for 9 and 10, which need not be; see the package comment
	rows := c.cpgs[1].Requests()
	if len(rows) != len(sizes) {
		t.Fatalf("%d requests", len(rows))
	}
	for i, r := range rows {
		if r.Size != sizes[i] || r.Throttled != (throttled[i] == 'y') || r.Async != (i == 2) || r.Handle == nil {
			t.Errorf("request %d: %+v", i, r)
		}
	}
	if n := len(c.cpgs[1].Messages()); n != 7 {
		t.Errorf("%d messages", n)
	}
}

// TestForgottenGroup: a finalised connection holds on to a group that is
// forgotten; its end does no harm to a new group of that name.
func TestForgottenGroup(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b := c.user(1, 10), c.user(1, 11)
	a.mustJoin("g")
	a.Request(abi.AppendRequest(nil, abi.CPGFinalizeID, 16))
	c.Node(2).Say((&exec.ProcChange{Leave: true, Group: name("g"), PID: 5}).Append(nil))
	c.Deliver()
	if len(c.cpgs[1].groups) != 0 {
		t.Fatal("the group is kept")
	}
	b.mustJoin("g")
	a.Close()
	c.Run()
	b.hears("g: 1.10 1.11 + 1.11join", "g: 1.11 - 1.10procdown")
	c.agree("1.11@g", 1, 2)
}
