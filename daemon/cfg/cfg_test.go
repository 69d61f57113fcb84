package cfg_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
	"cpgol/daemon/cfg"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// fakeLinks are those of nodes 1 and 2.
type fakeLinks struct{}

func (fakeLinks) Interfaces(n totem.NodeID) []cfg.Interface {
	if n < 1 || n > 2 {
		return nil
	}
	return []cfg.Interface{
		{Link: 0, Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Status: "n3"},
		{Link: 3, Addr: netip.AddrFrom4([4]byte{10, 3, 0, byte(n)}), Status: "n1"},
	}
}

func (fakeLinks) NodeStatus(n totem.NodeID) (st abi.CfgNodeStatus, ok bool) {
	if n < 1 || n > 2 {
		return st, false
	}
	st.Reachable = true
	st.Links[3] = abi.CfgLink{Enabled: true, Connected: true, MTU: 1397, Source: "10.3.0.1", Target: "10.3.0.2"}
	return st, true
}

type cfgNode struct {
	*ringtest.Node
	m *cmap.Map
	s *cfg.Service
}

func start(c *ringtest.Cluster, id totem.NodeID) *cfgNode {
	n := &cfgNode{m: cmap.NewMap()}
	n.m.Set("runtime.members.1.status", cmap.String("joined"))
	n.m.Set("runtime.members.2.status", cmap.String("joined"))
	n.m.Set("runtime.members.3.status", cmap.String("left"))
	n.Node = c.Start(id, func(h *ringtest.Node) []service.Service {
		n.s = cfg.New(h, n.m, fakeLinks{})
		return []service.Service{n.s}
	})
	return n
}

// pair is two nodes in one ring.
func pair(t testing.TB) (c *ringtest.Cluster, a, b *cfgNode) {
	c = ringtest.New(t)
	a, b = start(c, 1), start(c, 2)
	c.Form([]*ringtest.Node{a.Node, b.Node})
	return c, a, b
}

func word(id int32, w uint32) []byte { return (&abi.CfgWordRequest{ID: id, Word: w}).Append(nil) }

func bare(id int32) []byte { return abi.AppendRequest(nil, id, abi.RequestLen) }

func TestLinks(t *testing.T) {
	_, a, _ := pair(t)
	c := a.Connect(service.CFG)
	var ring abi.CfgRingStatus
	if n, err := ring.Decode(c.Call(bare(abi.CfgRingStatusGetID))); err != nil || n != 10272 {
		t.Fatal(n, err)
	}
	wantRing := abi.CfgRingStatus{Status: abi.OK, Interfaces: []abi.CfgInterface{{Name: "0 10.0.0.1", Status: "n3"}, {Name: "3 10.3.0.1", Status: "n1"}}}
	if diff := gocmp.Diff(wantRing, ring); diff != "" {
		t.Errorf("ring status (-want +got)\n%s", diff)
	}

	for node, want := range map[uint32]string{0: "OK [10.0.0.1 10.3.0.1]", 2: "OK [10.0.0.2 10.3.0.2]", 9: "NOT_EXIST []"} {
		var addrs abi.CfgNodeAddrs
		if _, err := addrs.Decode(c.Call(word(abi.CfgGetNodeAddrsID, node))); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(addrs.Status, " ", addrs.Addrs); got != want {
			t.Errorf("addresses of node %d: %s, want %s", node, got, want)
		}
	}

	local := c.Call(bare(abi.CfgLocalGetID))
	if want := abi.AppendCfgLocal(nil, 1); string(local) != string(want) {
		t.Errorf("local get: %x, want %x", local, want)
	}

	var st abi.CfgNodeStatus
	if n, err := st.Decode(c.Call((&abi.CfgNodeStatusRequest{Node: 2, Version: 1}).Append(nil))); err != nil || n != 4200 {
		t.Fatal(n, err)
	}
	if st.Node != 2 || !st.Reachable || st.Links[3].Target != "10.3.0.2" || st.Links[3].MTU != 1397 {
		t.Errorf("node status %+v", st)
	}
	for name, x := range map[string]struct {
		req  abi.CfgNodeStatusRequest
		want abi.Status
	}{
		"unknown node":                {abi.CfgNodeStatusRequest{Node: 9, Version: 1}, abi.FailedOperation},
		"unknown node and version":    {abi.CfgNodeStatusRequest{Node: 9, Version: 2}, abi.FailedOperation},
		"version 2, which is nowhere": {abi.CfgNodeStatusRequest{Node: 2, Version: 2}, abi.NotSupported},
	} {
		answer := c.Call(x.req.Append(nil))
		if got := ringtest.Status(answer); got != x.want || len(answer) != 32 {
			t.Errorf("%s: %v in %d bytes", name, got, len(answer))
		}
	}
	if st := ringtest.Status(c.Call(bare(abi.CfgRingReenableID))); st != abi.NotSupported {
		t.Errorf("ring reenable: %v", st)
	}
}

