package cpg

import (
	"strings"
	"testing"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// TestAssembly: fragments must add up to their message, no more and no less.
func TestAssembly(t *testing.T) {
	type step struct {
		part  exec.Part
		total uint32
		size  int
		want  bool
	}
	const first, more, last = exec.PartFirst, exec.PartContinued, exec.PartLast
	for name, steps := range map[string][]step{
		"three parts":         {{first, 9, 3, true}, {more, 9, 3, true}, {last, 9, 3, true}},
		"again":               {{first, 9, 3, true}, {first, 9, 3, true}, {last, 9, 6, true}},
		"empty first":         {{first, 9, 0, true}, {first, 9, 4, true}, {last, 9, 5, true}},
		"no first":            {{more, 9, 3, false}, {last, 9, 3, false}},
		"too long":            {{first, 9, 3, true}, {more, 9, 7, false}, {more, 9, 1, false}, {last, 9, 6, false}},
		"first too long":      {{first, 9, 10, false}, {last, 9, 0, false}},
		"too short":           {{first, 9, 3, true}, {last, 9, 5, false}},
		"other message":       {{first, 9, 3, true}, {last, 10, 7, false}},
		"after the last":      {{first, 9, 3, true}, {last, 9, 6, true}, {last, 9, 0, false}},
		"unknown part":        {{first, 9, 3, true}, {4, 9, 6, false}, {last, 9, 6, false}},
		"part 0":              {{0, 9, 3, false}},
		"4 GB, one too many":  {{first, 1<<32 - 1, 1 << 31, true}, {last, 1<<32 - 1, 1 << 31, false}},
		"4 GB":                {{first, 1<<32 - 1, 1 << 31, true}, {last, 1<<32 - 1, 1<<31 - 1, true}},
		"empty message":       {{first, 0, 0, true}, {last, 0, 0, true}},
		"first after failure": {{more, 9, 3, false}, {first, 9, 3, true}, {last, 9, 6, true}},
	} {
		var a assembly
		for i, st := range steps {
			if got := a.take(st.part, st.total, st.size); got != st.want {
				t.Errorf("%s: step %d: %v", name, i, got)
			}
		}
	}
}

// TestParts: fragments arrive as sent; a change of the group in between ends
// the message on the sender's side.
func TestParts(t *testing.T) {
	c, a, b := pair(t)
	for i, p := range []struct {
		part exec.Part
		text string
	}{{exec.PartFirst, "abc"}, {exec.PartContinued, "def"}, {exec.PartLast, "ghi"}} {
		if st := a.part(p.part, 9, p.text); st != abi.OK {
			t.Fatalf("part %d: %v", i, st)
		}
	}
	c.Run()
	for _, u := range []*user{a, b} {
		u.hears("g: 1.10 part 1 of 9 abc", "g: 1.10 part 2 of 9 def", "g: 1.10 part 3 of 9 ghi")
	}
	if st := a.part(exec.PartFirst, 9, "abc"); st != abi.OK {
		t.Fatal(st)
	}
	b.leave("g")
	c.Run()
	if st := a.part(exec.PartLast, 9, "defghi"); st != abi.Interrupt {
		t.Errorf("after a change: %v", st)
	}
	if st := a.part(exec.PartFirst, 9, "abc"); st != abi.OK {
		t.Errorf("after an interrupt: %v", st)
	}
	if st := a.part(exec.PartContinued, 9, "defghijk"); st != abi.InvalidParam {
		t.Errorf("over the length: %v", st)
	}
	long := strings.Repeat("x", abi.MaxCPGMessage+1)
	if st := a.part(exec.PartFirst, 1<<21, long); st != abi.InvalidParam {
		t.Errorf("fragment of over 1 MiB: %v", st)
	}
}

// TestHostileParts: fragments of a peer that do not fit are not delivered, so
// that no client copies past its buffer.
func TestHostileParts(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	a, b := c.user(1, 10), c.user(2, 20)
	a.mustJoin("g")
	b.mustJoin("g")
	c.Run()
	a.heard()
	say := func(pid uint32, part exec.Part, total uint32, text string) {
		m := exec.PartialMcast{Group: name("g"), PID: pid, Part: part, Total: total, Data: []byte(text)}
		c.Node(2).Say(m.Append(nil))
	}
	say(20, exec.PartFirst, 5, "abc")
	say(20, exec.PartContinued, 5, "abc")
	say(20, exec.PartLast, 5, "ab")
	say(20, exec.PartFirst, 5, "abc")
	say(20, exec.PartLast, 9, "de")
	say(21, exec.PartFirst, 5, "abc") // not in the group
	c.Run()
	a.hears("g: 2.20 part 1 of 5 abc", "g: 2.20 part 1 of 5 abc")
	st := c.cpgs[1].Stats()
	if st.BadFragment != 3 || st.UnknownSender != 1 {
		t.Errorf("%+v", st)
	}
}

// TestDropped: mcast has no answer; what cannot be sent is counted.
func TestDropped(t *testing.T) {
	h := &loose{}
	s := New(h)
	conn := new(deaf)
	request := (&abi.CPGMcast{Message: []byte("x")}).Append(nil)
	s.send(conn, request) // not even connected
	s.Connected(conn)
	s.send(conn, request) // not joined
	s.join(conn, (&abi.CPGJoin{Group: name("g"), PID: 10}).Append(nil))
	request[32] = 2
	s.send(conn, request) // longer than it is
	long := (&abi.CPGMcast{Message: make([]byte, abi.MaxCPGMessage+1)}).Append(nil)
	s.send(conn, long)
	h.limited = true
	request[32] = 1
	s.send(conn, request)
	if s.Stats().Dropped != 5 || len(h.sent) != 1 || conn.answers != 1 {
		t.Errorf("%+v, sent %d, answered %d", s.Stats(), len(h.sent), conn.answers)
	}
}

// TestMcastBytes: the message between nodes is the reference's, byte for byte.
func TestMcastBytes(t *testing.T) {
	h := &loose{}
	s := New(h)
	conn := new(deaf)
	s.Connected(conn)
	s.join(conn, (&abi.CPGJoin{Group: name("g\x00"), PID: 10}).Append(nil))
	s.send(conn, (&abi.CPGMcast{Message: []byte("a long one")}).Append(nil))
	s.send(conn, (&abi.CPGMcast{Message: []byte("short")}).Append(nil))
	source := exec.Source{Node: 1, Conn: 1}
	want := [][]byte{
		(&exec.ProcChange{Group: name("g\x00"), PID: 10, Reason: exec.ReasonJoin}).Append(nil),
		(&exec.Mcast{Group: name("g\x00"), PID: 10, Source: source, Data: []byte("a long one")}).Append(nil),
		(&exec.Mcast{Group: name("g\x00"), PID: 10, Source: source, Data: []byte("short")}).Append(nil),
	}
	if diff := cmp.Diff(want, h.sent); diff != "" {
		t.Error(diff)
	}
}

// joinedClient is a service of node 1 with one client in group g, for the hot
// path.
func joinedClient() (*Service, *loose, *deaf) {
	h := &loose{}
	s := New(h)
	conn := new(deaf)
	s.Connected(conn)
	s.join(conn, (&abi.CPGJoin{Group: name("g"), PID: 10}).Append(nil))
	s.procChange(1, (&exec.ProcChange{Group: name("g"), PID: 10}).Append(nil))
	h.forget = true
	return s, h, conn
}

// TestHotAllocs: a message from a client to the ring, and from the ring to a
// client, costs no allocation.
func TestHotAllocs(t *testing.T) {
	s, _, conn := joinedClient()
	request := (&abi.CPGMcast{Message: make([]byte, 64)}).Append(nil)
	message := (&exec.Mcast{Group: name("g"), PID: 10, Data: make([]byte, 64)}).Append(nil)
	part := (&exec.PartialMcast{Group: name("g"), PID: 10, Part: exec.PartFirst, Total: 99, Data: make([]byte, 64)}).Append(nil)
	partRequest := (&abi.CPGPartial{Part: exec.PartFirst, Total: 99, Fragment: make([]byte, 64)}).Append(nil)
	for what, f := range map[string]func(){
		"send":         func() { s.send(conn, request) },
		"deliver":      func() { s.deliver(totem.NodeID(1), message) },
		"send part":    func() { s.sendPart(conn, partRequest) },
		"deliver part": func() { s.deliverPart(1, part) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	if conn.events != 1+2*101 || s.Stats() != (Stats{}) {
		t.Errorf("%d events, %+v", conn.events, s.Stats())
	}
}

func BenchmarkSend(b *testing.B) {
	s, _, conn := joinedClient()
	request := (&abi.CPGMcast{Message: make([]byte, 64)}).Append(nil)
	for b.Loop() {
		s.send(conn, request)
	}
}

func BenchmarkDeliver(b *testing.B) {
	s, _, _ := joinedClient()
	message := (&exec.Mcast{Group: name("g"), PID: 10, Data: make([]byte, 64)}).Append(nil)
	for b.Loop() {
		s.deliver(1, message)
	}
}
