package votequorum_test

import (
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/cmap/ringtest"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// deviceVoters are nodes that may have a device, in one ring.
func deviceVoters(t testing.TB, n int) (*ringtest.Cluster, []*voter, []*ringtest.Node) {
	c, all, nodes := voters(t, n, map[string]cmap.Value{
		"quorum.device.model":        device,
		"quorum.device.votes":        cmap.U32(1),
		"quorum.device.timeout":      cmap.U32(1000),
		"quorum.device.sync_timeout": cmap.U32(3000),
	})
	c.Form(nodes)
	return c, all, nodes
}

func named(id int32, name string) []byte {
	return (&abi.VoteDeviceRequest{ID: id, Name: name}).Append(nil)
}

func register(name string) []byte   { return named(abi.VoteDeviceRegisterID, name) }
func unregister(name string) []byte { return named(abi.VoteDeviceUnregisterID, name) }

func (v *voter) poll(name string, vote bool, ring totem.RingID) abi.Status {
	return ringtest.Status(v.client.Call((&abi.VoteDevicePollRequest{Name: name, CastVote: vote, Ring: ring}).Append(nil)))
}

func (v *voter) masterWins(name string, allow uint32) abi.Status {
	return ringtest.Status(v.client.Call((&abi.VoteMasterWinsRequest{Name: name, Allow: allow}).Append(nil)))
}

// registered registers "QD", which waits for the ring.
func (v *voter) register(t testing.TB, c *ringtest.Cluster, name string) {
	t.Helper()
	n := len(v.client.Responses)
	if answer := v.client.Call(register(name)); answer != nil {
		t.Fatalf("answered at once: %v", ringtest.Status(answer))
	}
	c.Run()
	if len(v.client.Responses) != n+1 || ringtest.Status(v.client.Responses[n]) != abi.OK {
		t.Fatalf("%d answers", len(v.client.Responses)-n)
	}
}

func TestDeviceRegister(t *testing.T) {
	c, all, _ := deviceVoters(t, 2)
	a, b := all[0], all[1]
	sent := len(a.Sent)
	if a.client.Call(register("QD")) != nil {
		t.Fatal("answered before delivery")
	}
	other := a.Connect(service.Votequorum)
	if st := ringtest.Status(other.Call(register("QD"))); st != abi.TryAgain {
		t.Errorf("while another registers: %v", st)
	}
	c.Run()
	if st := ringtest.Status(a.client.Responses[0]); st != abi.OK {
		t.Errorf("answer %v", st)
	}
	if got := names(t, a.Sent[sent:]); got != "device(1:QD) nodeinfo(0) nodeinfo(1)" {
		t.Errorf("sent %s", got)
	}
	if i := b.info(t, 1); i.Flags&abi.VoteInfoDeviceRegistered == 0 || i.DeviceName != "QD" {
		t.Errorf("node 1 seen by node 2: %+v", i)
	}
	for _, x := range []struct {
		name string
		on   *voter
		msg  []byte
		want abi.Status
	}{
		{"again", a, register("QD"), abi.OK},
		{"another", a, register("other"), abi.Exist},
		{"unregister another", a, unregister("other"), abi.InvalidParam},
		{"unregister where there is none", b, unregister("QD"), abi.NotExist},
		{"rename another", a, (&abi.VoteDeviceUpdateRequest{Old: "other", New: "x"}).Append(nil), abi.InvalidParam},
		{"rename where there is none", b, (&abi.VoteDeviceUpdateRequest{Old: "QD", New: "x"}).Append(nil), abi.NotExist},
		{"rename", a, (&abi.VoteDeviceUpdateRequest{Old: "QD", New: "QD2"}).Append(nil), abi.OK},
	} {
		if st := ringtest.Status(x.on.client.Call(x.msg)); st != x.want {
			t.Errorf("%s: %v, want %v", x.name, st, x.want)
		}
	}
	c.Run()
	if i := b.info(t, 0); i.DeviceName != "QD2" {
		t.Errorf("renamed to %q at node 2", i.DeviceName)
	}
	// The cluster has one device: node 2's own must have its name.
	n := len(b.client.Responses)
	b.client.Call(register("QD"))
	c.Run()
	if st := ringtest.Status(b.client.Responses[n]); st != abi.Exist {
		t.Errorf("registered another device: %v", st)
	}
	// The name is known as long as any node has the device.
	b.register(t, c, "QD2")
	a.client.Call(unregister("QD2"))
	c.Run()
	if i := a.info(t, 0); i.DeviceName != "QD2" || i.Flags&abi.VoteInfoDeviceRegistered != 0 {
		t.Errorf("after node 1's end: %+v", i)
	}
	b.client.Call(unregister("QD2"))
	c.Run()
	if i := a.info(t, 0); i.DeviceName != "" {
		t.Errorf("name %q after all ends", i.DeviceName)
	}
}

// TestDeviceClientGone: the answer has nobody to go to, and nobody is registered.
func TestDeviceClientGone(t *testing.T) {
	c, all, _ := deviceVoters(t, 1)
	dying := all[0].Connect(service.Votequorum)
	dying.Call(register("QD"))
	dying.Close()
	c.Run()
	if len(dying.Responses) != 0 || all[0].info(t, 0).Flags&abi.VoteInfoDeviceRegistered != 0 {
		t.Error("registered for a client that is gone")
	}
	all[0].register(t, c, "QD")
}

func TestDevicePoll(t *testing.T) {
	c, all, nodes := deviceVoters(t, 2)
	a := all[0]
	ring := nodes[0].Ring()
	if st := a.poll("QD", true, ring); st != abi.NotExist {
		t.Errorf("unregistered: %v", st)
	}
	a.register(t, c, "QD")
	if st := a.poll("QD", true, totem.RingID{Rep: 1, Seq: ring.Seq - 4}); st != abi.MessageError {
		t.Errorf("another ring: %v", st)
	}
	if st := a.poll("other", true, ring); st != abi.InvalidParam {
		t.Errorf("another name: %v", st)
	}
	if st := a.poll("QD", true, ring); st != abi.OK {
		t.Errorf("poll: %v", st)
	}
	c.Run()
	want := uint32(abi.VoteInfoQuorate | abi.VoteInfoDeviceRegistered | abi.VoteInfoDeviceAlive | abi.VoteInfoDeviceCastVote)
	if i := a.info(t, 0); i.Flags != want || i.Total != 3 || i.Expected != 3 || i.Quorum != 2 {
		t.Errorf("voting: %+v", i)
	}
	if i := all[1].info(t, 1); i.Flags != want || i.Total != 3 {
		t.Errorf("voting, seen by node 2: %+v", i)
	}
	sent := len(a.Sent)
	for range 5 {
		c.Advance(800 * time.Millisecond)
		a.poll("QD", true, ring)
	}
	if len(a.Sent) != sent {
		t.Errorf("%d messages without a change", len(a.Sent)-sent)
	}
	c.Advance(1100 * time.Millisecond)
	if i := a.info(t, 0); i.Flags != abi.VoteInfoQuorate|abi.VoteInfoDeviceRegistered || i.Total != 2 {
		t.Errorf("after its silence: %+v", i)
	}
	if st := a.poll("QD", false, ring); st != abi.OK {
		t.Error(st)
	}
	c.Run()
	if i := a.info(t, 0); i.Flags&(abi.VoteInfoDeviceAlive|abi.VoteInfoDeviceCastVote) != abi.VoteInfoDeviceAlive {
		t.Errorf("alive without a vote: %+v", i)
	}
}

// TestDeviceHoldsSync: while the device has not voted in the new ring, nobody
// gets on; the vote, or its time, ends the wait.
func TestDeviceHoldsSync(t *testing.T) {
	c, all, nodes := deviceVoters(t, 2)
	a, b := all[0], all[1]
	a.register(t, c, "QD")
	a.poll("QD", true, nodes[0].Ring())
	c.Run()

	split := func() { c.Form(nodes[:1], nodes[1:]) }
	split()
	if !a.SyncInProgress() || b.SyncInProgress() {
		t.Fatal("who waits?")
	}
	if st := a.poll("QD", true, totem.RingID{Rep: 1, Seq: 1}); st != abi.MessageError || !a.SyncInProgress() {
		t.Errorf("a vote in the old ring: %v", st)
	}
	if st := a.poll("QD", true, nodes[0].Ring()); st != abi.OK {
		t.Errorf("a vote in the new ring: %v", st)
	}
	c.Run()
	if a.SyncInProgress() || !a.quorate || b.quorate {
		t.Errorf("after the vote: sync %v, quorate %v and %v", a.SyncInProgress(), a.quorate, b.quorate)
	}

	c.Form(nodes)
	if !a.SyncInProgress() || !b.SyncInProgress() {
		t.Error("the ring does not wait for node 1's device")
	}
	c.Advance(2900 * time.Millisecond)
	if !b.SyncInProgress() {
		t.Error("gave up early")
	}
	c.Advance(200 * time.Millisecond)
	if b.SyncInProgress() || a.info(t, 0).Flags&abi.VoteInfoDeviceAlive != 0 {
		t.Error("after its time")
	}
	// A device that is not alive is not waited for; one that is unregistered
	// meanwhile is not either.
	split()
	if a.SyncInProgress() {
		t.Error("waits for a device that is not alive")
	}
	a.poll("QD", true, nodes[0].Ring())
	c.Run()
	c.Form(nodes)
	a.client.Call(unregister("QD"))
	c.Run()
	if a.SyncInProgress() {
		t.Error("waits for a device that is not there")
	}
	if a.Timers() != 0 {
		t.Errorf("%d timers left", a.Timers())
	}
}

// TestMasterWins: the partition that the device votes for is quorate however
// small it is.
func TestMasterWins(t *testing.T) {
	c, all, nodes := deviceVoters(t, 4)
	a := all[0]
	if st := a.masterWins("QD", 1); st != abi.NotExist {
		t.Errorf("unregistered: %v", st)
	}
	a.register(t, c, "QD")
	if st := a.masterWins("other", 1); st != abi.InvalidParam {
		t.Errorf("another name: %v", st)
	}
	if st := a.masterWins("QD", 1); st != abi.OK {
		t.Error(st)
	}
	if v, _ := a.m.U8("runtime.votequorum.qdevice_master_wins"); v != 1 {
		t.Error("not published")
	}
	a.poll("QD", true, nodes[0].Ring())
	c.Form(nodes[:1], nodes[1:])
	a.poll("QD", true, nodes[0].Ring())
	c.Run()
	if !a.quorate || a.info(t, 0).Total != 2 {
		t.Errorf("quorate %v with %d votes", a.quorate, a.info(t, 0).Total)
	}
	a.masterWins("QD", 256) // 8 bits of it count
	if v, _ := a.m.U8("runtime.votequorum.qdevice_master_wins"); v != 0 {
		t.Errorf("published %d", v)
	}
}

// TestDeviceDisabled: a configuration that contradicts itself keeps devices out.
func TestDeviceDisabled(t *testing.T) {
	c, all, nodes := deviceVoters(t, 2)
	a := all[0]
	a.m.Set("quorum.two_node", cmap.U8(1))
	if st := ringtest.Status(a.client.Call(register("QD"))); st != abi.Access {
		t.Errorf("register: %v", st)
	}
	if st := a.poll("QD", true, nodes[0].Ring()); st != abi.Access {
		t.Errorf("poll: %v", st)
	}
	if st := a.masterWins("QD", 1); st != abi.Access {
		t.Errorf("master wins: %v", st)
	}
	c.Run()
}

// TestDeviceVotesOfOthers: those who are quorate know the device's votes best.
func TestDeviceVotesOfOthers(t *testing.T) {
	c, all, _ := voters(t, 2, nil)
	a := all[0]
	c.Form([]*ringtest.Node{a.Node})
	told := func(votes uint32) uint32 {
		a.Inject(2, (&exec.VoteNodeInfo{Votes: votes}).Append(nil))
		c.Run()
		return a.info(t, 0).DeviceVotes
	}
	a.Inject(2, (&exec.VoteNodeInfo{Node: 2, Expected: 9}).Append(nil))
	c.Run()
	if got := []uint32{told(3), told(2)}; got[0] != 3 || got[1] != 3 {
		t.Errorf("from an inquorate node: %d, want the most", got)
	}
	a.Inject(2, (&exec.VoteNodeInfo{Node: 2, Expected: 9, Flags: exec.VoteQuorate}).Append(nil))
	c.Run()
	if got := told(1); got != 1 {
		t.Errorf("from a quorate node: %d, want its own", got)
	}
	if i := a.info(t, 0); i.Expected != 9 {
		t.Errorf("expected %d, want a quorate node's", i.Expected)
	}
}

// FuzzService gives a client's and a peer's bytes to the service of one node of
// a ring of two.
func FuzzService(f *testing.F) {
	for _, b := range [][]byte{
		(&abi.VoteWordRequest{ID: abi.VoteGetInfoID, Word: 2}).Append(nil),
		(&abi.VoteWordRequest{ID: abi.VoteSetExpectedID, Word: 3}).Append(nil),
		(&abi.VoteSetVotesRequest{Node: 1, Votes: 2}).Append(nil),
		(&abi.VoteTrackStartRequest{Flags: 2}).Append(nil),
		register("QD"), unregister("QD"),
		(&abi.VoteDeviceUpdateRequest{Old: "QD", New: "x"}).Append(nil),
		(&abi.VoteDevicePollRequest{Name: "QD", CastVote: true, Ring: totem.RingID{Rep: 1, Seq: 4}}).Append(nil),
		(&abi.VoteMasterWinsRequest{Name: "QD", Allow: 1}).Append(nil),
	} {
		f.Add(append([]byte{0}, b...))
	}
	for _, m := range []interface{ Append([]byte) []byte }{
		&exec.VoteNodeInfo{Node: 2, Votes: 1, Expected: 2, Flags: 255},
		&exec.VoteNodeInfo{Votes: 1},
		&exec.VoteReconfigure{Node: 2, Value: 9, Param: 1},
		&exec.VoteDevice{Operation: 1, Name: "QD"},
		&exec.VoteDeviceRename{Old: "QD", New: "x"},
	} {
		f.Add(append([]byte{1}, m.Append(nil)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		c, all, nodes := deviceVoters(t, 2)
		v := all[0]
		// Each input is a row of messages: kind, then a message as long as its
		// header says.
		for len(data) > 0 {
			kind, msg := data[0], data[1:]
			data = nil
			if _, size, err := abi.CutRequest(msg); err == nil {
				msg, data = msg[:size], msg[size:]
			}
			switch kind % 4 {
			case 0:
				v.client.Request(msg)
			case 1:
				v.Inject(2, msg)
			case 2:
				v.Inject(1, msg)
			case 3:
				c.Form(nodes[:1], nodes[1:])
				c.Form(nodes)
			}
			c.Run()
		}
		c.Advance(time.Minute)
		if v.SyncInProgress() {
			t.Fatal("the round does not end")
		}
		if i := v.info(t, 0); len(i.DeviceName) > 254 {
			t.Fatalf("device name of %d bytes", len(i.DeviceName))
		}
	})
}
