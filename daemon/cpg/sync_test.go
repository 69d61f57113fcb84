package cpg

import (
	"fmt"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/sync/ringtest"
	"cpgol/wire/exec"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// TestPartitionAndMerge: each side reports the other's processes as down, then
// as up; left before joined before the ring (services.md 3.7, 3.8).
func TestPartitionAndMerge(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.form(1, 2, 3)
	a, b, d := c.user(1, 10), c.user(2, 20), c.user(3, 30)
	idle := c.user(1, 99) // in no group
	for _, u := range []*user{a, b, d} {
		u.mustJoin("g")
	}
	other := c.user(3, 31)
	other.mustJoin("a")
	watch := c.user(1, 11)
	watch.mustJoin("a")
	c.Run()
	for _, u := range []*user{a, b, d, other, watch} {
		u.heard()
	}

	c.Form([]totem.NodeID{1, 2}, []totem.NodeID{3})
	a.say("lost") // refused: a synchronisation runs
	c.Run()
	a.hears("g: 1.10 2.20 - 3.30nodedown", "ring 1.8 [1 2]")
	b.hears("g: 1.10 2.20 - 3.30nodedown", "ring 1.8 [1 2]")
	d.hears("g: 3.30 - 1.10nodedown 2.20nodedown", "ring 3.c [3]")
	idle.hears("ring 1.8 [1 2]")
	watch.hears("a: 1.11 - 3.31nodedown", "ring 1.8 [1 2]")
	c.agree("1.10@g 1.11@a 2.20@g", 1, 2)
	c.agree("3.30@g 3.31@a", 3)
	other.heard()

	// While apart one joins and one leaves.
	e := c.user(2, 5)
	e.mustJoin("g")
	b.Close()
	c.Run()
	a.hears("g: 1.10 2.5 2.20 + 2.5join", "g: 1.10 2.5 - 2.20procdown")

	c.form(3, 2, 1)
	// Node 3 hears node 2's list after node 1's, so it comes first.
	d.hears("g: 1.10 2.5 3.30 + 2.5nodeup 1.10nodeup", "ring 1.10 [1 2 3]")
	a.hears("g: 1.10 2.5 3.30 + 3.30nodeup", "ring 1.10 [1 2 3]")
	watch.hears("a: 1.11 3.31 + 3.31nodeup", "ring 1.10 [1 2 3]")
	other.hears("a: 1.11 3.31 + 1.11nodeup", "ring 1.10 [1 2 3]")
	c.agree("1.10@g 1.11@a 2.5@g 3.30@g 3.31@a", 1, 2, 3)
}

// TestEventOrder: at the end of a round groups come in the order of their
// names, those that lost before those that won, then the ring; in each, newest
// connections first.
func TestEventOrder(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.form(1, 2, 3)
	for i, g := range []string{"b", "a", "c"} {
		c.user(1, uint32(10+i)).mustJoin(g)
		c.user(2, uint32(20+i)).mustJoin(g)
		c.user(3, uint32(30+i)).mustJoin(g)
	}
	extra := c.user(1, 14)
	extra.mustJoin("b")
	c.Run()
	c.form(1, 3) // node 2 is away
	c.form(2)
	c.user(2, 25).mustJoin("b")
	c.Run()

	var log []string
	c.OnEvent = func(conn *ringtest.Conn, event []byte) {
		if conn.Node.ID == 1 {
			log = append(log, fmt.Sprintf("%d> %s", conn.PID(), describe(t, event)))
		}
	}
	c.form(1, 2) // node 3 goes, node 2 comes: all in one round
	want := []string{
		"11> a: 1.11 - 3.31nodedown",
		"14> b: 1.10 1.14 - 3.30nodedown", "10> b: 1.10 1.14 - 3.30nodedown",
		"12> c: 1.12 - 3.32nodedown",
		"11> a: 1.11 2.21 + 2.21nodeup",
		"14> b: 1.10 1.14 2.20 2.25 + 2.25nodeup 2.20nodeup", "10> b: 1.10 1.14 2.20 2.25 + 2.25nodeup 2.20nodeup",
		"12> c: 1.12 2.22 + 2.22nodeup",
		"14> ring 1.10 [1 2]", "12> ring 1.10 [1 2]", "11> ring 1.10 [1 2]", "10> ring 1.10 [1 2]",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}

// TestRestart: a node that was restarted within one change is told as down
// with its old processes; new ones come when they join.
func TestRestart(t *testing.T) {
	c, a, b := pair(t)
	c.Stop(2)
	c.start(2)
	c.form(1, 2)
	a.hears("g: 1.10 - 2.20nodedown", "ring 1.8 [1 2]")
	b = c.user(2, 21)
	b.mustJoin("g")
	c.Run()
	a.hears("g: 1.10 2.21 + 2.21join")
	b.hears("g: 1.10 2.21 + 2.21join")
	c.agree("1.10@g 2.21@g", 1, 2)
}

// TestRestartAlone: a node that formed a ring of its own in between has its
// new processes in its list.
func TestRestartAlone(t *testing.T) {
	c, a, b := pair(t)
	c.Stop(2)
	c.start(2)
	c.form(2)
	b = c.user(2, 21)
	b.mustJoin("g")
	c.Run()
	b.heard()
	c.form(1, 2)
	a.hears("g: 1.10 - 2.20nodedown", "g: 1.10 2.21 + 2.21nodeup", "ring 1.c [1 2]")
	b.hears("g: 1.10 2.21 + 1.10nodeup", "ring 1.c [1 2]")
}

// TestOldMessagesFirst: what was ordered in the old ring is delivered before
// the change that the new one brings, and what was only queued after it.
func TestOldMessagesFirst(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.form(1, 2, 3)
	a, b := c.user(1, 10), c.user(3, 30)
	a.mustJoin("g")
	b.mustJoin("g")
	c.Run()
	a.heard()
	b.say("last words")
	c.Order()
	a.say("queued")
	c.Stop(3)
	c.form(1, 2)
	a.hears("g: 3.30 says last words", "g: 1.10 - 3.30nodedown", "ring 1.8 [1 2]", "g: 1.10 says queued")
}

// TestAbortedRounds: a node that vanished and came back while rounds were
// being aborted is not down when one completes; what it does not announce any
// more left unseen (services.md 3.7).
func TestAbortedRounds(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b, d := c.user(1, 10), c.user(2, 20), c.user(2, 21)
	for _, u := range []*user{a, b, d} {
		u.mustJoin("g")
	}
	c.Run()
	a.heard()
	c.Form([]totem.NodeID{1}, []totem.NodeID{2})
	b.Close() // in its own ring only
	c.Form([]totem.NodeID{2})
	c.Step()
	c.Form([]totem.NodeID{1, 2})
	c.Step()
	c.Form([]totem.NodeID{1, 2}) // the last transitional list has both
	c.Run()
	a.hears("g: 1.10 2.21 - 2.20procdown", "ring 1.18 [1 2]")
	c.agree("1.10@g 2.21@g", 1, 2)
}

// TestStaleJoinList: a list that was queued in an aborted round and comes in
// the next does not bring a dead process back (services.md 3.9).
func TestStaleJoinList(t *testing.T) {
	c, a, b := pair(t)
	c.Form([]totem.NodeID{1}, []totem.NodeID{2})
	c.Run()
	a.heard()
	c.Form([]totem.NodeID{1, 2})
	c.Step() // lists of services
	c.Step() // node 2 has queued its JOINLIST
	c.Form([]totem.NodeID{1}, []totem.NodeID{2})
	b.Close()
	c.Form([]totem.NodeID{1, 2})
	c.Run()
	c.agree("1.10@g", 1, 2)
	for _, line := range a.heard() {
		if line == "g: 1.10 2.20 + 2.20nodeup" {
			t.Error("the dead process was told as up")
		}
	}
}

// TestAbortForgets: lists of a round that ended at the barrier are void.
func TestAbortForgets(t *testing.T) {
	s := New(&loose{})
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 4})
	list := exec.JoinList{Entries: []exec.JoinEntry{{PID: 20, Group: name("g")}}}
	s.joinList(2, list.Append(nil))
	s.SyncAbort()
	s.joinList(2, list.Append(nil)) // between rounds
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 8})
	s.joinList(2, list.Append(nil)) // left over
	s.SyncStarted(2)
	s.SyncActivate()
	if got := s.describe(); got != "" || s.Stats().Stale != 1 {
		t.Errorf("knows %q, stale %d", got, s.Stats().Stale)
	}
}

