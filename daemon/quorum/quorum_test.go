package quorum

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"cpgol/compat/abi"
	"cpgol/daemon/cpg"
	"cpgol/daemon/service"
	"cpgol/daemon/sync/ringtest"
	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// A provider judges at its own activation, as votequorum does: quorate with
// more than one member.
type provider struct {
	q       *Service
	members []totem.NodeID
	ring    totem.RingID
}

func (p *provider) ID() service.ID              { return service.Votequorum }
func (p *provider) Name() string                { return "provider" }
func (p *provider) Requests() []service.Request { return nil }
func (p *provider) Messages() []service.Message { return nil }
func (p *provider) Connected(service.Conn)      {}
func (p *provider) Closed(service.Conn)         {}
func (p *provider) SyncInit(_, members []totem.NodeID, ring totem.RingID) {
	p.members, p.ring = append(p.members[:0], members...), ring
}
func (p *provider) SyncProcess() bool { return true }
func (p *provider) SyncActivate()     { p.q.Set(p.members, len(p.members) > 1, p.ring) }
func (p *provider) SyncAbort()        {}

// world starts nodes with cpg, quorum and a provider.
func world(ids ...totem.NodeID) *ringtest.World {
	w := ringtest.New()
	for _, id := range ids {
		w.Start(id, build)
	}
	return w
}

func build(h service.Host) []service.Service {
	q := New(h, true)
	return []service.Service{cpg.New(h), q, &provider{q: q}}
}

// request sends one of the requests and returns status and number of the
// answer.
func request(t *testing.T, c *ringtest.Conn, id int32, word uint32) (abi.Status, uint32) {
	t.Helper()
	msg := abi.AppendRequest(nil, id, abi.RequestLen)
	if id == abi.QuorumTrackStartID || id == abi.QuorumModelID {
		msg = (&abi.QuorumWord{ID: id, Word: word}).Append(nil)
	}
	answer := c.Request(msg)
	got, size, st, err := abi.CutResponse(answer)
	if err != nil || size != len(answer) {
		t.Fatalf("answer to %d: %x, %v", id, answer, err)
	}
	if size == abi.QuorumWordResLen {
		word, _, _ := abi.CutQuorumWordRes(answer, got)
		return st, word
	}
	return st, 0
}

// heard puts the events since last asked into words.
func heard(t *testing.T, c *ringtest.Conn) (lines []string) {
	t.Helper()
	for _, e := range c.Take() {
		lines = append(lines, describe(t, e))
	}
	return lines
}

func describe(t *testing.T, e []byte) string {
	t.Helper()
	id, _, _, _ := abi.CutResponse(e)
	if id == abi.QuorumNodesEvent {
		var m abi.QuorumNodes
		if n, err := m.Decode(e); err != nil || n != len(e) {
			t.Fatalf("%x: %v", e, err)
		}
		return fmt.Sprintf("nodes %v %v +%v -%v", m.Ring, m.Members, m.Joined, m.Left)
	}
	var m abi.QuorumChange
	if n, err := m.Decode(e); err != nil || n != len(e) {
		t.Fatalf("%x: %v", e, err)
	}
	return fmt.Sprintf("quorum v1=%v %v %v %v", m.V1, m.Quorate, m.Ring, m.Members)
}

