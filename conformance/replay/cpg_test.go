package replay

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"cpgol/wire/exec"
	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

func fragment(seq uint16, part, num uint8, text string) *knet.Data {
	return &knet.Data{Seq: seq, FragSeq: part, FragNum: num, Payload: []byte(text)}
}

func name(t *testing.T, s string) exec.GroupName {
	t.Helper()
	g, ok := exec.NewGroupName([]byte(s))
	if !ok {
		t.Fatal(s)
	}
	return g
}

// told lists a client's events in short.
func told(c *client) string {
	var all []string
	for _, e := range c.events {
		b, _ := json.Marshal(e)
		all = append(all, string(b))
	}
	return strings.Join(all, "\n")
}

func TestCPG(t *testing.T) {
	a, b := name(t, "a"), name(t, "b\x00")
	c := &cpgState{self: 1, known: make(map[process]bool)}
	ring := totem.RingID{Rep: 1, Seq: 8}
	join := func(from totem.NodeID, pid uint32, g exec.GroupName) {
		c.joined(from, &exec.ProcChange{PID: pid, Group: g, Reason: exec.ReasonLeave}, false)
	}
	all := []totem.NodeID{1, 2, 3}
	c.init(nil, all, ring)
	c.activate()
	join(1, 10, a)
	join(1, 10, a) // known: ignored
	join(3, 30, a)
	join(2, 20, b)
	join(1, 11, b)
	join(2, 21, a)
	c.mcast(2, &exec.Mcast{Group: a, PID: 99, Data: []byte("x")}) // some process of the group is there
	c.mcast(3, &exec.Mcast{Group: b, PID: 30, Data: []byte("y")}) // none is
	// Node 2 goes and comes back with another process; node 3's process is not
	// named again.
	c.init([]totem.NodeID{1, 3}, all, totem.RingID{Rep: 1, Seq: 12})
	c.keepJoinlist(1, &exec.JoinList{Entries: []exec.JoinEntry{{PID: 10, Group: a}, {PID: 11, Group: b}}})
	c.keepJoinlist(2, &exec.JoinList{Entries: []exec.JoinEntry{{PID: 22, Group: a}, {PID: 23, Group: a}, {PID: 23, Group: b}}})
	c.activate()
	c.left(1, &exec.ProcChange{PID: 11, Group: b, Reason: exec.ReasonProcDown, Leave: true})
	c.left(1, &exec.ProcChange{PID: 10, Group: a, Reason: exec.ReasonLeave, Leave: true})

	want := []string{`{"event":"confchg","group":"a","members":[[1,10,0]],"left":[],"joined":[[1,10,1]]}
{"event":"ring","rep":1,"seq":8,"members":[1,2,3]}
{"event":"confchg","group":"a","members":[[1,10,0],[3,30,0]],"left":[],"joined":[[3,30,1]]}
{"event":"confchg","group":"a","members":[[1,10,0],[2,21,0],[3,30,0]],"left":[],"joined":[[2,21,1]]}
{"event":"deliver","group":"a","node":2,"pid":99,"len":1,"fnv1a":4245442695}
{"event":"confchg","group":"a","members":[[1,10,0],[3,30,0]],"left":[[2,21,3]],"joined":[]}
{"event":"confchg","group":"a","members":[[1,10,0],[2,22,0],[2,23,0],[3,30,0]],"left":[],"joined":[[2,23,4],[2,22,4]]}
{"event":"confchg","group":"a","members":[[1,10,0],[2,22,0],[2,23,0]],"left":[[3,30,5]],"joined":[]}
{"event":"ring","rep":1,"seq":12,"members":[1,2,3]}
{"event":"confchg","group":"a","members":[[2,22,0],[2,23,0]],"left":[[1,10,2]],"joined":[]}`,
		`{"event":"confchg","group":"b","members":[[1,11,0],[2,20,0]],"left":[],"joined":[[1,11,1]]}
{"event":"ring","rep":1,"seq":8,"members":[1,2,3]}
{"event":"confchg","group":"b","members":[[1,11,0]],"left":[[2,20,3]],"joined":[]}
{"event":"confchg","group":"b","members":[[1,11,0],[2,23,0]],"left":[],"joined":[[2,23,4]]}
{"event":"ring","rep":1,"seq":12,"members":[1,2,3]}`}
	if len(c.clients) != len(want) {
		t.Fatalf("%d clients", len(c.clients))
	}
	for i, w := range want {
		if diff := cmp.Diff(w, told(c.clients[i])); diff != "" {
			t.Errorf("client %d (-want +got):\n%s", i, diff)
		}
	}
}

