package sync_test

import (
	"fmt"
	"slices"
	"testing"

	"cpgol/daemon/service"
	"cpgol/daemon/sync"
	"cpgol/daemon/sync/ringtest"
	"cpgol/wire/exec"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// spy is a service that notes what sync tells it.
type spy struct {
	id    service.ID
	log   *[]string
	stall bool // SyncProcess is not done yet
}

func (s *spy) ID() service.ID              { return s.id }
func (s *spy) Name() string                { return "spy" }
func (s *spy) Requests() []service.Request { return nil }
func (s *spy) Messages() []service.Message { return nil }
func (s *spy) Connected(service.Conn)      {}
func (s *spy) Closed(service.Conn)         {}
func (s *spy) note(format string, args ...any) {
	*s.log = append(*s.log, fmt.Sprintf("%d ", s.id)+fmt.Sprintf(format, args...))
}
func (s *spy) SyncInit(trans, members []totem.NodeID, ring totem.RingID) {
	s.note("init %v %v %v", trans, members, ring)
}
func (s *spy) SyncProcess() bool {
	s.note("process")
	return !s.stall
}
func (s *spy) SyncActivate()                 { s.note("activate") }
func (s *spy) SyncAbort()                    { s.note("abort") }
func (s *spy) SyncStarted(peer totem.NodeID) { s.note("started %d", peer) }

// spies builds the spies of the given services, which note in one log.
func spies(log *[]string, ids ...service.ID) func(service.Host) []service.Service {
	return func(service.Host) (all []service.Service) {
		for _, id := range ids {
			all = append(all, &spy{id: id, log: log})
		}
		return all
	}
}

func take(log *[]string) []string {
	l := *log
	*log = nil
	return l
}

// TestRound: hooks of all services run in the reference's order, and a service
// that only a peer has costs a barrier, no more.
func TestRound(t *testing.T) {
	var one, two []string
	w := ringtest.New()
	w.Start(1, spies(&one, 2, 0)) // out of order
	w.Start(2, spies(&two, 0, 3, 5))
	w.Form([]totem.NodeID{1})
	w.Form([]totem.NodeID{2})
	w.Run()
	take(&one)
	take(&two)
	w.Form([]totem.NodeID{2, 1})
	w.Run()
	want := []string{
		"0 init [1] [1 2] 1.c", "2 init [1] [1 2] 1.c",
		"0 started 1", "2 started 1", "0 started 2", "2 started 2",
		"0 process", "0 activate", "2 process", "2 activate",
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
	want = []string{
		"0 init [2] [1 2] 1.c", "3 init [2] [1 2] 1.c", "5 init [2] [1 2] 1.c",
		"0 started 1", "3 started 1", "5 started 1", "0 started 2", "3 started 2", "5 started 2",
		"0 process", "0 activate", "3 process", "3 activate", "5 process", "5 activate",
	}
	if diff := cmp.Diff(want, two); diff != "" {
		t.Error(diff)
	}
	for id := range totem.NodeID(2) {
		if n := w.Node(id + 1); n.Sync.InProgress() || n.Completed != 2 {
			t.Errorf("node %d: in progress %v, completed %d", n.ID, n.Sync.InProgress(), n.Completed)
		}
	}
}

// TestFirstRing: the very first ring has no members that came along.
func TestFirstRing(t *testing.T) {
	var log []string
	w := ringtest.New()
	n := w.Start(1, spies(&log, 2))
	if !n.Sync.InProgress() {
		t.Error("a new node is in step")
	}
	w.Form([]totem.NodeID{1})
	if diff := cmp.Diff([]string{"2 init [] [1] 1.4"}, take(&log)); diff != "" {
		t.Error(diff)
	}
	w.Run()
	if diff := cmp.Diff([]string{"2 started 1", "2 process", "2 activate"}, log); diff != "" {
		t.Error(diff)
	}
}

// harness drives one Sync by hand.
type harness struct {
	*sync.Sync
	log  []string
	sent [][]byte
	full bool
	done int
}

func newHarness(services ...service.Syncer) *harness {
	h := &harness{}
	for _, s := range services {
		s.(*spy).log = &h.log
	}
	h.Sync = sync.New(1, services, func(head, body []byte) error {
		if h.full {
			return service.ErrQueueFull
		}
		h.sent = append(h.sent, slices.Concat(head, body))
		return nil
	}, func() { h.done++ })
	return h
}

var ring = totem.RingID{Rep: 1, Seq: 0xd}

func (h *harness) form(members ...totem.NodeID) {
	h.Configure(sync.Transitional, []totem.NodeID{1}, ring)
	h.Configure(sync.Regular, members, ring)
}

func (h *harness) build(from totem.NodeID, ring totem.RingID, services ...int32) {
	m := exec.ServiceBuild{Ring: ring, Count: len(services)}
	copy(m.List[:], services)
	h.Deliver(from, m.Append(nil))
}

func (h *harness) barrier(from totem.NodeID, ring totem.RingID) {
	h.Deliver(from, (&exec.Barrier{Ring: ring}).Append(nil))
}

// TestMessages: the bytes that this node sends are those of the reference.
func TestMessages(t *testing.T) {
	h := newHarness(&spy{id: 0}, &spy{id: 2})
	h.form(1)
	h.Deliver(1, h.sent[0])
	h.TokenSent()
	build := exec.ServiceBuild{Ring: ring, Count: 2, List: [128]int32{0, 2}}
	barrier := exec.Barrier{Ring: ring}
	if diff := cmp.Diff([][]byte{build.Append(nil), barrier.Append(nil)}, h.sent); diff != "" {
		t.Error(diff)
	}
}

// TestAbort: the service in turn is told of the end of a round, at work or at
// the barrier, and no other.
func TestAbort(t *testing.T) {
	for _, atBarrier := range []bool{false, true} {
		h := newHarness(&spy{id: 0}, &spy{id: 2}, &spy{id: 3})
		h.form(1, 2)
		h.build(1, ring, 0, 2, 3)
		h.build(2, ring, 0, 2, 3)
		h.TokenSent()
		h.barrier(1, ring)
		h.barrier(2, ring)
		if atBarrier {
			h.TokenSent()
		}
		h.log = nil
		h.Configure(sync.Transitional, []totem.NodeID{1}, ring)
		h.barrier(2, ring) // of the dead round
		h.Configure(sync.Regular, []totem.NodeID{1}, totem.RingID{Rep: 1, Seq: 0x11})
		want := []string{"2 abort", "0 init [1] [1] 1.11", "2 init [1] [1] 1.11", "3 init [1] [1] 1.11"}
		if diff := cmp.Diff(want, h.log); diff != "" {
			t.Errorf("at barrier %v: %s", atBarrier, diff)
		}
		if h.done != 0 || h.Stats().Aborted != 1 || h.Stats().Stale != 1 {
			t.Errorf("done %d, stats %+v", h.done, h.Stats())
		}
	}
}

// TestTransReplaced: each transitional configuration replaces the one before,
// also when its round never began.
func TestTransReplaced(t *testing.T) {
	h := newHarness(&spy{id: 2})
	h.Configure(sync.Transitional, []totem.NodeID{1, 2, 3}, ring)
	h.Configure(sync.Transitional, []totem.NodeID{1, 4, 5}, ring)
	h.Configure(sync.Regular, []totem.NodeID{1, 3, 4}, ring)
	if diff := cmp.Diff([]string{"2 init [1 4] [1 3 4] 1.d"}, h.log); diff != "" {
		t.Error(diff)
	}
}

// TestFasterPeer: a barrier that comes before this node's own work counts.
func TestFasterPeer(t *testing.T) {
	h := newHarness(&spy{id: 2})
	h.form(1, 2)
	h.build(1, ring, 2)
	h.build(2, ring, 2)
	h.barrier(2, ring)
	h.TokenSent()
	h.log = nil
	h.barrier(1, ring)
	if diff := cmp.Diff([]string{"2 activate"}, h.log); diff != "" || h.done != 1 {
		t.Errorf("done %d: %s", h.done, diff)
	}
}

// TestHostile: what no good member sends changes nothing.
func TestHostile(t *testing.T) {
	h := newHarness(&spy{id: 2})
	h.barrier(1, totem.RingID{}) // before any ring, and zero as the engine's is
	h.form(1, 2)
	h.barrier(1, ring) // while lists are awaited
	h.barrier(2, ring)
	h.build(7, ring, 2) // not a member
	h.build(1, totem.RingID{Rep: 2, Seq: 0xd}, 2)
	h.build(1, ring, 2)
	h.build(1, ring, 2) // twice
	if len(h.sent) != 1 {
		t.Fatalf("sent %d messages", len(h.sent))
	}
	h.build(2, ring, 2)
	h.build(2, ring, 2, 9) // after the union was made
	h.barrier(1, ring)     // in this node's name
	h.barrier(2, ring)
	h.barrier(7, ring)
	h.Deliver(2, nil)
	h.Deliver(2, make([]byte, 16))
	h.Deliver(2, []byte{9, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0})
	if h.done != 0 || slices.Contains(h.log, "2 activate") {
		t.Fatal("passed the barrier alone")
	}
	h.TokenSent()
	h.barrier(1, ring)
	if h.done != 1 {
		t.Error("round not completed")
	}
	h.barrier(1, ring) // after the round
	h.barrier(2, ring)
	want := sync.Stats{Rounds: 1, Completed: 1, Stale: 4, Untimely: 6, Malformed: 3}
	if diff := cmp.Diff(want, h.Stats()); diff != "" {
		t.Error(diff)
	}
}

// TestManyServices: peers cannot grow the list without end.
func TestManyServices(t *testing.T) {
	h := newHarness(&spy{id: 2})
	h.form(1, 2)
	h.build(1, ring, 2)
	many := make([]int32, 128)
	for i := range many {
		many[i] = int32(1000 - 17*i)
	}
	h.build(2, ring, many...)
	rounds := 0
	for ; h.done == 0 && rounds < 200; rounds++ {
		h.TokenSent()
		h.barrier(1, ring)
		h.barrier(2, ring)
	}
	if rounds != 64 {
		t.Errorf("%d services", rounds)
	}
}

// TestFullQueue: what cannot be sent is sent at a later token.
func TestFullQueue(t *testing.T) {
	h := newHarness(&spy{id: 2})
	h.full = true
	h.form(1)
	h.TokenSent()
	h.full = false
	h.TokenSent()
	h.build(1, ring, 2)
	h.full = true
	h.TokenSent()
	h.TokenSent()
	h.full = false
	h.TokenSent()
	h.TokenSent()
	if len(h.sent) != 2 {
		t.Fatalf("sent %d messages", len(h.sent))
	}
	h.barrier(1, ring)
	want := []string{"2 init [1] [1] 1.d", "2 started 1", "2 process", "2 activate"}
	if diff := cmp.Diff(want, h.log); diff != "" || h.done != 1 {
		t.Errorf("done %d: %s", h.done, diff)
	}
}

// TestStall: a service holds the round until it is done, and is asked at each
// token.
func TestStall(t *testing.T) {
	s := &spy{id: 5, stall: true}
	h := newHarness(s)
	h.form(1)
	h.build(1, ring, 5)
	h.TokenSent()
	h.TokenSent()
	if len(h.sent) != 1 {
		t.Fatalf("sent %d messages", len(h.sent))
	}
	s.stall = false
	h.TokenSent()
	h.barrier(1, ring)
	if h.done != 1 {
		t.Error("round not completed")
	}
}

// TestNoServices: a node without services is through when all lists are in.
func TestNoServices(t *testing.T) {
	h := newHarness()
	h.form(1, 2)
	h.build(2, ring)
	h.build(1, ring)
	if h.done != 1 || h.InProgress() {
		t.Error("round not completed")
	}
}
