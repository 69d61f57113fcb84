package votequorum_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/service"
	"cpgol/daemon/votequorum"
	"cpgol/wire/totem"
)

// ours is a cluster of this package's services.
type ours struct {
	t        *testing.T
	setup    setup
	c        *ringtest.Cluster
	up       map[int]*voter
	group    map[int]int
	tracking map[int]votequorum.Tracking // files survive their daemons
}

// A voter is a node with a map and the service.
type voter struct {
	*ringtest.Node
	m      *cmap.Map
	s      *votequorum.Service
	client *ringtest.Client

	// What the quorum was told.
	members []totem.NodeID
	quorate bool
	ring    totem.RingID
	calls   int
}

func (v *voter) Set(members []totem.NodeID, quorate bool, ring totem.RingID) {
	v.members, v.quorate, v.ring = slices.Clone(members), quorate, ring
	v.calls++
}

// startVoter makes a node whose map has the keys; a failure ends the test.
func startVoter(t testing.TB, c *ringtest.Cluster, id totem.NodeID, opt votequorum.Options, keys map[string]cmap.Value) *voter {
	t.Helper()
	v := &voter{m: cmap.NewMap()}
	for k, x := range keys {
		v.m.Set(k, x)
	}
	v.Node = c.Start(id, func(h *ringtest.Node) []service.Service {
		var err error
		if v.s, err = votequorum.New(h, v.m, v, opt); err != nil {
			t.Fatal(err)
		}
		return []service.Service{v.s}
	})
	v.client = v.Connect(service.Votequorum)
	return v
}

func newOurs(t *testing.T, s setup) *ours {
	return &ours{t: t, setup: s, c: ringtest.New(t), up: map[int]*voter{},
		group: map[int]int{}, tracking: map[int]votequorum.Tracking{}}
}

func (c *ours) close() {}

// keys is node id's map as the configuration file makes it.
func (c *ours) keys(id int) map[string]cmap.Value {
	keys := map[string]cmap.Value{"nodelist.local_node_pos": cmap.U32(uint32(id - 1))}
	for n := 1; n <= c.setup.nodes; n++ {
		keys[fmt.Sprintf("nodelist.node.%d.nodeid", n-1)] = cmap.U32(uint32(n))
	}
	for n, v := range c.setup.votes {
		pos, _ := strconv.Atoi(n)
		votes, _ := strconv.ParseUint(v, 10, 32)
		keys[fmt.Sprintf("nodelist.node.%d.quorum_votes", pos-1)] = cmap.U32(uint32(votes))
	}
	for _, line := range c.setup.quorum {
		key, value, _ := strings.Cut(line, ": ")
		n, err := strconv.ParseUint(value, 10, 32)
		switch {
		case key == "auto_tie_breaker_node" || err != nil:
			keys["quorum."+key] = cmap.String(value)
		case key == "expected_votes" || key == "votes" || strings.HasSuffix(key, "_window") || strings.HasPrefix(key, "device."):
			keys["quorum."+key] = cmap.U32(uint32(n))
		default:
			keys["quorum."+key] = cmap.U8(uint8(n))
		}
	}
	return keys
}

func (c *ours) do(words []string) (said []string, err error) {
	args := words[1:]
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			c.t.Fatal(err)
		}
		return n
	}
	switch words[0] {
	case "start":
		for i := range args {
			c.start(number(i))
		}
	case "kill", "stop":
		for i := range args {
			v := c.up[number(i)]
			if words[0] == "stop" {
				v.s.Leaving()
				c.c.Run()
			}
			c.c.Crash(v.Node)
			delete(c.up, number(i))
		}
		c.form()
	case "split":
		for g, ids := range args {
			for id := range strings.SplitSeq(ids, ",") {
				n, _ := strconv.Atoi(id)
				c.group[n] = g
			}
		}
		c.form()
	case "expected":
		c.up[number(0)].client.Call((&abi.VoteWordRequest{ID: abi.VoteSetExpectedID, Word: uint32(number(1))}).Append(nil))
	case "votes":
		c.up[number(0)].client.Call((&abi.VoteSetVotesRequest{Node: totem.NodeID(number(1)), Votes: uint32(number(2))}).Append(nil))
	case "cmap":
		v := cmap.U32(uint32(number(3)))
		if args[2] == "u8" {
			v = cmap.U8(uint8(number(3)))
		}
		c.up[number(0)].m.Set(args[1], v)
	case "wait":
		c.c.Advance(time.Duration(number(0)) * time.Second)
	case "client":
		said = c.client(c.up[number(0)], args[1:])
	default:
		return nil, fmt.Errorf("what is %q?", words[0])
	}
	c.c.Run()
	return said, nil
}

