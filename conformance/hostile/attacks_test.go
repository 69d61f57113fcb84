package hostile

import (
	"math/rand/v2"

	"cpgol/daemon/engine"
	"cpgol/wire/exec"
	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// An attacker holds the second node, and with it a member's place and key. Its
// victim is the first node, but what is ordered by the ring hits all.
type attacker struct {
	w   *world
	r   *rand.Rand
	own *node
	// next is the sequence number of the next fake mcast of a row.
	next totem.Seq
	part uint8
}

// An attack is one way to be hostile; do sends a packet or a few.
type attack struct {
	name string
	do   func(a *attacker)
}

var attacks = []attack{
	{"mutated packets", (*attacker).mutants},
	{"tokens", (*attacker).token},
	{"joins", (*attacker).join},
	{"leaves", (*attacker).leave},
	{"commit tokens", (*attacker).commitToken},
	{"merge detects and hold cancels", (*attacker).announce},
	{"mcasts out of place", (*attacker).mcast},
	{"encapsulated junk", (*attacker).encapsulated},
	{"process group frames", (*attacker).frame},
	{"endless fragments", (*attacker).endless},
	{"full windows", (*attacker).flood},
	{"service messages", (*attacker).service},
	{"mutated service messages", (*attacker).mutatedService},
	{"sync messages", (*attacker).sync},
	{"knet packets", (*attacker).knet},
	{"mutated datagrams", (*attacker).datagrams},
	{"garbage", (*attacker).garbage},
}

func (a *attacker) victim() *node { return a.w.nodes[0] }

// engine is the victim's ring, or the attacker's while the victim is down.
func (a *attacker) engine() *engine.Engine {
	if v := a.victim(); v.inside != nil {
		return v.engine()
	}
	return a.own.engine()
}

// say sends a packet to the victim, to all, or to the third node.
func (a *attacker) say(packet []byte) {
	a.own.say(pick(a.r, uint32(1), 1, 1, 0, 3), packet)
}

func (a *attacker) node() totem.NodeID {
	return pick(a.r, 1, 2, 2, 3, 0, 4, totem.NodeID(a.r.IntN(500)), totem.NodeID(edge(a.r)))
}

func (a *attacker) member() totem.NodeID { return pick(a.r, totem.NodeID(2), 2, 2, 3, 1) }

func (a *attacker) list(most int) []totem.NodeID {
	switch a.r.IntN(4) {
	case 0:
		return []totem.NodeID{1, 2, 3}
	case 1:
		return []totem.NodeID{1, 2, 3}[a.r.IntN(3):]
	}
	var l []totem.NodeID
	from := totem.NodeID(pick(a.r, 1, 4, 1000, int64(edge(a.r))))
	for i := range a.r.IntN(most + 1) {
		l = append(l, from+totem.NodeID(i))
	}
	return l
}

// ring is the present ring, or one near it.
func (a *attacker) ring() totem.RingID {
	ring := a.engine().Ring()
	switch a.r.IntN(6) {
	case 0:
		ring.Seq += pick(a.r, uint64(4), 8, 1, 0xfffffffffffffffc)
	case 1:
		ring = totem.RingID{Rep: a.node(), Seq: edge(a.r)}
	}
	return ring
}

func (a *attacker) header(t totem.Type) totem.Header {
	return totem.Header{BigEndian: a.r.IntN(8) == 0, Type: t, Node: a.member()}
}

// seq is a sequence number around the victim's.
func (a *attacker) seq() totem.Seq {
	at := totem.Seq(a.engine().Stats().McastRx)
	return at + pick(a.r, 0, 1, 2, 10, 16382, 16383, 16384, 0xffffffff, totem.Seq(edge(a.r)))
}

func (a *attacker) mutants() {
	list := a.w.corpus.packets
	if c, err := recorded(); err == nil && a.r.IntN(2) == 0 {
		list = c.packets
	}
	if len(list) == 0 {
		return
	}
	p := ofRing(pick(a.r, list...), a.ring())
	if a.r.IntN(8) > 0 {
		p = mutate(a.r, p)
	}
	a.say(p)
}

func (a *attacker) token() {
	m := totem.Token{
		Header: a.header(totem.TypeToken), Seq: a.seq(), TokenSeq: a.seq(), ARU: a.seq(), ARUAddr: a.node(), Ring: a.ring(),
		Backlog: uint32(edge(a.r)), FCC: uint32(edge(a.r)), RetransFlag: uint32(pick(a.r, 0, 1, edge(a.r))),
	}
	for range pick(a.r, 0, 0, 1, 5, 30, 31, 90) {
		m.Retransmits = append(m.Retransmits, totem.Retransmit{Ring: a.ring(), Seq: a.seq()})
	}
	a.say(m.Append(nil))
}

func (a *attacker) join() {
	m := totem.Join{
		Header: a.header(totem.TypeJoin), From: a.node(), Proc: a.list(400), Failed: a.list(400),
		RingSeq: pick(a.r, a.ring().Seq, a.ring().Seq, edge(a.r)),
	}
	a.say(m.Append(nil))
}

func (a *attacker) leave() {
	m := totem.Join{From: a.node(), Proc: a.list(10), Failed: a.list(10), RingSeq: pick(a.r, a.ring().Seq, edge(a.r))}
	a.say(m.Append(nil))
}

func (a *attacker) commitToken() {
	m := totem.CommitToken{Header: a.header(totem.TypeCommitToken), TokenSeq: a.seq(), Ring: a.ring(), Addrs: a.list(400)}
	if a.r.IntN(2) == 0 {
		m.Addrs = []totem.NodeID{1, 2, 3}
	}
	m.Index = a.r.IntN(len(m.Addrs) + 2)
	for range m.Addrs {
		m.Entries = append(m.Entries, totem.CommitEntry{
			Ring: a.ring(), ARU: a.seq(), HighDelivered: a.seq(), Received: uint32(a.r.IntN(2)),
		})
	}
	a.say(m.Append(nil))
}

func (a *attacker) announce() {
	if a.r.IntN(2) == 0 {
		a.say((&totem.HoldCancel{Header: a.header(totem.TypeHoldCancel), Ring: a.ring()}).Append(nil))
		return
	}
	a.say((&totem.MergeDetect{Header: a.header(totem.TypeMergeDetect), From: a.node(), Ring: a.ring()}).Append(nil))
}

// fake is an mcast of the present ring.
func (a *attacker) fake(seq totem.Seq, encapsulated uint8, payload []byte) {
	m := totem.Mcast{Header: a.header(totem.TypeMcast), From: a.member(), Seq: seq, Ring: a.engine().Ring(), Payload: payload}
	m.Encapsulated = encapsulated
	if a.r.IntN(3) == 0 {
		m.Header.Node, m.From, m.Ring = a.node(), a.node(), a.ring()
	}
	a.say(m.Append(nil))
}

func (a *attacker) mcast() {
	payload := make([]byte, min(edge(a.r), 60_000))
	a.fake(a.seq(), pick(a.r, 2, 2, 1, byte(a.r.Uint32())), payload)
}

// nextSeq walks through the window, so that some of a row of fakes are taken
// for the messages that the ring waits for.
func (a *attacker) nextSeq() totem.Seq {
	if a.r.IntN(20) == 0 {
		a.next = totem.Seq(a.engine().Stats().McastRx)
	}
	a.next++
	return a.next
}

func (a *attacker) encapsulated() {
	inner := totem.Mcast{Header: a.header(totem.TypeMcast), From: a.member(), Seq: a.seq(), Ring: a.ring(), Payload: make([]byte, a.r.IntN(300))}
	inner.Encapsulated = pick(a.r, totem.Encapsulated, totem.NotEncapsulated)
	b := inner.Append(nil)
	if a.r.IntN(2) == 0 {
		b = mutate(a.r, b)
	}
	a.fake(a.nextSeq(), totem.Encapsulated, b)
}

func (a *attacker) frame() {
	f := pg.Frame{Fragmented: uint8(a.r.IntN(4)), Continuation: uint8(a.r.IntN(4)), Data: a.junk(a.r.IntN(3000))}
	for range a.r.IntN(6) {
		f.Lengths = append(f.Lengths, uint16(edge(a.r)))
	}
	if a.r.IntN(2) == 0 && len(f.Lengths) > 0 { // lengths that add up
		rest := len(f.Data)
		for i := range f.Lengths {
			f.Lengths[i] = uint16(a.r.IntN(rest + 1))
			rest -= int(f.Lengths[i])
		}
		f.Lengths[len(f.Lengths)-1] += uint16(rest)
	}
	a.fake(a.nextSeq(), totem.NotEncapsulated, f.Append(nil))
}

// endless begins a message as one node after the other and never ends it.
func (a *attacker) endless() {
	a.part = a.part%255 + 1
	f := pg.Frame{Fragmented: a.part%255 + 1, Continuation: a.part, Lengths: []uint16{60_000}, Data: make([]byte, 60_000)}
	if a.r.IntN(10) == 0 {
		f.Continuation = 0
	}
	m := totem.Mcast{Header: totem.Header{Node: totem.NodeID(a.r.IntN(1000)), Encapsulated: totem.NotEncapsulated}, From: 2, Ring: a.engine().Ring()}
	m.Seq, m.Payload = a.nextSeq(), f.Append(nil)
	a.say(m.Append(nil))
}

// flood fills the window with the longest messages, but for the next one.
func (a *attacker) flood() {
	for range 5 {
		a.fake(a.nextSeq()+2, totem.NotEncapsulated, make([]byte, 65_000))
	}
}

func (a *attacker) junk(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.r.Uint32())
	}
	return b
}

