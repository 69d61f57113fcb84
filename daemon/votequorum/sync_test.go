package votequorum_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/votequorum"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// names shortens messages for comparison.
func names(t testing.TB, messages [][]byte) string {
	t.Helper()
	var all []string
	for _, b := range messages {
		var info exec.VoteNodeInfo
		var conf exec.VoteReconfigure
		var dev exec.VoteDevice
		var ren exec.VoteDeviceRename
		switch _, fn := exec.SplitID(int32(binary.LittleEndian.Uint32(b))); fn {
		case exec.VoteNodeInfoFn:
			info.Decode(b)
			all = append(all, fmt.Sprintf("nodeinfo(%d)", info.Node))
		case exec.VoteReconfigureFn:
			conf.Decode(b)
			all = append(all, fmt.Sprintf("reconfigure(%d:%d)", conf.Param, conf.Value))
		case exec.VoteDeviceFn:
			dev.Decode(b)
			all = append(all, fmt.Sprintf("device(%d:%s)", dev.Operation, dev.Name))
		case exec.VoteDeviceRenameFn:
			ren.Decode(b)
			all = append(all, fmt.Sprintf("rename(%s:%s)", ren.Old, ren.New))
		default:
			t.Fatalf("function %d", fn)
		}
	}
	return strings.Join(all, " ")
}

// voters makes n nodes of one cluster, each alone.
func voters(t testing.TB, n int, more map[string]cmap.Value) (c *ringtest.Cluster, all []*voter, nodes []*ringtest.Node) {
	c = ringtest.New(t)
	for i := range n {
		keys := nodeList(n, more)
		keys["nodelist.local_node_pos"] = cmap.U32(uint32(i))
		v := startVoter(t, c, totem.NodeID(i+1), votequorum.Options{}, keys)
		all, nodes = append(all, v), append(nodes, v.Node)
	}
	return c, all, nodes
}

// TestSyncMessages: who says what in a round, and that the first message of all
// is sent before any ring is there.
func TestSyncMessages(t *testing.T) {
	c, all, nodes := voters(t, 2, nil)
	if got := names(t, all[0].Sent); got != "nodeinfo(1)" {
		t.Errorf("at the start: %s", got)
	}
	c.Form(nodes)
	if got := names(t, all[0].Sent); got != "nodeinfo(1) nodeinfo(1) nodeinfo(0)" {
		t.Errorf("after a round: %s", got)
	}
	// A node that meets others at once clears FIRST, but the message it sent
	// before then comes back and sets it again, until the next round
	// (services.md 4.2).
	var first, second, third exec.VoteNodeInfo
	first.Decode(all[0].Sent[0])
	second.Decode(all[0].Sent[1])
	if first.Flags != exec.VoteFirst || second.Flags != exec.VoteFirst|exec.VoteQuorate || first.Expected != 2 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	c.Form(nodes)
	third.Decode(all[0].Sent[3])
	if third.Flags != exec.VoteQuorate {
		t.Errorf("third %+v", third)
	}

	// Without room the round waits, and nothing is said twice.
	all[0].s.SyncInit(nil, []totem.NodeID{1}, totem.RingID{})
	before := len(all[0].Sent)
	if all[0].Full = true; all[0].s.SyncProcess() {
		t.Error("a round went on without its messages")
	}
	if all[0].Full = false; !all[0].s.SyncProcess() || !all[0].s.SyncProcess() {
		t.Error("a round does not go on")
	}
	if got := names(t, all[0].Sent[before:]); got != "nodeinfo(1) nodeinfo(0)" {
		t.Errorf("sent %s", got)
	}
}

// eventNames shortens a client's events.
func eventNames(t testing.TB, c *ringtest.Client) (all []string) {
	t.Helper()
	for _, b := range c.TakeEvents() {
		var q abi.VoteQuorum
		var e abi.VoteExpected
		var l abi.VoteNodeList
		switch id, _, _, _ := abi.CutResponse(b); id {
		case abi.VoteQuorumEventID:
			if _, err := q.Decode(b); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("quorum %v %v ctx %d", q.Quorate, q.Nodes, q.Context))
		case abi.VoteExpectedEventID:
			if _, err := e.Decode(b); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("expected %d ctx %d", e.Expected, e.Context))
		case abi.VoteNodeListEventID:
			if _, err := l.Decode(b); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("members %v ring %v ctx %d", l.Members, l.Ring, l.Context))
		default:
			t.Fatalf("event %d", id)
		}
	}
	return all
}