// start starts a node, which is alone at first.
func (c *ours) start(id int) {
	if c.tracking[id] == nil {
		c.tracking[id] = votequorum.TrackingFile(c.t.TempDir())
	}
	v := startVoter(c.t, c.c, totem.NodeID(id), votequorum.Options{Tracking: c.tracking[id]}, c.keys(id))
	c.c.Form([]*ringtest.Node{v.Node})
	c.up[id] = v
	c.form()
}

// client performs what testdata/client.c does, and prints the same.
func (c *ours) client(v *voter, commands []string) (said []string) {
	cl := v.Connect(service.Votequorum)
	defer cl.Close()
	for _, command := range commands {
		what, rest, _ := strings.Cut(command, ":")
		arg, more, _ := strings.Cut(rest, ",")
		if what == "wait" {
			d, _ := strconv.ParseFloat(arg, 64)
			said = append(said, c.pump(cl, time.Duration(d*float64(time.Second)))...)
			continue
		}
		before := len(cl.Responses)
		cl.Request(c.request(v, what, arg, more))
		for c.c.Run(); len(cl.Responses) == before; {
			c.t.Fatalf("%s: no answer", command)
		}
		answer := cl.Responses[before]
		if what == "info" {
			said = append(said, infoLine(c.t, arg, answer))
		} else {
			said = append(said, fmt.Sprintf("%s %s %s = %d", what, arg, more, ringtest.Status(answer)))
		}
		said = append(said, c.pump(cl, 200*time.Millisecond)...)
	}
	return said
}