// ordered has the attacker's own node send a message through the ring.
func (a *attacker) ordered(group string, message []byte) {
	a.own.order(append(pg.AppendGroup(nil, group), message...))
}

// service sends every service and function, existing or not, with sizes around
// the right ones.
func (a *attacker) service() {
	service, fn := pick(a.r, 0, 1, 2, 2, 2, 3, 4, 5, 5, 6, 7, 63, 64, -1, int(int32(edge(a.r)))), pick(a.r, 0, 1, 2, 3, 4, 5, 6, 7, 63, 64, int(edge(a.r)&0xffff))
	size := pick(a.r, 16, 24, 32, 48, 168, 184, 200, 280, 288, 528, 1560, 1568) + pick(a.r, 0, 0, 0, -1, 1, 8, 100, 144, 1440)
	b := make([]byte, max(size, 0))
	if a.r.IntN(2) == 0 {
		b = a.junk(len(b))
	}
	put32(b, 0, uint32(service)<<16|uint32(fn), false)
	put32(b, 8, uint32(pick(a.r, len(b), len(b), int(int32(edge(a.r))))), false)
	for range a.r.IntN(4) {
		put32(b, 16+4*a.r.IntN(40), uint32(edge(a.r)), false)
	}
	a.ordered(pg.GroupServices, a.harmless(b))
}