func TestTrackers(t *testing.T) {
	c, all, nodes := voters(t, 3, nil)
	c.Form(nodes)
	a := all[0].client
	start := abi.VoteTrackStartRequest{Context: 9, Flags: abi.TrackChanges}
	if st := ringtest.Status(a.Call((&abi.VoteTrackStartRequest{Context: 8, Flags: abi.TrackCurrent}).Append(nil))); st != abi.OK {
		t.Error(st)
	}
	if st := ringtest.Status(a.Call(start.Append(nil))); st != abi.OK {
		t.Error(st)
	}
	if st := ringtest.Status(a.Call(start.Append(nil))); st != abi.Exist {
		t.Errorf("second track start: %v", st)
	}
	ring := nodes[0].Ring()
	known := "[{2 1} {3 1} {1 1}]" // nodes in the reference's odd order
	var want []string
	for _, ctx := range []int{8, 9, 9} {
		want = append(want, fmt.Sprintf("members [1 2 3] ring %v ctx %d", ring, ctx),
			fmt.Sprintf("quorum true %s ctx %d", known, ctx))
	}
	if diff := gocmp.Diff(want, eventNames(t, a)); diff != "" {
		t.Errorf("at the start (-want +got)\n%s", diff)
	}

	c.Crash(nodes[2])
	c.Form(nodes[:2])
	want = []string{
		fmt.Sprintf("members [1 2] ring %v ctx 9", nodes[0].Ring()),
		"quorum true [{2 1} {3 2} {1 1}] ctx 9",
	}
	if diff := gocmp.Diff(want, eventNames(t, a)); diff != "" {
		t.Errorf("after a crash (-want +got)\n%s", diff)
	}

	all[1].client.Call((&abi.VoteWordRequest{ID: abi.VoteSetExpectedID, Word: 2}).Append(nil))
	c.Run()
	if diff := gocmp.Diff([]string{"expected 2 ctx 9"}, eventNames(t, a)); diff != "" {
		t.Errorf("after set expected (-want +got)\n%s", diff)
	}
	// Quorum that changes outside a round is told at once.
	calls := all[0].calls
	all[0].m.Set("quorum.expected_votes", cmap.U32(9))
	c.Run()
	want = []string{"quorum false [{2 1} {3 2} {1 1}] ctx 9", "expected 9 ctx 9"}
	if diff := gocmp.Diff(want, eventNames(t, a)); diff != "" || all[0].calls != calls+1 || all[0].quorate {
		t.Errorf("after more expected votes: %d calls (-want +got)\n%s", all[0].calls-calls, diff)
	}

	stop := abi.AppendRequest(nil, abi.VoteTrackStopID, abi.RequestLen)
	if st := ringtest.Status(a.Call(stop)); st != abi.OK {
		t.Error(st)
	}
	if st := ringtest.Status(a.Call(stop)); st != abi.NotExist {
		t.Errorf("second track stop: %v", st)
	}
	a.Call(start.Append(nil))
	a.TakeEvents()
	a.Close()
	c.Form(nodes[:2])
	if len(a.Events) > 0 {
		t.Errorf("%d events after the end", len(a.Events))
	}
}

func TestClientErrors(t *testing.T) {
	c, all, nodes := voters(t, 2, nil)
	c.Form(nodes)
	a := all[0].client
	word := func(id int32, w uint32) []byte { return (&abi.VoteWordRequest{ID: id, Word: w}).Append(nil) }
	votes := func(n totem.NodeID, v uint32) []byte {
		return (&abi.VoteSetVotesRequest{Node: n, Votes: v}).Append(nil)
	}
	for _, x := range []struct {
		name string
		msg  []byte
		want abi.Status
	}{
		{"getinfo of nobody", word(abi.VoteGetInfoID, 9), abi.NotExist},
		{"fewer expected than there are", word(abi.VoteSetExpectedID, 1), abi.InvalidParam},
		{"so many that quorum would be lost", word(abi.VoteSetExpectedID, 4), abi.InvalidParam},
		{"as many as keep it", word(abi.VoteSetExpectedID, 3), abi.OK},
		{"votes of nobody", votes(9, 1), abi.NameNotFound},
		{"votes out of reach", votes(2, 0), abi.InvalidParam},
		{"two votes", votes(2, 2), abi.OK},
		{"the device's", votes(0, 1), abi.OK},
		{"a number above the last", word(10, 0), abi.InvalidParam},
	} {
		answer := a.Call(x.msg)
		if st := ringtest.Status(answer); st != x.want {
			t.Errorf("%s: %v, want %v", x.name, st, x.want)
		}
		c.Run()
	}
	if got := a.Responses[0]; len(got) != 320 || strings.Trim(string(got[24:]), "\x00") != "" {
		t.Errorf("getinfo of nobody: %d bytes %x", len(got), got)
	}
	all[0].Full = true
	if st := ringtest.Status(a.Call(votes(2, 2))); st != abi.NoResources {
		t.Errorf("with a full queue: %v", st)
	}
}