// TestGhostJoin: a client whose join is still queued when the ring breaks, and
// which dies during the synchronisation, does not stay in any table: its leave
// overtakes its join, and another follows (services.md 3.9).
func TestGhostJoin(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b := c.user(1, 10), c.user(2, 20)
	b.mustJoin("g")
	c.Run()
	b.heard()
	a.mustJoin("g")
	c.Form([]totem.NodeID{1, 2})
	a.Close()
	again := c.user(1, 10)
	c.Run()
	b.hears("g: 2.20 - 1.10procdown", "ring 1.8 [1 2]", "g: 1.10 2.20 + 1.10join", "g: 2.20 - 1.10procdown")
	c.agree("2.20@g", 1, 2)
	again.mustJoin("g")
	c.Run()
	c.agree("1.10@g 2.20@g", 1, 2)
}

// TestDeathInRound: a client that dies in a round does not stay in any table,
// wherever in the round it dies.
func TestDeathInRound(t *testing.T) {
	for steps := range 8 {
		c := newCluster(t, 1, 2, 3)
		c.form(1, 2)
		c.form(3)
		a, b, d := c.user(1, 10), c.user(2, 20), c.user(3, 30)
		for _, u := range []*user{a, b, d} {
			u.mustJoin("g")
		}
		c.Run()
		c.Form([]totem.NodeID{1, 2, 3})
		for range steps {
			c.Order()
			if steps%2 == 0 {
				c.Deliver()
			}
		}
		a.Close()
		c.Run()
		c.agree("2.20@g 3.30@g", 1, 2, 3)
	}
}

