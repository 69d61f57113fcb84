package cmap_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// fakeStats is a map of statistics.
type fakeStats struct {
	values  map[string]cmap.Value
	cleared []string
}

func (f *fakeStats) Each(prefix string, fn func(string, cmap.Value)) {
	for k, v := range f.values {
		if strings.HasPrefix(k, prefix) {
			fn(k, v)
		}
	}
}
func (f *fakeStats) Get(key string) (cmap.Value, bool) { v, ok := f.values[key]; return v, ok }
func (f *fakeStats) Clear(what string)                 { f.cleared = append(f.cleared, what) }

// mapNode is a node with a map and nothing else.
type mapNode struct {
	*ringtest.Node
	m     *cmap.Map
	s     *cmap.Service
	stats *fakeStats
}

func start(c *ringtest.Cluster, id totem.NodeID, version uint64) *mapNode {
	n := &mapNode{m: cmap.NewMap(), stats: &fakeStats{values: map[string]cmap.Value{}}}
	if version > 0 {
		n.m.Set("totem.config_version", cmap.U64(version))
	}
	n.Node = c.Start(id, func(h *ringtest.Node) []service.Service {
		n.s = cmap.New(h, n.m, n.stats)
		return []service.Service{n.s}
	})
	return n
}

func (n *mapNode) version(t *testing.T, of string) uint64 {
	t.Helper()
	v, ok := n.m.U64("runtime.members." + of + ".config_version")
	if !ok {
		t.Errorf("node %d knows no version of node %s", n.ID, of)
	}
	return v
}

func TestVersionsAreTold(t *testing.T) {
	c := ringtest.New(t)
	a, b := start(c, 1, 7), start(c, 2, 0)
	c.Form([]*ringtest.Node{a.Node}, []*ringtest.Node{b.Node})
	if v := a.version(t, "1"); v != 7 {
		t.Errorf("own version %d", v)
	}
	c.Form([]*ringtest.Node{a.Node, b.Node})
	if v := b.version(t, "1"); v != 7 {
		t.Errorf("version of node 1 at node 2: %d", v)
	}
	if v := a.version(t, "2"); v != 0 {
		t.Errorf("version of node 2 at node 1: %d", v)
	}
	b.m.Set("totem.config_version", cmap.U64(9))
	b.m.Set("totem.config_version", cmap.U64(9))
	c.Run()
	if v := a.version(t, "2"); v != 9 {
		t.Errorf("version of node 2 at node 1 after a change: %d", v)
	}
	b.Full = true
	b.m.Set("totem.config_version", cmap.U64(10))
	b.Full = false
	c.Advance(time.Second)
	if v := a.version(t, "2"); v != 10 {
		t.Errorf("version of node 2 at node 1 after a full queue: %d", v)
	}
	if n := len(b.Sent[len(b.Sent)-1]); n != 336 {
		t.Errorf("message of %d bytes", n)
	}
}

// TestVersionCheck: only the node with the lower version leaves, and only at
// the first round that somebody came along to.
func TestVersionCheck(t *testing.T) {
	c := ringtest.New(t)
	a, b := start(c, 1, 7), start(c, 2, 6)
	both := []*ringtest.Node{a.Node, b.Node}
	c.Form(both) // trans lists empty: no check
	if a.Stopped+b.Stopped != "" {
		t.Fatalf("stopped in the very first ring: %q %q", a.Stopped, b.Stopped)
	}
	c.Form(both)
	if a.Stopped != "" {
		t.Errorf("node 1 stopped: %q", a.Stopped)
	}
	want := "Received config version (7) is different than my config version (6)! Exiting"
	if b.Stopped != want {
		t.Errorf("node 2: %q, want %q", b.Stopped, want)
	}

	// Past the first check nobody leaves; without a version nobody ever does.
	d := start(c, 3, 0)
	c.Form([]*ringtest.Node{a.Node, d.Node})
	a.m.Set("totem.config_version", cmap.U64(5))
	d.m.Set("totem.config_version", cmap.U64(9))
	c.Form([]*ringtest.Node{a.Node, d.Node})
	c.Form([]*ringtest.Node{a.Node, d.Node})
	if a.Stopped != "" {
		t.Errorf("node 1 stopped past its first check: %q", a.Stopped)
	}
}

func set(key string, typ cmap.Type, value string) []byte {
	return (&abi.CmapSetRequest{Key: key, Type: uint8(typ), Value: []byte(value)}).Append(nil)
}