// TestHostileMessages: refused, counted, and nothing else happens.
func TestHostileMessages(t *testing.T) {
	c, all, nodes := voters(t, 2, nil)
	c.Form(nodes)
	v := all[0]
	before := v.state(t).String()
	info := func(n totem.NodeID, flags exec.VoteFlags) []byte {
		return (&exec.VoteNodeInfo{Node: n, Votes: 50, Expected: 90, Flags: flags}).Append(nil)
	}
	v.Inject(9, info(0, 0)) // the reference asserts that it knows node 9
	v.Inject(9, info(2, exec.VoteLeaving))
	v.Inject(2, info(1, exec.VoteQuorate))
	bad := (&exec.VoteDevice{Operation: exec.VoteDeviceRegister}).Append(nil)
	for i := range 255 {
		bad[20+i] = 'x'
	}
	v.Inject(2, bad)
	v.Inject(2, append((&exec.VoteDeviceRename{}).Append(nil)[:16], []byte(strings.Repeat("x", 512))...))
	v.Inject(2, (&exec.VoteReconfigure{Param: 77, Value: 3}).Append(nil))
	v.Inject(2, (&exec.VoteReconfigure{Param: exec.VoteParamVotes, Node: 77, Value: 3}).Append(nil))
	c.Run()
	if after := v.state(t).String(); after != before {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	want := votequorum.Counters{Malformed: 2, Impostor: 2, UnknownSender: 1}
	if v.s.Counters != want {
		t.Errorf("counted %+v, want %+v", v.s.Counters, want)
	}
	// Nodes are remembered, but not without end.
	for id := totem.NodeID(100); id < 1100; id++ {
		v.Inject(id, info(id, 0))
	}
	c.Run()
	if v.s.Counters.TableFull != 1000-(385-2) {
		t.Errorf("table full %d times", v.s.Counters.TableFull)
	}
}

func TestTrackingFile(t *testing.T) {
	dir := t.TempDir()
	file := votequorum.TrackingFile(dir)
	if n, err := file.Load(); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	for _, n := range []uint32{5, 0x01020304} {
		if err := file.Store(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := file.Store(1); err == nil {
		t.Error("stored in a closed file")
	}
	path := filepath.Join(dir, "ev_tracking")
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "\x04\x03\x02\x01" {
		t.Errorf("%x, %v", b, err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", st.Mode())
	}
	if n, err := votequorum.TrackingFile(dir).Load(); n != 0x01020304 || err != nil {
		t.Errorf("loaded %d, %v", n, err)
	}
	os.WriteFile(path, []byte("ab"), 0o700)
	if n, err := votequorum.TrackingFile(dir).Load(); n != 0 || err != nil {
		t.Errorf("from a short file: %d, %v", n, err)
	}
}

// TestTrackingSurvives: what was expected once is expected after a restart.
func TestTrackingSurvives(t *testing.T) {
	dir := t.TempDir()
	keys := nodeList(2, map[string]cmap.Value{"quorum.expected_votes_tracking": cmap.U8(1)})
	c := ringtest.New(t)
	v := startVoter(t, c, 1, votequorum.Options{Tracking: votequorum.TrackingFile(dir)}, keys)
	c.Form([]*ringtest.Node{v.Node})
	v.client.Call((&abi.VoteWordRequest{ID: abi.VoteSetExpectedID, Word: 7}).Append(nil))
	c.Run()
	v.s.Leaving()
	c.Crash(v.Node)
	v = startVoter(t, c, 1, votequorum.Options{Tracking: votequorum.TrackingFile(dir)}, keys)
	if i := v.info(t, 0); i.Expected != 7 {
		t.Errorf("%+v", i)
	}
	v.s.Leaving()
}
