package cpg

import (
	"slices"
	"strings"
	"testing"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/daemon/sync/ringtest"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Operations of FuzzRequests.
const (
	opRequest = iota // a client asks: which client, then the request
	opMessage        // a node says something in the ring: which node, then the message
	opConnect
	opClose // which client
	opStep
	opForm // which nodes are together
	opFull // which node's queue is full
	opTime
	ops
)

// FuzzRequests runs two nodes through arbitrary requests of clients, arbitrary
// messages of peers, connections that come and go, and rings that part and
// merge. Nothing panics; every event is one that a client can take; and after
// a good round all nodes agree on who is in which group.
func FuzzRequests(f *testing.F) {
	f.Add(script())
	f.Add([]byte{opConnect, 0, opClose, 0, opForm, 1, opStep, opForm, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		play(t, data)
	})
}

// play runs a script of operations.
func play(t testing.TB, data []byte) {
	c := newCluster(t, 1, 2)
	l := library{t: t, long: map[*ringtest.Conn]map[process]assembly{}}
	c.OnEvent = l.event
	var opened []uint64
	c.cpgs[1].SetOpener(fakeFiles(&opened)) // node 2 has none
	c.form(1, 2)
	var conns []*ringtest.Conn
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	cut := func() []byte {
		n := min(2*int(next()), len(data))
		b := data[:n]
		data = data[n:]
		return b
	}
	for i := 0; len(data) > 0 && i < 1000; i++ {
		op, which := next()%ops, int(next())
		node := totem.NodeID(1 + which%2)
		switch op {
		case opRequest:
			if b := cut(); len(conns) > 0 {
				conns[which%len(conns)].Request(b)
			}
		case opMessage:
			c.Node(node).Say(cut())
		case opConnect:
			if len(conns) < 20 {
				conns = append(conns, c.Node(node).Connect(service.CPG, uint32(which)))
			}
		case opClose:
			if len(conns) > 0 {
				at := which % len(conns)
				conns[at].Close()
				conns = slices.Delete(conns, at, at+1)
			}
		case opStep:
			c.Step()
		case opForm:
			if which%2 == 0 {
				c.Form([]totem.NodeID{1, 2})
			} else {
				c.Form([]totem.NodeID{1}, []totem.NodeID{2})
			}
		case opFull:
			c.Node(node).QueueLimit = which / 2
		case opTime:
			c.Pass(2 * retryAfter)
		}
	}
	c.Node(1).QueueLimit, c.Node(2).QueueLimit = 1<<20, 1<<20
	c.Pass(2 * retryAfter)
	c.Run()
	c.form(1, 2)
	if a, b := c.cpgs[1].known(), c.cpgs[2].known(); a != b {
		t.Errorf("node 1 knows %q, node 2 %q", a, b)
	}
	for _, conn := range conns {
		conn.Close()
	}
	c.Run()
	for id, s := range c.cpgs {
		if len(s.clients)+len(s.open)+len(s.local)+len(s.flying)+len(s.dying)+len(s.unsent) > 0 {
			t.Errorf("node %d keeps %d clients, %d open, %d local, %d flying, %d dying, %d unsent", id,
				len(s.clients), len(s.open), len(s.local), len(s.flying), len(s.dying), len(s.unsent))
		}
		if s.zero.count != 0 || s.zero.bytes != 0 || len(opened) > 0 {
			t.Errorf("node %d keeps %d buffers of %d bytes, %d are open", id, s.zero.count, s.zero.bytes, len(opened))
		}
		s.check(t)
	}
}

// known puts the table into words, the groups of one process by name: in the
// table they stand in the order in which this node learnt of them, as in the
// reference, which differs between nodes that do so in a merge.
func (s *Service) known() string {
	words := strings.Fields(s.describe())
	slices.Sort(words)
	return strings.Join(words, " ")
}

// A library takes events as C clients do, and fails where they would write past
// a buffer.
type library struct {
	t    testing.TB
	long map[*ringtest.Conn]map[process]assembly
}

func (l *library) event(conn *ringtest.Conn, b []byte) {
	describe(l.t, b)
	id, _, _, _ := abi.CutResponse(b)
	switch id {
	case abi.CPGChangeEvent:
		var m abi.CPGChange
		m.Decode(b)
		if max(len(m.Members), len(m.Left), len(m.Joined)) > 128 {
			l.t.Errorf("%d members, %d left, %d joined", len(m.Members), len(m.Left), len(m.Joined))
		}
	case abi.CPGPartialEvent:
		var m abi.CPGPartialDeliver
		m.Decode(b)
		l.fragment(conn, &m)
	}
}

// fragment copies a fragment without looking, as lib/cpg.c does.
func (l *library) fragment(conn *ringtest.Conn, m *abi.CPGPartialDeliver) {
	if l.long[conn] == nil {
		l.long[conn] = map[process]assembly{}
	}
	sender := process{node: m.Node, pid: m.PID}
	if m.Part == exec.PartFirst {
		l.long[conn][sender] = assembly{open: true, total: m.Total}
	}
	a, ok := l.long[conn][sender]
	if !ok {
		return
	}
	if int(a.have)+len(m.Fragment) > int(a.total) {
		l.t.Errorf("fragments of %d.%d overrun their message of %d bytes", m.Node, m.PID, a.total)
	}
	a.have += uint32(len(m.Fragment))
	l.long[conn][sender] = a
	if m.Part == exec.PartLast {
		if m.Total > a.total {
			l.t.Errorf("message of %d bytes read as %d", a.total, m.Total)
		}
		delete(l.long[conn], sender)
	}
}

// script is a seed that goes through most of what clients and peers do.
func script() (s []byte) {
	with := func(op, which byte, m appender) {
		b := m.Append(nil)
		if len(b)%2 != 0 {
			b = append(b, 0)
		}
		s = append(append(s, op, which, byte(len(b)/2)), b...)
	}
	do := func(op, which byte) { s = append(s, op, which) }
	for i := range byte(4) {
		do(opConnect, i)
		with(opRequest, i, &abi.CPGJoin{Group: name("g"), PID: uint32(10 + i), Flags: 1})
	}
	do(opStep, 0)
	with(opRequest, 0, &abi.CPGMcast{Message: []byte("text")})
	with(opRequest, 1, &abi.CPGPartial{Part: exec.PartFirst, Total: 8, Fragment: []byte("text")})
	with(opRequest, 1, &abi.CPGPartial{Part: exec.PartLast, Total: 8, Fragment: []byte("text")})
	with(opRequest, 2, &abi.CPGMembership{Group: name("g")})
	with(opRequest, 2, &abi.CPGIterInit{Type: abi.CPGIterAll})
	with(opRequest, 2, &abi.CPGIter{ID: abi.CPGIterNextID, Handle: 1})
	with(opRequest, 0, &abi.CPGZeroAlloc{MapSize: 100, Path: "text"})
	with(opRequest, 0, &abi.CPGZeroExecute{Address: 1})
	with(opRequest, 0, &abi.CPGZeroFree{Address: 1})
	do(opStep, 0)
	with(opRequest, 3, &abi.CPGLeave{Group: name("g"), PID: 13})
	do(opForm, 1)
	do(opClose, 0)
	do(opStep, 0)
	with(opMessage, 1, &exec.ProcChange{Group: name("g"), PID: 77})
	with(opMessage, 1, &exec.ProcChange{Leave: true, Group: name("g"), PID: 12, Reason: 9})
	with(opMessage, 0, &exec.Mcast{Group: name("g"), PID: 10, Data: []byte("spoken")})
	with(opMessage, 1, &exec.PartialMcast{Group: name("g"), PID: 11, Part: exec.PartFirst, Total: 9, Data: []byte("spoken")})
	with(opMessage, 1, &exec.JoinList{Entries: []exec.JoinEntry{{PID: 66, Group: name("h")}}})
	do(opFull, 1)
	do(opForm, 0)
	with(opMessage, 1, &exec.JoinList{Entries: []exec.JoinEntry{{PID: 66, Group: name("h")}}})
	do(opClose, 1)
	do(opStep, 0)
	do(opTime, 0)
	return s
}
