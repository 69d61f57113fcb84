package sim

import (
	"encoding/binary"

	"cpgol/daemon/service"
	"cpgol/wire/totem"
)

// A talker is a service that does nothing but synchronise: in each round it says
// a few things over several tokens, and when it is activated it must have heard
// everything that its peers said.
type talker struct {
	l       *life
	id      service.ID
	ring    totem.RingID
	members []totem.NodeID
	plan    int // what it is going to say in this round
	said    int
	heard   map[totem.NodeID]int
	expects map[totem.NodeID]int
}

func newTalker(l *life, id service.ID) *talker { return &talker{l: l, id: id} }

func syncers(talkers []*talker) []service.Syncer {
	var out []service.Syncer
	for _, t := range talkers {
		out = append(out, t)
	}
	return out
}

func (t *talker) ID() service.ID              { return t.id }
func (t *talker) Name() string                { return "talker" }
func (t *talker) Requests() []service.Request { return nil }
func (t *talker) Messages() []service.Message { return nil }
func (t *talker) Connected(service.Conn)      {}
func (t *talker) Closed(service.Conn)         {}

func (t *talker) SyncInit(trans, members []totem.NodeID, ring totem.RingID) {
	t.ring = ring
	t.members = append(t.members[:0], members...)
	t.plan, t.said = 1+t.l.w.rnd.IntN(4), 0
	t.heard, t.expects = map[totem.NodeID]int{}, map[totem.NodeID]int{}
}

// SyncProcess says one or two things and wants another token if there is more.
//
// Layout: 0xFFFFFFFF 4, service 1, plan 1, number 1, ring representative 4, ring
// sequence 8. No node has the number in front.
func (t *talker) SyncProcess() bool {
	for range 2 {
		if t.said == t.plan {
			return true
		}
		b := []byte{0xFF, 0xFF, 0xFF, 0xFF, byte(t.id), byte(t.plan), byte(t.said + 1)}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.ring.Rep))
		b = binary.LittleEndian.AppendUint64(b, t.ring.Seq)
		b = append(b, make([]byte, t.l.w.rnd.IntN(500))...)
		if t.l.engine.Send(t.l.w.now, &t.l.out, groupServices, b) != nil {
			return false
		}
		t.said++
	}
	return t.said == t.plan
}

func (t *talker) hear(from totem.NodeID, b []byte) {
	ring := totem.RingID{Rep: totem.NodeID(binary.LittleEndian.Uint32(b[7:])), Seq: binary.LittleEndian.Uint64(b[11:])}
	if ring != t.ring {
		return // of a round that was broken off
	}
	t.heard[from]++
	t.expects[from] = int(b[5])
	if int(b[6]) != t.heard[from] {
		t.l.w.fail("node %d: service %d: heard number %d of node %d in place of %d", t.l.id, t.id, b[6], from, t.heard[from])
	}
}

func (t *talker) SyncActivate() {
	for _, m := range t.members {
		if t.heard[m] == 0 || t.heard[m] != t.expects[m] {
			t.l.w.fail("node %d: service %d activated in %v with %d of %d messages from node %d",
				t.l.id, t.id, t.ring, t.heard[m], t.expects[m], m)
		}
	}
}

func (t *talker) SyncAbort() {}

// isTalk reports whether a message is a talker's.
func isTalk(b []byte) bool {
	return len(b) >= 19 && binary.LittleEndian.Uint32(b) == 0xFFFFFFFF
}

// talker finds the service of a message.
func (l *life) talker(id byte) *talker {
	for _, t := range l.services {
		if byte(t.id) == id {
			return t
		}
	}
	return l.services[0]
}
