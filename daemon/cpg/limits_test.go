package cpg

import (
	"testing"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// TestCrowd: no list in an event has more entries than clients have room for,
// and joins stop before that.
func TestCrowd(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1)
	c.form(2)
	a := c.user(1, 1)
	a.mustJoin("g")
	for pid := uint32(1000); pid < 1000+126; pid++ {
		c.user(1, pid).mustJoin("g")
	}
	b := c.user(1, 2)
	b.mustJoin("g")
	if st := c.user(1, 3).join("g", 0); st != abi.NoResources {
		t.Errorf("process 129 before any is delivered: %v", st)
	}
	c.Run()
	if st := c.user(1, 3).join("g", 0); st != abi.NoResources {
		t.Errorf("process 129: %v", st)
	}
	if st := c.user(1, 3).join("h", 0); st != abi.OK {
		t.Errorf("another group: %v", st)
	}
	// Node 2's group comes on top, and goes again.
	for pid := uint32(2000); pid < 2000+128; pid++ {
		c.user(2, pid).mustJoin("g")
	}
	c.Run()
	a.heard()
	c.form(1, 2)
	last := len(a.Events) - 2
	var m abi.CPGChange
	if _, err := m.Decode(a.Events[last]); err != nil {
		t.Fatal(err)
	}
	if len(m.Members) != 128 || len(m.Joined) != 128 || last != 0 {
		t.Errorf("%d members, %d joined, event %d", len(m.Members), len(m.Joined), last)
	}
	c.form(1)
	c.agree(c.cpgs[1].describe(), 1)
	if n := len(c.cpgs[1].groups[name("g")].members); n != 128 {
		t.Errorf("%d members left", n)
	}
}

// TestManyAtOnce: over 128 that come and go at once are told in parts.
func TestManyAtOnce(t *testing.T) {
	s, _, conn := joinedClient()
	s.SyncInit(nil, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 4})
	var list exec.JoinList
	for pid := range uint32(300) {
		list.Entries = append(list.Entries, exec.JoinEntry{PID: pid, Group: name("g")})
	}
	list.Entries = append(list.Entries, list.Entries[7]) // named twice
	s.joinList(2, list.Append(nil))
	conn.events = 0
	s.SyncActivate()
	if conn.events != 3+1 || len(s.procs.all) != 301 {
		t.Errorf("%d events, %d processes", conn.events, len(s.procs.all))
	}
	s.check(t)
	s.SyncInit([]totem.NodeID{1}, []totem.NodeID{1}, totem.RingID{Rep: 1, Seq: 8})
	conn.events = 0
	s.SyncActivate()
	if conn.events != 3+1 || len(s.procs.all) != 1 {
		t.Errorf("%d events, %d processes", conn.events, len(s.procs.all))
	}
	s.check(t)
}

// TestBounds: peers cannot grow the tables beyond what the package says.
func TestBounds(t *testing.T) {
	s := New(&loose{forget: true})
	s.SyncInit(nil, []totem.NodeID{1, 2}, totem.RingID{Rep: 1, Seq: 4})
	for pid := range uint32(maxPerNode + 10) {
		s.procChange(2, (&exec.ProcChange{Group: name("g"), PID: pid}).Append(nil))
	}
	if n := len(s.procs.all); n != maxPerNode || s.Stats().Refused != 10 {
		t.Errorf("%d processes, %+v", n, s.Stats())
	}
	var list exec.JoinList
	for pid := range uint32(maxPerNode) {
		list.Entries = append(list.Entries, exec.JoinEntry{PID: 1e6 + pid, Group: name("h")})
	}
	msg := list.Append(nil)
	for node := range totem.NodeID(20) {
		s.joinList(2+node, msg)
		s.joinList(2+node, msg) // in the place of the first
	}
	if n := s.round.total; n > maxProcesses || n < maxProcesses-maxPerNode {
		t.Errorf("%d announced", n)
	}
	s.SyncActivate()
	if n := len(s.procs.all); n > maxProcesses {
		t.Errorf("%d processes", n)
	}
	s.check(t)
	if n := s.procs.perNode[2]; n > maxPerNode {
		t.Errorf("%d of one node", n)
	}
	// All of this was node 2's and its likes': one's own clients still join.
	conn := new(deaf)
	s.Connected(conn)
	s.join(conn, (&abi.CPGJoin{Group: name("mine"), PID: 10}).Append(nil))
	s.procChange(1, (&exec.ProcChange{Group: name("mine"), PID: 10}).Append(nil))
	if conn.events == 0 {
		t.Error("own client left out")
	}
}

// TestMaxJoinList: as many processes as a node may have fit in one message.
func TestMaxJoinList(t *testing.T) {
	if n := exec.ResponseHeaderLen + 144*maxPerNode; n > 1<<20 || n+144 <= 1<<20 {
		t.Errorf("%d bytes", n)
	}
}