func TestKillNode(t *testing.T) {
	c, a, b := pair(t)
	cl := a.Connect(service.CFG)
	kill := func(n totem.NodeID) []byte {
		return (&abi.CfgKillNodeRequest{Node: n, Reason: []byte("for a test\x00")}).Append(nil)
	}
	for n, want := range map[totem.NodeID]abi.Status{3: abi.NotExist, 9: abi.NotExist, 0: abi.NotExist} {
		if st := ringtest.Status(cl.Call(kill(n))); st != want {
			t.Errorf("node %d: %v", n, st)
		}
	}
	if st := ringtest.Status(cl.Call(kill(2))); st != abi.OK || b.Stopped != "" {
		t.Errorf("%v, stopped %q", st, b.Stopped)
	}
	c.Run()
	if b.Stopped != "Killed by node 1 : for a test" || b.Exited != 255 || a.Stopped != "" {
		t.Errorf("node 2: %q, %d; node 1: %q", b.Stopped, b.Exited, a.Stopped)
	}
}

func TestShutdownImmediate(t *testing.T) {
	c, a, b := pair(t)
	tracker := a.Connect(service.CFG)
	tracker.Call(word(abi.CfgTrackStartID, 0))
	cl := a.Connect(service.CFG)
	if st := ringtest.Status(cl.Call(word(abi.CfgTryShutdownID, abi.CfgShutdownImmediate))); st != abi.OK {
		t.Error(st)
	}
	c.Run()
	if a.Stopped != "Node 1 was shut down by sysadmin" || b.Stopped != "" || len(tracker.Events) != 0 {
		t.Errorf("%q, %q, %d events", a.Stopped, b.Stopped, len(tracker.Events))
	}
}

// shutdownTest is a node with clients.
type shutdownTest struct {
	t      *testing.T
	c      *ringtest.Cluster
	a      *cfgNode
	caller *ringtest.Client
	all    []*ringtest.Client // trackers
}

func newShutdown(t *testing.T, trackers int) *shutdownTest {
	c, a, _ := pair(t)
	s := &shutdownTest{t: t, c: c, a: a, caller: a.Connect(service.CFG)}
	for range trackers {
		cl := a.Connect(service.CFG)
		cl.Call(word(abi.CfgTrackStartID, 0))
		cl.Call(word(abi.CfgTrackStartID, 0)) // twice is once
		cl.Responses = nil
		s.all = append(s.all, cl)
	}
	return s
}

func (s *shutdownTest) try(flags uint32) { s.caller.Request(word(abi.CfgTryShutdownID, flags)) }

func (s *shutdownTest) reply(i int, yes uint32) {
	s.t.Helper()
	if st := ringtest.Status(s.all[i].Call(word(abi.CfgReplyToShutdownID, yes))); st != abi.OK {
		s.t.Errorf("reply: %v", st)
	}
}

// want checks the caller's answer (0: none yet), whether the daemon stops, and
// how often each tracker was asked.
func (s *shutdownTest) want(st abi.Status, stops bool, asked ...int) {
	s.t.Helper()
	s.c.Run()
	var got abi.Status
	if n := len(s.caller.Responses); n > 0 {
		got = ringtest.Status(s.caller.Responses[n-1])
	}
	if got != st || (s.a.Stopped != "") != stops {
		s.t.Errorf("answer %v, stopped %q; want %v, %v", got, s.a.Stopped, st, stops)
	}
	for i, n := range asked {
		if len(s.all[i].Events) != n {
			s.t.Errorf("tracker %d was told %d times, want %d", i, len(s.all[i].Events), n)
		}
	}
}

func TestShutdownNobodyAsked(t *testing.T) {
	s := newShutdown(t, 0)
	s.caller.Call(word(abi.CfgTrackStartID, 0)) // itself is not asked
	s.caller.Responses = nil
	s.try(0)
	s.want(abi.OK, true)
	s.try(0)
	s.want(abi.Exist, true)
}

func TestShutdownAgreed(t *testing.T) {
	s := newShutdown(t, 2)
	s.try(0)
	s.want(0, false, 1, 1)
	if want := abi.AppendCfgTestShutdown(nil, 0, abi.OK); string(s.all[0].Events[0]) != string(want) {
		t.Errorf("event %x, want %x", s.all[0].Events[0], want)
	}
	other := s.a.Connect(service.CFG)
	if st := ringtest.Status(other.Call(word(abi.CfgTryShutdownID, 0))); st != abi.Exist {
		t.Errorf("a second one: %v", st)
	}
	s.reply(0, 1)
	s.reply(0, 1)
	s.want(0, false, 1, 1)
	s.reply(1, 1)
	s.want(abi.OK, true, 1, 1)
}