func get(t *testing.T, c *ringtest.Client, key string, room uint64) (r abi.CmapGetResponse) {
	t.Helper()
	if _, err := r.Decode(c.Call((&abi.CmapGetRequest{Key: key, Room: room}).Append(nil))); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClientSets(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	c := n.Connect(service.CMAP)
	for _, x := range []struct {
		name string
		msg  []byte
		want abi.Status
	}{
		{"new", set("tst.a", cmap.TypeUint32, "\x01\x00\x00\x00"), abi.OK},
		{"text without NUL", set("tst.s", cmap.TypeString, "hello"), abi.OK},
		{"read-only, absent", set("nodelist.node.9.name", cmap.TypeString, "x"), abi.Access},
		{"read-only wins over a bad length", set("totem.version", cmap.TypeUint32, "x"), abi.Access},
		{"bad length", set("tst.a", cmap.TypeUint32, "\x01"), abi.InvalidParam},
		{"bad length wins over a bad name", set("a", cmap.TypeUint32, "\x01"), abi.InvalidParam},
		{"bad name", set("a", cmap.TypeUint8, "\x01"), abi.NameTooLong},
		{"bytes behind the NUL", set("tst.s", cmap.TypeString, "a\x00b"), abi.InvalidParam},
		{"too long", set("tst.b", cmap.TypeBinary, strings.Repeat("x", 16385)), abi.InvalidParam},
		{"longest", set("tst.b", cmap.TypeBinary, strings.Repeat("x", 16384)), abi.OK},
		{"unknown type, empty", set("tst.u", 99, ""), abi.OK},
		{"adjust", (&abi.CmapAdjustRequest{Key: "tst.a", Step: -2}).Append(nil), abi.OK},
		{"adjust a text", (&abi.CmapAdjustRequest{Key: "tst.s", Step: 1}).Append(nil), abi.InvalidParam},
		{"adjust nothing", (&abi.CmapAdjustRequest{Key: "tst.n", Step: 1}).Append(nil), abi.NotExist},
		{"adjust read-only", (&abi.CmapAdjustRequest{Key: "system.x", Step: 1}).Append(nil), abi.Access},
		{"delete", (&abi.CmapKeyRequest{ID: abi.CmapDeleteID, Key: "tst.b"}).Append(nil), abi.OK},
		{"delete again", (&abi.CmapKeyRequest{ID: abi.CmapDeleteID, Key: "tst.b"}).Append(nil), abi.NotExist},
		{"delete read-only", (&abi.CmapKeyRequest{ID: abi.CmapDeleteID, Key: "totem.key"}).Append(nil), abi.Access},
		{"finalize nothing", (&abi.CmapHandleRequest{ID: abi.CmapIterFinalizeID, Handle: 5}).Append(nil), abi.BadHandle},
		{"untrack nothing", (&abi.CmapHandleRequest{ID: abi.CmapTrackDeleteID, Handle: 5}).Append(nil), abi.BadHandle},
		{"unknown map", (&abi.CmapSetMapRequest{Map: 2}).Append(nil), abi.NotExist},
		{"unknown events", (&abi.CmapTrackAddRequest{Events: 16}).Append(nil), abi.InvalidParam},
	} {
		if st := ringtest.Status(c.Call(x.msg)); st != x.want {
			t.Errorf("%s: %v, want %v", x.name, st, x.want)
		}
	}
	if v, _ := n.m.U32("tst.a"); v != 1<<32-1 {
		t.Errorf("adjusted to %d", v)
	}
}

func TestClientGets(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	n.m.Set("tst.s", cmap.String("hello"))
	c := n.Connect(service.CMAP)
	for _, x := range []struct {
		key  string
		room uint64
		want abi.CmapGetResponse
		size int // of the whole answer
	}{
		{"tst.s", 0, abi.CmapGetResponse{Status: abi.OK, Type: 11, Len: 6}, 40},
		{"tst.s", 6, abi.CmapGetResponse{Status: abi.OK, Type: 11, Len: 6, Value: []byte("hello\x00")}, 46},
		{"tst.s", 8, abi.CmapGetResponse{Status: abi.OK, Type: 11, Len: 6, Value: []byte("hello\x00\x00\x00")}, 48},
		{"tst.s", 5, abi.CmapGetResponse{Status: abi.InvalidParam}, 40},
		{"tst.n", 5, abi.CmapGetResponse{Status: abi.NotExist}, 40},
		{"tst.s", 1 << 40, abi.CmapGetResponse{Status: abi.NoMemory}, 40},
	} {
		got := get(t, c, x.key, x.room)
		if len(got.Value) == 0 {
			got.Value = nil
		}
		if diff := gocmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s, room %d (-want +got)\n%s", x.key, x.room, diff)
		}
		if n := len(c.Responses[len(c.Responses)-1]); n != x.size {
			t.Errorf("%s, room %d: answer of %d bytes, want %d", x.key, x.room, n, x.size)
		}
	}
}