func expect(t *testing.T, c *ringtest.Conn, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, heard(t, c)); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// TestRequests goes through the five requests and their answers.
func TestRequests(t *testing.T) {
	w := world(1, 2)
	c := w.Node(1).Connect(service.Quorum, 10)
	check := func(what string, id int32, word uint32, st abi.Status, want uint32) {
		t.Helper()
		if got, n := request(t, c, id, word); got != st || n != want {
			t.Errorf("%s: %v, %d; want %v, %d", what, got, n, st, want)
		}
	}
	check("quorate at start", abi.QuorumGetQuorateID, 0, abi.OK, 0)
	w.Form([]totem.NodeID{1, 2})
	w.Run()
	check("quorate", abi.QuorumGetQuorateID, 0, abi.OK, 1)
	check("type", abi.QuorumGetTypeID, 0, abi.OK, abi.QuorumSet)
	check("model 2", abi.QuorumModelID, 2, abi.InvalidParam, abi.QuorumSet)
	check("stop when not tracking", abi.QuorumTrackStopID, 0, abi.OK, 0)
	check("track nothing", abi.QuorumTrackStartID, 0, abi.OK, 0)
	expect(t, c)
	check("track current", abi.QuorumTrackStartID, abi.TrackCurrent, abi.OK, 0)
	expect(t, c, "quorum v1=false true 0.4 [1 2]")
	check("track changes only", abi.QuorumTrackStartID, abi.TrackChangesOnly, abi.OK, 0)
	expect(t, c)
	check("track again", abi.QuorumTrackStartID, abi.TrackChanges, abi.Exist, 0)
	expect(t, c, "quorum v1=false true 0.4 [1 2]") // told, though refused
	check("model 1", abi.QuorumModelID, 1, abi.OK, abi.QuorumSet)
	check("track again", abi.QuorumTrackStartID, abi.TrackCurrent, abi.Exist, 0)
	expect(t, c, "nodes 1.4 [1 2] +[] -[]", "quorum v1=true true 1.4 [1 2]")
	check("stop", abi.QuorumTrackStopID, 0, abi.OK, 0)
	w.Form([]totem.NodeID{1})
	w.Run()
	expect(t, c)
}

// TestNoProvider: quorate for ever, and the view stays empty.
func TestNoProvider(t *testing.T) {
	w := ringtest.New()
	w.Start(1, func(h service.Host) []service.Service { return []service.Service{New(h, false)} })
	w.Form([]totem.NodeID{1})
	w.Run()
	c := w.Node(1).Connect(service.Quorum, 10)
	if _, quorate := request(t, c, abi.QuorumGetQuorateID, 0); quorate != 1 {
		t.Error("not quorate")
	}
	if _, kind := request(t, c, abi.QuorumModelID, 1); kind != abi.QuorumFree {
		t.Error("has a provider")
	}
	request(t, c, abi.QuorumTrackStartID, abi.TrackChanges)
	expect(t, c, "nodes 1.4 [1] +[] -[]", "quorum v1=true true 0.0 []")
	w.Form([]totem.NodeID{1})
	w.Run()
	expect(t, c, "nodes 1.8 [1] +[] -[]")
}

// TestChanges: nodelist, then quorum, at each change of membership; a node
// that was restarted is in both lists (services.md 5).
func TestChanges(t *testing.T) {
	w := world(1, 2, 3)
	old, now := w.Node(1).Connect(service.Quorum, 10), w.Node(1).Connect(service.Quorum, 11)
	request(t, now, abi.QuorumModelID, 1)
	for _, c := range []*ringtest.Conn{old, now} {
		request(t, c, abi.QuorumTrackStartID, abi.TrackChangesOnly)
	}
	step := func(form []totem.NodeID, wantOld string, wantNow ...string) {
		t.Helper()
		w.Form(form)
		w.Run()
		expect(t, old, wantOld)
		expect(t, now, wantNow...)
	}
	step([]totem.NodeID{1}, "quorum v1=false false 0.4 [1]",
		"nodes 1.4 [1] +[1] -[]", "quorum v1=true false 1.4 [1]")
	step([]totem.NodeID{1, 2, 3}, "quorum v1=false true 0.8 [1 2 3]",
		"nodes 1.8 [1 2 3] +[2 3] -[]", "quorum v1=true true 1.8 [1 2 3]")
	w.Stop(2)
	w.Start(2, build)
	step([]totem.NodeID{1, 2, 3}, "quorum v1=false true 0.c [1 2 3]",
		"nodes 1.c [1 2 3] +[2] -[2]", "quorum v1=true true 1.c [1 2 3]")
	step([]totem.NodeID{1, 3}, "quorum v1=false true 0.10 [1 3]",
		"nodes 1.10 [1 3] +[] -[2]", "quorum v1=true true 1.10 [1 3]")
	// A round that is not completed moves nothing: both changes are told.
	w.Form([]totem.NodeID{1})
	step([]totem.NodeID{1, 2}, "quorum v1=false true 0.18 [1 2]",
		"nodes 1.18 [1 2] +[2] -[3]", "quorum v1=true true 1.18 [1 2]")
	now.Close()
	step([]totem.NodeID{1}, "quorum v1=false false 0.1c [1]")
}