func TestShutdownRefused(t *testing.T) {
	s := newShutdown(t, 2)
	s.try(0)
	s.reply(0, 0)
	s.want(0, false)
	s.reply(1, 1)
	s.want(abi.Busy, false)
	if st := ringtest.Status(s.all[0].Call(word(abi.CfgReplyToShutdownID, 1))); st != abi.Access {
		t.Errorf("a reply to nothing: %v", st)
	}
}

func TestShutdownRegardless(t *testing.T) {
	s := newShutdown(t, 1)
	s.try(abi.CfgShutdownRegardless)
	s.want(0, false, 1)
	s.reply(0, 0)
	s.want(abi.OK, true)
}

func TestShutdownTimeout(t *testing.T) {
	s := newShutdown(t, 2)
	s.a.m.Set("cfg.shutdown_timeout", cmap.U32(1000))
	s.try(0)
	s.reply(0, 1)
	s.c.Advance(900 * time.Millisecond)
	s.want(0, false, 1, 1)
	s.c.Advance(200 * time.Millisecond)
	s.want(abi.Busy, false, 1, 1)

	// Who once tried itself is told that time ran out.
	s.caller, s.all[1] = s.all[1], s.caller
	s.try(0)
	s.reply(0, 0)
	s.want(abi.Busy, false, 2)
	s.caller, s.all[1] = s.all[1], s.caller
	s.try(0)
	s.c.Advance(2 * time.Second)
	s.want(abi.Busy, false, 3, 3) // the second one: twice asked, once told
	last := s.all[1].Events[2]
	if ringtest.Status(last) != abi.Timeout {
		t.Errorf("told %v", ringtest.Status(last))
	}
}

func TestShutdownClientsGo(t *testing.T) {
	s := newShutdown(t, 3)
	s.try(0)
	s.all[0].Close() // agrees
	s.reply(1, 0)
	if st := ringtest.Status(s.all[1].Call(bare(abi.CfgTrackStopID))); st != abi.OK { // takes its no back
		t.Error(st)
	}
	s.want(0, false)
	late := s.a.Connect(service.CFG)
	late.Call(word(abi.CfgTrackStartID, 0))
	if len(late.Events) != 1 {
		t.Errorf("a late tracker was told %d times", len(late.Events))
	}
	s.reply(2, 1)
	s.want(0, false)
	late.Close()
	s.want(abi.OK, true)
}

func TestShutdownCallerGoes(t *testing.T) {
	s := newShutdown(t, 1)
	s.try(0)
	s.caller.Close()
	if n := s.a.Timers(); n != 0 {
		t.Errorf("%d timers", n)
	}
	if st := ringtest.Status(s.all[0].Call(word(abi.CfgReplyToShutdownID, 1))); st != abi.Access {
		t.Errorf("a reply to nobody: %v", st)
	}
	s.want(0, false)
}

func TestShutdownFullQueue(t *testing.T) {
	s := newShutdown(t, 0)
	s.a.Full = true
	s.try(0)
	s.want(abi.OK, false)
	s.a.Full = false
	s.c.Advance(time.Second)
	s.want(abi.OK, true)
}

func TestReloadNotSupported(t *testing.T) {
	c, a, b := pair(t)
	cl := a.Connect(service.CFG)
	for _, id := range []int32{abi.CfgReloadConfigID, abi.CfgReopenLogFilesID} {
		if st := ringtest.Status(cl.Call(bare(id))); st != abi.NotSupported {
			t.Errorf("request %d: %v", id, st)
		}
	}
	b.Inject(1, (&exec.CfgReload{Node: 1}).Append(nil))
	c.Run()
	if _, ok := b.m.Get("config.reload_status"); ok {
		t.Error("a reload that is not supported has a status")
	}
}