func iterate(t *testing.T, c *ringtest.Client, prefix string) (all []string) {
	t.Helper()
	h := abi.CmapHandleResponse{ID: abi.CmapIterInitID}
	if _, err := h.Decode(c.Call((&abi.CmapKeyRequest{ID: abi.CmapIterInitID, Key: prefix}).Append(nil))); err != nil || h.Status != abi.OK {
		t.Fatal(err, h.Status)
	}
	for {
		var r abi.CmapIterNextResponse
		if _, err := r.Decode(c.Call((&abi.CmapHandleRequest{ID: abi.CmapIterNextID, Handle: h.Handle}).Append(nil))); err != nil {
			t.Fatal(err)
		}
		if r.Status == abi.NoSections {
			break
		}
		all = append(all, r.Key)
		if r.Status != abi.OK || len(all) > 100 {
			t.Fatal(r.Status, all)
		}
	}
	if st := ringtest.Status(c.Call((&abi.CmapHandleRequest{ID: abi.CmapIterFinalizeID, Handle: h.Handle}).Append(nil))); st != abi.OK {
		t.Error(st)
	}
	return all
}

func TestClientIterates(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	for _, k := range []string{"tst.b", "tst.a", "tst.ab", "other"} {
		n.m.Set(k, cmap.U8(1))
	}
	n.stats.values = map[string]cmap.Value{"stats.srp.mcast_tx": cmap.U64(1), "stats.pg.msg_reserved": cmap.U32(1)}
	c := n.Connect(service.CMAP)
	if diff := gocmp.Diff([]string{"tst.a", "tst.ab"}, iterate(t, c, "tst.a")); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"other", "tst.a", "tst.ab", "tst.b"}, iterate(t, c, "")); diff != "" {
		t.Error(diff)
	}
	c.Call((&abi.CmapSetMapRequest{Map: abi.CmapMapStats}).Append(nil))
	if diff := gocmp.Diff([]string{"stats.pg.msg_reserved", "stats.srp.mcast_tx"}, iterate(t, c, "")); diff != "" {
		t.Error(diff)
	}
}

func events(t *testing.T, c *ringtest.Client) (all []abi.CmapNotify) {
	t.Helper()
	for _, b := range c.TakeEvents() {
		var e abi.CmapNotify
		if n, err := e.Decode(b); err != nil || n != len(b) {
			t.Fatal(n, err)
		}
		all = append(all, e)
	}
	return all
}