// The client library puts partial messages together, by sender.
func TestPartialMessages(t *testing.T) {
	g := name(t, "g")
	c := &cpgState{self: 1, known: make(map[process]bool)}
	c.joined(1, &exec.ProcChange{PID: 10, Group: g}, false)
	c.joined(2, &exec.ProcChange{PID: 20, Group: g}, false)
	cl := c.clients[0]
	cl.events = nil
	part := func(from totem.NodeID, p exec.Part, text string) {
		c.partial(from, &exec.PartialMcast{Group: g, PID: uint32(from) * 10, Part: p, Data: []byte(text)})
	}
	part(2, exec.PartContinued, "lost")
	part(2, exec.PartLast, "lost")
	part(1, exec.PartFirst, "ab")
	part(2, exec.PartFirst, "given up")
	part(2, exec.PartFirst, "uv")
	part(1, exec.PartContinued, "cd")
	part(2, exec.PartLast, "w")
	part(1, exec.PartLast, "e")
	part(2, exec.PartFirst, "never ended")
	c.left(2, &exec.ProcChange{PID: 20, Group: g, Reason: exec.ReasonLeave, Leave: true})
	c.joined(2, &exec.ProcChange{PID: 20, Group: g}, false)
	part(2, exec.PartLast, "nor begun")
	var got []event
	for _, e := range cl.events {
		if e.kind == eventDeliver {
			got = append(got, e)
		}
	}
	want := []event{deliverEvent(g, 2, 20, []byte("uvw")), deliverEvent(g, 1, 10, []byte("abcde"))}
	if len(got) != 2 || !got[0].equal(want[0]) || !got[1].equal(want[1]) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRound(t *testing.T) {
	ring, other := totem.RingID{Rep: 1, Seq: 4}, totem.RingID{Rep: 1, Seq: 8}
	list := func(id totem.RingID, services ...int32) *exec.ServiceBuild {
		m := &exec.ServiceBuild{Ring: id, Count: len(services)}
		copy(m.List[:], services)
		return m
	}
	var r round
	r.start(ring, []totem.NodeID{1, 2})
	barrier := func(from totem.NodeID, id totem.RingID) (int32, bool) {
		return r.barrier(from, &exec.Barrier{Ring: id})
	}
	if done, _ := barrier(1, ring); done != -1 {
		t.Error("a barrier before the lists counts")
	}
	r.build(1, list(ring, 5, 2))
	r.build(2, list(other, 7)) // of another round
	if !r.building {
		t.Error("built without member 2")
	}
	r.build(2, list(ring, 0, 2))
	if diff := cmp.Diff([]int32{0, 2, 5}, r.services); diff != "" || r.building {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for i, want := range []int32{0, 2, 5} {
		if done, _ := barrier(2, other); done != -1 {
			t.Error("a barrier of another round counts")
		}
		if done, _ := barrier(2, ring); done != -1 {
			t.Error("one of two members is enough")
		}
		if done, _ := barrier(2, ring); done != -1 {
			t.Error("the same member twice is enough")
		}
		if done, finished := barrier(1, ring); done != want || finished != (i == 2) {
			t.Errorf("barrier %d: service %d, finished %v", i, done, finished)
		}
	}
	if done, _ := barrier(1, ring); done != -1 {
		t.Error("a barrier after the last counts")
	}
}

// Stock's reassembly, defects included (totem.md 4.3).
func TestAssembler(t *testing.T) {
	tests := []struct{ name, frames, want string }{
		{"whole messages", "a,b c", "a b c"},
		{"two fragments", "a,b> >c,d", "a bc d"},
		{"four fragments", "a> >b> >c> >d", "abcd"},
		{"comes in the middle", ">b> >c,lost d", "d"},
		{"comes in the middle, and again", ">b> >c,lost> >lost,too d", "d"},
		{"the end is missing", "a> b,c", ""},
		{"the end is missing, then on", "a> b c,d e", "c d e"},
	}
	for _, tt := range tests {
		a := make(assembler)
		var got []string
		var last uint8
		for frame := range strings.SplitSeq(tt.frames, " ") {
			f := &pg.Frame{}
			if rest, ok := strings.CutPrefix(frame, ">"); ok {
				f.Continuation, frame = max(last, 3), rest
			}
			last = 0
			if rest, ok := strings.CutSuffix(frame, ">"); ok {
				f.Fragmented, frame, last = f.Continuation+3, rest, f.Continuation+3
			}
			for piece := range strings.SplitSeq(frame, ",") {
				f.Lengths = append(f.Lengths, uint16(len(piece)))
				f.Data = append(f.Data, piece...)
			}
			a.frame(7, f, func(msg []byte, end int) {
				if !bytes.HasSuffix(f.Data[:end], msg[len(msg)-1:]) {
					t.Errorf("%s: %s ends at %d", tt.name, msg, end)
				}
				got = append(got, string(msg))
			})
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, g, tt.want)
		}
	}
}

func TestEventJSON(t *testing.T) {
	for _, line := range []string{
		`{"event":"confchg","group":"cap","members":[[1,9,0]],"left":[],"joined":[[1,9,1]]}`,
		`{"event":"ring","rep":1,"seq":9,"members":[1,2,3]}`,
		`{"event":"deliver","group":"cap","node":1,"pid":9,"len":64,"fnv1a":2071816645}`,
	} {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.String() != line {
			t.Errorf("%s comes back as %v, %v", line, e, err)
		}
	}
	for _, line := range []string{`{"event":"other"}`, `{`, `{"event":"ring","rep":"x"}`} {
		if err := new(event).UnmarshalJSON([]byte(line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}