// TestReload: every node reads its own file, each tells its own client only.
func TestReload(t *testing.T) {
	c, a, b := pair(t)
	var log []string
	note := func(n *cfgNode, name string, err error) {
		n.m.Track("config.", cmap.AllEvents|cmap.Prefix, func(ch cmap.Change) {
			log = append(log, name+" "+strings.TrimPrefix(ch.Key, "config.")+"="+ch.New.String())
		})
		n.s.Reload = func() (bool, error) {
			log = append(log, name+" reads")
			return err == nil, err
		}
		n.s.CryptoPhase = func(phase uint32) { log = append(log, fmt.Sprint(name, " phase ", phase)) }
	}
	note(a, "a", nil)
	note(b, "b", errors.New("no such file"))
	a.m.Set("config.reload_error_message", cmap.String("an old one"))
	log = nil
	cl, gone, far := a.Connect(service.CFG), a.Connect(service.CFG), b.Connect(service.CFG)
	if cl.Call(bare(abi.CfgReloadConfigID)) != nil {
		t.Fatal("answered at once")
	}
	c.Run()
	want := []string{
		"a reload_error_message=none", "a totemconfig_reload_in_progress=1", "a reload_in_progress=1", "a reads",
		"a reload_status=1", "a totemconfig_reload_in_progress=0", "a reload_in_progress=0",
		"b totemconfig_reload_in_progress=1", "b reload_in_progress=1", "b reads",
		`b reload_error_message="no such file"`, "b reload_status=7", "b totemconfig_reload_in_progress=0", "b reload_in_progress=0",
		"a phase 1", "a phase 2",
	}
	if diff := gocmp.Diff(want, log); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if st := ringtest.Status(cl.Responses[0]); st != abi.OK {
		t.Error(st)
	}
	gone.Call(bare(abi.CfgReloadConfigID))
	gone.Close()
	far.Call(bare(abi.CfgReloadConfigID))
	c.Run()
	if len(gone.Responses) != 0 || len(cl.Responses) != 1 || ringtest.Status(far.Responses[0]) != abi.InvalidParam {
		t.Errorf("%d answers to a client that is gone, %d to the first", len(gone.Responses), len(cl.Responses))
	}
	a.s.ReopenLogs = func() error { return nil }
	if st := ringtest.Status(cl.Call(bare(abi.CfgReopenLogFilesID))); st != abi.OK {
		t.Error(st)
	}
}

// TestForeignMessages: what a peer says of this node's own business counts for
// nothing.
func TestForeignMessages(t *testing.T) {
	c, a, _ := pair(t)
	a.s.CryptoPhase = func(uint32) { t.Error("another node's phase") }
	a.Inject(2, (&exec.CfgCrypto{Phase: 1}).Append(nil))
	a.Inject(2, (&exec.CfgShutdown{}).Append(nil))
	a.Inject(2, (&exec.CfgRingReenable{}).Append(nil))
	long := (&exec.CfgKillNode{Node: 1, Reason: []byte(strings.Repeat("x", 255))}).Append(nil)
	long[24], long[25] = 0, 2 // 512 bytes of reason
	a.Inject(2, long)
	c.Run()
	if a.Stopped != "" || a.s.Refused() != 1 {
		t.Errorf("stopped %q, refused %d", a.Stopped, a.s.Refused())
	}
	a.Inject(2, (&exec.CfgKillNode{Node: 1, Reason: []byte(strings.Repeat("x", 256))}).Append(nil))
	c.Run()
	if a.Stopped != "Killed by node 2 : "+strings.Repeat("x", 255) {
		t.Errorf("stopped %q", a.Stopped)
	}
}

// FuzzService gives a client's and a peer's bytes to the service.
func FuzzService(f *testing.F) {
	for _, b := range [][]byte{
		bare(abi.CfgRingStatusGetID), bare(abi.CfgReloadConfigID), bare(abi.CfgTrackStopID),
		word(abi.CfgTryShutdownID, 0), word(abi.CfgReplyToShutdownID, 1), word(abi.CfgGetNodeAddrsID, 2),
		word(abi.CfgTrackStartID, 0),
		(&abi.CfgKillNodeRequest{Node: 2, Reason: []byte("x\x00")}).Append(nil),
		(&abi.CfgNodeStatusRequest{Node: 2, Version: 1}).Append(nil),
	} {
		f.Add(append([]byte{0}, b...))
	}
	for _, m := range []interface{ Append([]byte) []byte }{
		&exec.CfgKillNode{Node: 2, Reason: []byte("x\x00")}, &exec.CfgShutdown{},
		&exec.CfgReload{Node: 1, Conn: 1}, &exec.CfgCrypto{Phase: 1},
	} {
		f.Add(append([]byte{2}, m.Append(nil)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, a, _ := pair(t)
		a.s.Reload = func() (bool, error) { return true, nil }
		a.s.CryptoPhase = func(uint32) {}
		clients := []*ringtest.Client{a.Connect(service.CFG), a.Connect(service.CFG)}
		// Each input is a row of messages: kind, then a message as long as its
		// header says.
		for len(data) > 0 {
			kind, msg := data[0], data[1:]
			data = nil
			if _, size, err := abi.CutRequest(msg); err == nil {
				msg, data = msg[:size], msg[size:]
			}
			if kind%4 < 2 {
				clients[kind%4].Request(msg)
			} else {
				a.Inject(totem.NodeID(kind%4-1), msg)
			}
			c.Run()
		}
		c.Advance(time.Minute)
		for _, cl := range clients {
			cl.Close()
		}
		if n := a.Timers(); n != 0 {
			t.Fatalf("%d timers", n)
		}
	})
}