// harmless takes the order to kill a node out of a message: it is obeyed, as by
// the reference.
func (a *attacker) harmless(b []byte) []byte {
	if len(b) >= 20 && b[0] == 1 && b[1] == 0 && b[2] == 1 && b[3] == 0 && a.r.IntN(4) > 0 {
		put32(b, 16, 99, false)
	}
	return b
}

// mutatedService starts from what services said before.
func (a *attacker) mutatedService() {
	for range 50 {
		if len(a.w.corpus.packets) == 0 {
			return
		}
		var m totem.Mcast
		var f pg.Frame
		if _, err := m.Decode(pick(a.r, a.w.corpus.packets...)); err != nil || m.Encapsulated != totem.NotEncapsulated {
			continue
		}
		if _, err := f.Decode(m.Payload); err != nil || len(f.Lengths) == 0 || f.Continuation != 0 {
			continue
		}
		names, body, err := pg.CutGroup(f.Data[:f.Lengths[0]], false)
		if err != nil {
			continue
		}
		group := pg.GroupServices
		if names.Has(pg.GroupSync) {
			group = pg.GroupSync
		}
		a.ordered(group, a.harmless(mutate(a.r, body)))
		return
	}
}

func (a *attacker) sync() {
	ring := a.ring()
	switch a.r.IntN(3) {
	case 0:
		m := exec.ServiceBuild{Ring: ring, Count: a.r.IntN(129)}
		for i := range m.List {
			m.List[i] = int32(edge(a.r))
		}
		b := m.Append(nil)
		put32(b, 32, uint32(edge(a.r)), false)
		a.ordered(pg.GroupSync, b)
	case 1:
		m := exec.Barrier{Ring: ring}
		a.ordered(pg.GroupSync, m.Append(nil))
	case 2:
		b := a.junk(a.r.IntN(600))
		put32(b, 0, uint32(a.r.IntN(3)), false)
		a.ordered(pg.GroupSync, b)
	}
}