// TestOrderOfServices: in one change cpg's clients are told first, then the
// nodelist, then the quorum; the newest tracker first (services.md 5).
func TestOrderOfServices(t *testing.T) {
	w := world(1, 2)
	w.Form([]totem.NodeID{1, 2})
	w.Run()
	w.Node(1).Connect(service.CPG, 9)
	for pid := range uint32(2) {
		c := w.Node(1).Connect(service.Quorum, 10+pid)
		request(t, c, abi.QuorumModelID, 1)
		request(t, c, abi.QuorumTrackStartID, abi.TrackChangesOnly)
	}
	var log []string
	w.OnEvent = func(c *ringtest.Conn, e []byte) {
		id, _, _, _ := abi.CutResponse(e)
		log = append(log, fmt.Sprintf("%d: %d", c.PID(), id))
	}
	w.Form([]totem.NodeID{1})
	w.Run()
	want := []string{"9: 13", "11: 7", "10: 7", "11: 6", "10: 6"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}

// TestTrackDuringSync: a tracker that starts in a round sees the round's nodes
// and the provider's last ring.
func TestTrackDuringSync(t *testing.T) {
	w := world(1, 2)
	w.Form([]totem.NodeID{1, 2})
	w.Run()
	w.Form([]totem.NodeID{1})
	c := w.Node(1).Connect(service.Quorum, 10)
	request(t, c, abi.QuorumModelID, 1)
	request(t, c, abi.QuorumTrackStartID, abi.TrackChanges)
	expect(t, c, "nodes 1.8 [1] +[] -[]", "quorum v1=true true 1.4 [1 2]")
}

// TestTables: sizes and numbers as ipc.md 4.6 and appendix A have them; no
// request waits.
func TestTables(t *testing.T) {
	rows := New(nil, true).Requests()
	for i, size := range []int{16, 24, 16, 16, 24} {
		if r := rows[i]; r.Size != size || r.Throttled || r.Async || r.Handle == nil {
			t.Errorf("request %d: %+v", i, r)
		}
	}
	if len(rows) != 5 {
		t.Errorf("%d requests", len(rows))
	}
}

// TestLog: the lines that administrators look for, long lists in several.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	s := New(nil, true)
	s.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key != slog.MessageKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	s.Set([]totem.NodeID{1, 2}, true, totem.RingID{})
	s.Set([]totem.NodeID{1, 2}, true, totem.RingID{})
	var long []totem.NodeID
	for n := range totem.NodeID(40) {
		long = append(long, 1000+n)
	}
	s.Set(long, false, totem.RingID{})
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i := range got {
		got[i] = strings.Trim(strings.TrimPrefix(got[i], "msg="), `"`)
	}
	if len(got) != 3+1+4 {
		t.Fatalf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	want := []string{
		"This node is within the primary component and will provide service.",
		"Members[2]: 1 2",
		"Members[2]: 1 2",
		"This node is within the non-primary component and will NOT provide any services.",
	}
	if diff := cmp.Diff(want, got[:4]); diff != "" {
		t.Error(diff)
	}
	for i, line := range got[4:] {
		if !strings.HasPrefix(line, "Members[40]: 10") || strings.HasSuffix(line, `\`) != (i < 3) {
			t.Errorf("%q", line)
		}
	}
}