func TestClientTracks(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	c := n.Connect(service.CMAP)
	track := abi.CmapTrackAddRequest{Key: "tst.", Events: 15, Handle: 0xabc}
	h := abi.CmapHandleResponse{ID: abi.CmapTrackAddID}
	if _, err := h.Decode(c.Call(track.Append(nil))); err != nil || h.Status != abi.OK {
		t.Fatal(err, h.Status)
	}
	if st := ringtest.Status(c.Call((&abi.CmapSetMapRequest{Map: abi.CmapMapStats}).Append(nil))); st != abi.Busy {
		t.Errorf("map changed with a tracker: %v", st)
	}
	c.Call(set("tst.a", cmap.TypeUint8, "\x01"))
	n.m.Set("tst.a", cmap.String("x"))
	n.m.Set("tst.a", cmap.String("x"))
	n.m.Delete("tst.a")
	want := []abi.CmapNotify{
		{Handle: 0xabc, Key: "tst.a", Event: 4, NewType: 2, New: []byte{1}, Old: []byte{}},
		{Handle: 0xabc, Key: "tst.a", Event: 2, NewType: 11, OldType: 2, New: []byte("x\x00"), Old: []byte{1}},
		{Handle: 0xabc, Key: "tst.a", Event: 1, OldType: 11, New: []byte{}, Old: []byte("x\x00")},
	}
	if diff := gocmp.Diff(want, events(t, c)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	del := abi.CmapHandleResponse{ID: abi.CmapTrackDeleteID}
	if _, err := del.Decode(c.Call((&abi.CmapHandleRequest{ID: abi.CmapTrackDeleteID, Handle: h.Handle}).Append(nil))); err != nil {
		t.Fatal(err)
	}
	if del.Status != abi.OK || del.Handle != 0xabc {
		t.Errorf("track delete: %+v", del)
	}
	c.Call(track.Append(nil))
	c.Close()
	n.m.Set("tst.a", cmap.U8(1))
	if len(c.Events) > 0 {
		t.Errorf("%d events after the end", len(c.Events))
	}
}

func TestStatsMap(t *testing.T) {
	cl := ringtest.New(t)
	n := start(cl, 1, 0)
	n.stats.values["stats.srp.mcast_tx"] = cmap.U64(5)
	c := n.Connect(service.CMAP)
	c.Call((&abi.CmapSetMapRequest{Map: abi.CmapMapStats}).Append(nil))
	if r := get(t, c, "stats.srp.mcast_tx", 16); r.Len != 8 || !bytes.Equal(r.Value[:8], []byte{5, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("got %+v", r)
	}
	for _, x := range []struct {
		name string
		msg  []byte
		want abi.Status
	}{
		{"set", set("stats.srp.mcast_tx", cmap.TypeUint64, "12345678"), abi.Access},
		{"clear", set("stats.clear.knet", cmap.TypeUint8, "1"), abi.OK},
		{"clear all", set("stats.clear.all", cmap.TypeString, ""), abi.OK},
		{"clear what nobody knows", set("stats.clear.x", cmap.TypeString, ""), abi.NotSupported},
		{"adjust", (&abi.CmapAdjustRequest{Key: "stats.srp.mcast_tx", Step: 1}).Append(nil), abi.Access},
		{"adjust a clear", (&abi.CmapAdjustRequest{Key: "stats.clear.all", Step: 1}).Append(nil), abi.NotSupported},
		{"delete", (&abi.CmapKeyRequest{ID: abi.CmapDeleteID, Key: "stats.srp.mcast_tx"}).Append(nil), abi.Access},
		{"delete a clear", (&abi.CmapKeyRequest{ID: abi.CmapDeleteID, Key: "stats.clear.all"}).Append(nil), abi.NotSupported},
		{"track changes below a prefix", (&abi.CmapTrackAddRequest{Key: "stats.", Events: 10}).Append(nil), abi.NotSupported},
		{"track a key", (&abi.CmapTrackAddRequest{Key: "stats.srp.mcast_tx", Events: 2, Handle: 1}).Append(nil), abi.OK},
		{"track comings and goings", (&abi.CmapTrackAddRequest{Key: "stats.ipcs.", Events: 13, Handle: 2}).Append(nil), abi.OK},
	} {
		if st := ringtest.Status(c.Call(x.msg)); st != x.want {
			t.Errorf("%s: %v, want %v", x.name, st, x.want)
		}
	}
	if diff := gocmp.Diff([]string{"knet", "knet", "ipc", "totem", "schedmiss"}, n.stats.cleared); diff != "" {
		t.Errorf("cleared: %s", diff)
	}
	cl.Advance(10 * time.Second)
	n.stats.values["stats.srp.mcast_tx"] = cmap.U64(6)
	cl.Advance(10 * time.Second)
	n.s.StatAdded("stats.ipcs.service0.1.0x1.sent", cmap.U32(3))
	n.s.StatAdded("stats.knet.node1.link0.mtu", cmap.U32(3))
	n.s.StatRemoved("stats.ipcs.service0.1.0x1.sent", cmap.U32(4))
	six := []byte{6, 0, 0, 0, 0, 0, 0, 0}
	want := []abi.CmapNotify{
		{Handle: 1, Key: "stats.srp.mcast_tx", Event: 2, NewType: 8, OldType: 8, New: six, Old: six},
		{Handle: 2, Key: "stats.ipcs.service0.1.0x1.sent", Event: 4, NewType: 6, OldType: 6, New: []byte{3, 0, 0, 0}, Old: []byte{3, 0, 0, 0}},
		{Handle: 2, Key: "stats.ipcs.service0.1.0x1.sent", Event: 1, NewType: 6, OldType: 6, New: []byte{4, 0, 0, 0}, Old: []byte{4, 0, 0, 0}},
	}
	if diff := gocmp.Diff(want, events(t, c)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	c.Close()
	cl.Advance(10 * time.Second)
	if n := n.Timers(); n != 0 {
		t.Errorf("%d timers without trackers", n)
	}
}

// TestStatIterators: copies of the statistics are bounded over all clients, and
// end with their iterator or connection.
func TestStatIterators(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	for i := range 1 << 12 {
		n.stats.values[fmt.Sprintf("stats.ipcs.service2.%d", i)] = cmap.U64(1)
	}
	iter := (&abi.CmapKeyRequest{ID: abi.CmapIterInitID}).Append(nil)
	connect := func() *ringtest.Client {
		c := n.Connect(service.CMAP)
		c.Call((&abi.CmapSetMapRequest{Map: abi.CmapMapStats}).Append(nil))
		return c
	}
	a, b := connect(), connect()
	for i := range 1 << 6 {
		if st := ringtest.Status(a.Call(iter)); st != abi.OK {
			t.Fatalf("iterator %d: %v", i, st)
		}
	}
	if st := ringtest.Status(b.Call(iter)); st != abi.NoResources {
		t.Errorf("another client's, when there are too many: %v", st)
	}
	if st := ringtest.Status(a.Call((&abi.CmapHandleRequest{ID: abi.CmapIterFinalizeID, Handle: 1}).Append(nil))); st != abi.OK {
		t.Error(st)
	}
	if st := ringtest.Status(b.Call(iter)); st != abi.OK {
		t.Errorf("after an end: %v", st)
	}
	a.Close()
	for range 63 {
		if st := ringtest.Status(b.Call(iter)); st != abi.OK {
			t.Fatalf("after the other client's end: %v", st)
		}
	}
}

// TestClientLimits: what one client can make the daemon hold has an end.
func TestClientLimits(t *testing.T) {
	n := start(ringtest.New(t), 1, 0)
	c := n.Connect(service.CMAP)
	iter := (&abi.CmapKeyRequest{ID: abi.CmapIterInitID}).Append(nil)
	for range 1024 {
		c.Call(iter)
	}
	if st := ringtest.Status(c.Call(iter)); st != abi.NoResources {
		t.Errorf("iterator 1025: %v", st)
	}
	if st := ringtest.Status(c.Call((&abi.CmapTrackAddRequest{Events: 7}).Append(nil))); st != abi.NoResources {
		t.Errorf("tracker after 1024 iterators: %v", st)
	}
	big := strings.Repeat("x", 16384)
	st := abi.OK
	for i := 0; st == abi.OK && i < 1<<17; i++ {
		key := "k" + string(slices.Repeat([]byte{'a'}, i%200)) + "." + string(rune('a'+i/200%26)) + string(rune('a'+i/5200%26))
		st = ringtest.Status(c.Call(set(key, cmap.TypeBinary, big)))
		c.Responses = nil
	}
	if st != abi.NoMemory || n.m.Size() > 65<<20 {
		t.Errorf("%v with %d bytes", st, n.m.Size())
	}
	if st := n.m.Set("the.daemons.own", cmap.U8(1)); st != abi.OK {
		t.Errorf("the daemon's own key: %v", st)
	}
}

// FuzzService gives a client's and a peer's bytes to the service.
func FuzzService(f *testing.F) {
	for _, b := range [][]byte{
		set("tst.a", cmap.TypeUint32, "1234"),
		(&abi.CmapGetRequest{Key: "tst.a", Room: 16}).Append(nil),
		(&abi.CmapKeyRequest{ID: abi.CmapIterInitID, Key: "tst."}).Append(nil),
		(&abi.CmapHandleRequest{ID: abi.CmapIterNextID, Handle: 1}).Append(nil),
		(&abi.CmapTrackAddRequest{Key: "tst.", Events: 15}).Append(nil),
		(&abi.CmapSetMapRequest{Map: 1}).Append(nil),
	} {
		f.Add(append([]byte{0}, b...))
	}
	f.Add(append([]byte{1}, exec.NewCmapVersion(exec.CmapSync, 3, true).Append(nil)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		cl := ringtest.New(t)
		n := start(cl, 1, 1)
		n.stats.values["stats.pg.msg_reserved"] = cmap.U32(1)
		cl.Form([]*ringtest.Node{n.Node})
		c := n.Connect(service.CMAP)
		c.Call((&abi.CmapTrackAddRequest{Events: 15}).Append(nil))
		before := maps.Collect(n.m.All(""))
		// Each input is a row of messages: kind, then a message as long as its
		// header says.
		for len(data) > 0 {
			kind, msg := data[0], data[1:]
			data = nil
			if _, size, err := abi.CutRequest(msg); err == nil {
				msg, data = msg[:size], msg[size:]
			}
			if kind&1 == 0 {
				c.Request(msg)
			} else {
				n.Inject(2, msg)
				cl.Run()
			}
		}
		for key := range before {
			if _, ok := n.m.Get(key); !ok && n.m.ReadOnly(key) {
				t.Fatalf("read-only key %s is gone", key)
			}
		}
		c.Close()
	})
}