// TestDeathAfterJoinList: C peers add a process that their peer announced
// though it left since; so the leave is sent again when the round is over.
func TestDeathAfterJoinList(t *testing.T) {
	h := &loose{}
	s := New(h)
	s.SyncInit(nil, []totem.NodeID{1}, totem.RingID{Rep: 1, Seq: 4})
	s.SyncProcess()
	s.SyncActivate()
	conn := new(deaf)
	s.Connected(conn)
	join := abi.CPGJoin{Group: name("g"), PID: 10}
	s.join(conn, join.Append(nil))
	s.procChange(1, (&exec.ProcChange{Group: name("g"), PID: 10}).Append(nil))
	h.syncing = true
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 8})
	s.SyncProcess()
	h.sent = nil
	s.Closed(conn)
	leave := exec.ProcChange{Leave: true, Group: name("g"), PID: 10, Reason: exec.ReasonProcDown}
	s.procChange(1, leave.Append(nil))
	s.SyncActivate()
	want := [][]byte{leave.Append(nil), leave.Append(nil)}
	if diff := cmp.Diff(want, h.sent); diff != "" {
		t.Error(diff)
	}
}

// TestRoundMessages: DOWNLIST always, 1568 bytes, JOINLIST only with someone
// to name; each is sent once though the queue is full in between.
func TestRoundMessages(t *testing.T) {
	h := &loose{}
	s := New(h)
	ring := totem.RingID{Rep: 1, Seq: 4}
	s.SyncInit(nil, []totem.NodeID{1, 2, 3}, ring)
	if !s.SyncProcess() {
		t.Error("not done")
	}
	if len(h.sent) != 1 || len(h.sent[0]) != 1568 {
		t.Fatalf("sent %d messages", len(h.sent))
	}
	s.SyncActivate()
	s.procChange(1, (&exec.ProcChange{Group: name("g"), PID: 10}).Append(nil))
	h.sent = nil

	s.SyncInit([]totem.NodeID{1, 3}, []totem.NodeID{1, 3}, ring)
	h.room = 0
	h.limited = true
	if s.SyncProcess() {
		t.Error("done with a full queue")
	}
	h.room = 1
	if s.SyncProcess() {
		t.Error("done with JOINLIST unsent")
	}
	h.room = 1
	if !s.SyncProcess() {
		t.Error("not done")
	}
	down := exec.Downlist{OldMembers: 3, Count: 1, Nodes: [384]totem.NodeID{2}}
	joins := exec.JoinList{Entries: []exec.JoinEntry{{PID: 10, Group: name("g")}}}
	if diff := cmp.Diff([][]byte{down.Append(nil), joins.Append(nil)}, h.sent); diff != "" {
		t.Error(diff)
	}
}

// TestFullQueue: a leave that finds no room is sent when there is some, and a
// request that does is to be tried again.
func TestFullQueue(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b := c.user(1, 10), c.user(1, 11)
	a.mustJoin("g")
	b.mustJoin("g")
	c.Run()
	b.heard()
	n := c.Node(1)
	n.QueueLimit = 0
	a.Close()
	if st := c.user(1, 12).join("g", 0); st != abi.TryAgain {
		t.Errorf("join: %v", st)
	}
	if st := b.leave("g"); st != abi.TryAgain {
		t.Errorf("leave: %v", st)
	}
	if st := b.part(exec.PartFirst, 9, "x"); st != abi.TryAgain {
		t.Errorf("part: %v", st)
	}
	b.say("lost")
	c.Pass(time.Second)
	c.Run()
	b.hears()
	n.QueueLimit = 1
	c.Pass(time.Second)
	c.Run()
	b.hears("g: 1.11 - 1.10procdown")
	c.agree("1.11@g", 1, 2)
	if n := c.cpgs[1].Stats().Dropped; n != 1 {
		t.Errorf("%d dropped", n)
	}
	if len(c.cpgs[1].flying) != 0 {
		t.Errorf("in flight: %v", c.cpgs[1].flying)
	}
}

// TestDyingNotAnnounced: a process whose leave was sent in this round, but not
// delivered yet, is not in the list that follows it.
func TestDyingNotAnnounced(t *testing.T) {
	s, h, conn := joinedClient()
	h.forget, h.syncing = false, true
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 8})
	s.Closed(conn)
	h.sent = nil
	s.SyncProcess()
	if len(h.sent) != 1 {
		t.Errorf("sent %d messages", len(h.sent))
	}
}

// TestLeaveAfterJoinList: a peer's process that leaves after it was announced
// is not added when the round is over.
func TestLeaveAfterJoinList(t *testing.T) {
	s, _, conn := joinedClient()
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 8})
	list := exec.JoinList{Entries: []exec.JoinEntry{{PID: 20, Group: name("g")}, {PID: 21, Group: name("g")}}}
	s.joinList(2, list.Append(nil))
	s.procChange(2, (&exec.ProcChange{Leave: true, Group: name("g"), PID: 20, Reason: 5}).Append(nil))
	s.SyncActivate()
	if got := s.describe(); got != "1.10@g 2.21@g" || conn.events != 1+1+2 {
		t.Errorf("knows %q, %d events", got, conn.events)
	}
}