// pump lets time pass and prints what a client is told.
func (c *ours) pump(cl *ringtest.Client, d time.Duration) (said []string) {
	c.c.Advance(d)
	for _, b := range cl.TakeEvents() {
		var q abi.VoteQuorum
		var e abi.VoteExpected
		var l abi.VoteNodeList
		line := ""
		if _, err := q.Decode(b); err == nil {
			line = fmt.Sprintf("event quorum %c nodes", "01"[boolean(q.Quorate)])
			for _, n := range q.Nodes {
				line += fmt.Sprintf(" %d:%d", n.Node, n.State)
			}
			line += fmt.Sprintf(" context %d", q.Context)
		} else if _, err := e.Decode(b); err == nil {
			line = fmt.Sprintf("event expected %d context %d", e.Expected, e.Context)
		} else if _, err := l.Decode(b); err == nil {
			line = "event members"
			for _, n := range l.Members {
				line += fmt.Sprintf(" %d", n)
			}
			line += fmt.Sprintf(" context %d", l.Context)
		}
		said = append(said, line)
	}
	return said
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// request is what libvotequorum sends for a command.
func (c *ours) request(v *voter, what, arg, more string) []byte {
	n, _ := strconv.ParseUint(arg, 10, 32)
	m, _ := strconv.ParseUint(more, 10, 32)
	ring := v.Ring()
	var r interface{ Append([]byte) []byte }
	switch what {
	case "info":
		r = &abi.VoteWordRequest{ID: abi.VoteGetInfoID, Word: uint32(n)}
	case "track":
		r = &abi.VoteTrackStartRequest{Context: n, Flags: uint32(m)}
	case "untrack":
		return abi.AppendRequest(nil, abi.VoteTrackStopID, abi.RequestLen)
	case "register":
		r = &abi.VoteDeviceRequest{ID: abi.VoteDeviceRegisterID, Name: arg}
	case "unregister":
		r = &abi.VoteDeviceRequest{ID: abi.VoteDeviceUnregisterID, Name: arg}
	case "rename":
		r = &abi.VoteDeviceUpdateRequest{Old: arg, New: more}
	case "poll-elsewhere":
		ring.Seq++
		fallthrough
	case "poll":
		r = &abi.VoteDevicePollRequest{Name: arg, CastVote: m != 0, Ring: ring}
	case "master-wins":
		r = &abi.VoteMasterWinsRequest{Name: arg, Allow: uint32(m)}
	case "expected":
		r = &abi.VoteWordRequest{ID: abi.VoteSetExpectedID, Word: uint32(n)}
	case "votes":
		r = &abi.VoteSetVotesRequest{Node: totem.NodeID(n), Votes: uint32(m)}
	default:
		c.t.Fatalf("what is %q?", what)
	}
	return r.Append(nil)
}

func infoLine(t testing.TB, arg string, answer []byte) string {
	var i abi.VoteInfo
	if _, err := i.Decode(answer); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("info %s = %d", arg, i.Status)
	if i.Status == abi.OK {
		line += fmt.Sprintf(" node %d state %d votes %d expected %d highest %d total %d quorum %d flags %d device %d '%s'",
			i.Node, i.State, i.Votes, i.Expected, i.HighestExpected, i.Total, i.Quorum, i.Flags, i.DeviceVotes, i.DeviceName)
	}
	return line
}

// form makes rings of those who see each other, unless they are one already.
func (c *ours) form() {
	groups := map[int][]*ringtest.Node{}
	for _, id := range slices.Sorted(maps.Keys(c.up)) {
		groups[c.group[id]] = append(groups[c.group[id]], c.up[id].Node)
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		if !c.c.IsRing(groups[g]) {
			c.c.Form(groups[g])
		}
	}
}

// names of getinfo's flags as corosync-quorumtool prints them.
var flagNames = []struct {
	flag uint32
	name string
}{
	{abi.VoteInfoTwoNode, "2Node"}, {abi.VoteInfoQuorate, "Quorate"}, {abi.VoteInfoWaitForAll, "WaitForAll"},
	{abi.VoteInfoLastManStanding, "LastManStanding"}, {abi.VoteInfoAutoTieBreaker, "AutoTieBreaker"},
	{abi.VoteInfoAllowDownscale, "AllowDownscale"}, {abi.VoteInfoDeviceRegistered, "Qdevice"},
}

func (v *voter) info(t testing.TB, node totem.NodeID) (i abi.VoteInfo) {
	t.Helper()
	if _, err := i.Decode(v.client.Call((&abi.VoteWordRequest{ID: abi.VoteGetInfoID, Word: uint32(node)}).Append(nil))); err != nil {
		t.Fatal(err)
	}
	return i
}

func (v *voter) state(t testing.TB) nodeState {
	i := v.info(t, 0)
	s := nodeState{
		quorate: "No", expected: fmt.Sprint(i.Expected), highest: fmt.Sprint(i.HighestExpected),
		total: fmt.Sprint(i.Total), quorum: fmt.Sprint(i.Quorum),
	}
	if v.quorate {
		s.quorate = "Yes"
	}
	var flags []string
	for _, f := range flagNames {
		if i.Flags&f.flag != 0 {
			flags = append(flags, f.name)
		}
	}
	s.flags = strings.Join(flags, ",")
	for _, m := range v.members {
		s.members = append(s.members, fmt.Sprintf("%d:%d", m, v.info(t, m).Votes))
	}
	for k, x := range v.m.All("runtime.votequorum.") {
		if k = strings.TrimPrefix(k, "runtime.votequorum."); k != "this_node_id" {
			s.keys = append(s.keys, k+"="+x.String())
		}
	}
	return s
}

func (c *ours) states() (all []string) {
	for _, id := range slices.Sorted(maps.Keys(c.up)) {
		all = append(all, fmt.Sprintf("%d %v", id, c.up[id].state(c.t)))
	}
	return all
}