// knet sends sound packets about links and data with numbers that are not.
func (a *attacker) knet() {
	h := knet.Header{Node: pick(a.r, uint16(2), 2, 2, 1, 3, uint16(edge(a.r)))}
	var b []byte
	switch a.r.IntN(4) {
	case 0:
		h.Type = pick(a.r, knet.TypePing, knet.TypePong)
		m := knet.Ping{Header: h, Link: uint8(pick(a.r, 0, 0, edge(a.r))), Seq: uint16(edge(a.r)), Timed: uint8(a.r.IntN(2))}
		copy(m.Time[:], a.junk(16))
		if a.r.IntN(2) == 0 {
			put64(m.Time[:], 0, uint64(a.w.now.Seconds())+uint64(a.r.IntN(3))-1)
			put64(m.Time[:], 8, uint64(a.r.IntN(1e9)))
		}
		b = m.Append(nil)
	case 1:
		h.Type = pick(a.r, knet.TypePMTUD, knet.TypePMTUDReply)
		m := knet.PMTUD{Header: h, Link: uint8(pick(a.r, 0, 0, edge(a.r))), Size: uint16(edge(a.r)), Fill: make([]byte, a.r.IntN(60_000))}
		b = m.Append(nil)
	default:
		m := knet.Data{
			Header: h, Seq: uint16(edge(a.r)), FragNum: uint8(pick(a.r, 1, 2, 254, edge(a.r))), FragSeq: uint8(pick(a.r, 1, 2, edge(a.r))),
			Method: knet.Method(pick(a.r, 0, 0, 0, a.r.IntN(10))), Channel: int8(pick(a.r, 0, 0, edge(a.r))), Payload: a.junk(1 + a.r.IntN(2000)),
		}
		if a.r.IntN(2) == 0 {
			m.Payload = make([]byte, a.r.IntN(40_000)+1)
		}
		b = m.Append(nil)
	}
	a.datagram(b)
}

func (a *attacker) datagrams() {
	if list := a.w.corpus.datagrams; len(list) > 0 {
		a.w.post(addrOf(2), addrOf(1), mutate(a.r, pick(a.r, list...)))
	}
}

// datagram seals a packet as the attacker's node would, and sends it.
func (a *attacker) datagram(packet []byte) {
	if a.w.nodes[0].options.sealed {
		c := cryptoOf(a.w.t)
		var iv [16]byte
		copy(iv[:], a.junk(16))
		packet = c.Seal(nil, packet, iv)
	}
	if len(packet) <= 65507 {
		a.w.post(addrOf(pick(a.r, uint32(2), 2, 2, 3, 9)), addrOf(1), packet)
	}
}

func (a *attacker) garbage() {
	a.datagram(a.junk(a.r.IntN(1500)))
	a.w.post(addrOf(2), addrOf(1), a.junk(a.r.IntN(1500)))
	a.say(a.junk(a.r.IntN(1500)))
	a.ordered(pick(a.r, "a", "sync", "ykd", ""), a.junk(a.r.IntN(100)))
}
