package hostile

import (
	"math/rand/v2"
	"testing"
	"time"

	"cpgol/wire/exec"
	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// An attacker is in a member's place and has its key. How its packets reach the
// victim is for who makes it to say.
type attacker struct {
	r      *rand.Rand
	corpus *corpus // of the ring that is attacked
	now    func() time.Duration
	// ring is the victim's, near a sequence number close to its last.
	ring func() totem.RingID
	near func() totem.Seq
	// token is the last token seen; only an attacker on the ring's path knows.
	token totem.Token
	// post sends a totem packet, datagram a knet packet in its envelope, wire
	// bytes as they are. order has a message ordered by the ring.
	post, datagram, wire func(b []byte)
	order                func(message []byte)

	// next is the sequence number of the next fake mcast of a row.
	next totem.Seq
	part uint8
}

// inside is an attacker that holds the second node of a world. Its victim is the
// first, but what is ordered by the ring hits all.
func inside(w *world, r *rand.Rand) *attacker {
	own := w.nodes[1]
	victim := func() *node { // or itself while the victim is down
		if w.nodes[0].inside != nil {
			return w.nodes[0]
		}
		return own
	}
	a := &attacker{
		r: r, corpus: &w.corpus, now: func() time.Duration { return w.now },
		ring: func() totem.RingID { return victim().ring() },
		near: func() totem.Seq {
			if v := victim(); v.inside != nil {
				return totem.Seq(v.engine().Stats().McastRx)
			}
			return 0
		},
		post: func(b []byte) { own.say(pick(r, uint32(1), 1, 1, 0, 3), b) },
		datagram: func(b []byte) {
			if own.options.sealed {
				b = seal(w.t, r, b)
			}
			w.post(addrOf(pick(r, uint32(2), 2, 2, 3, 9)), addrOf(1), b)
		},
		wire:  func(b []byte) { w.post(addrOf(2), addrOf(1), b) },
		order: own.order,
	}
	w.sniff = func(packet []byte) {
		if packet[3] == byte(totem.TypeToken) {
			a.token.Decode(packet)
		}
	}
	return a
}

// An attack is one way to be hostile; do sends a packet or a few.
type attack struct {
	name string
	do   func(a *attacker)
}

var attacks = []attack{
	{"mutated packets", (*attacker).mutants},
	{"tokens", (*attacker).tokens},
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

// someRing is the present ring, or one near it.
func (a *attacker) someRing() totem.RingID {
	ring := a.ring()
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
	return a.near() + pick(a.r, 0, 1, 2, 10, 16382, 16383, 16384, 0xffffffff, totem.Seq(edge(a.r)))
}

func (a *attacker) mutants() {
	list := a.corpus.packets
	if c, err := recorded(); err == nil && a.r.IntN(2) == 0 {
		list = c.packets
	}
	if len(list) == 0 {
		return
	}
	p := ofRing(pick(a.r, list...), a.someRing())
	if a.r.IntN(8) > 0 {
		p = mutate(a.r, p)
	}
	a.post(p)
}

func (a *attacker) tokens() {
	if a.r.IntN(2) == 0 {
		a.post(a.forged().Append(nil))
		return
	}
	m := totem.Token{
		Header: a.header(totem.TypeToken), Seq: a.seq(), TokenSeq: a.seq(), ARU: a.seq(), ARUAddr: a.node(), Ring: a.someRing(),
		Backlog: uint32(edge(a.r)), FCC: uint32(edge(a.r)), RetransFlag: uint32(pick(a.r, 0, 1, edge(a.r))),
	}
	for range pick(a.r, 0, 0, 1, 5, 30, 31, 90) {
		m.Retransmits = append(m.Retransmits, totem.Retransmit{Ring: a.someRing(), Seq: a.seq()})
	}
	a.post(m.Append(nil))
}

// forged is the ring's own token at its next stop, or a stop or two later, with
// something changed: what else is wrong with it gets past the first checks.
func (a *attacker) forged() *totem.Token {
	m := a.token
	hops := pick(a.r, 1, 1, 2, 3)
	m.TokenSeq += totem.Seq(hops)
	m.Node = (m.Node+totem.NodeID(hops)-2)%3 + 1
	switch a.r.IntN(8) {
	case 0:
		m.Seq += pick(a.r, 1, 50, 1000, 16300, 0xffffffff, totem.Seq(edge(a.r)))
	case 1:
		m.ARU = a.seq()
	case 2:
		m.ARUAddr = a.node()
	case 3:
		m.FCC = uint32(edge(a.r))
	case 4:
		m.Backlog = uint32(edge(a.r))
	case 5:
		m.RetransFlag = uint32(pick(a.r, 0, 1, edge(a.r)))
	}
	m.Retransmits = nil
	for range pick(a.r, 0, 0, 1, 30) {
		m.Retransmits = append(m.Retransmits, totem.Retransmit{Ring: a.someRing(), Seq: m.Seq - 20 + totem.Seq(a.r.IntN(40))})
	}
	return &m
}

func (a *attacker) join() {
	m := totem.Join{
		Header: a.header(totem.TypeJoin), From: a.node(), Proc: a.list(400), Failed: a.list(400),
		RingSeq: pick(a.r, a.someRing().Seq, a.someRing().Seq, edge(a.r)),
	}
	a.post(m.Append(nil))
}

func (a *attacker) leave() {
	m := totem.Join{From: a.node(), Proc: a.list(10), Failed: a.list(10), RingSeq: pick(a.r, a.someRing().Seq, edge(a.r))}
	a.post(m.Append(nil))
}

func (a *attacker) commitToken() {
	m := totem.CommitToken{Header: a.header(totem.TypeCommitToken), TokenSeq: a.seq(), Ring: a.someRing(), Addrs: a.list(400)}
	if a.r.IntN(2) == 0 {
		m.Addrs = []totem.NodeID{1, 2, 3}
	}
	m.Index = a.r.IntN(len(m.Addrs) + 2)
	for range m.Addrs {
		m.Entries = append(m.Entries, totem.CommitEntry{
			Ring: a.someRing(), ARU: a.seq(), HighDelivered: a.seq(), Received: uint32(a.r.IntN(2)),
		})
	}
	a.post(m.Append(nil))
}

func (a *attacker) announce() {
	if a.r.IntN(2) == 0 {
		a.post((&totem.HoldCancel{Header: a.header(totem.TypeHoldCancel), Ring: a.someRing()}).Append(nil))
		return
	}
	a.post((&totem.MergeDetect{Header: a.header(totem.TypeMergeDetect), From: a.node(), Ring: a.someRing()}).Append(nil))
}

// fake is an mcast of the present ring.
func (a *attacker) fake(seq totem.Seq, encapsulated uint8, payload []byte) {
	m := totem.Mcast{Header: a.header(totem.TypeMcast), From: a.member(), Seq: seq, Ring: a.ring(), Payload: payload}
	m.Encapsulated = encapsulated
	if a.r.IntN(3) == 0 {
		m.Header.Node, m.From, m.Ring = a.node(), a.node(), a.someRing()
	}
	a.post(m.Append(nil))
}

func (a *attacker) mcast() {
	payload := make([]byte, min(edge(a.r), 60_000))
	a.fake(a.seq(), pick(a.r, 2, 2, 1, byte(a.r.Uint32())), payload)
}

// nextSeq walks through the window, so that some of a row of fakes are taken
// for the messages that the ring waits for.
func (a *attacker) nextSeq() totem.Seq {
	if a.r.IntN(20) == 0 {
		a.next = a.near()
	}
	a.next++
	return a.next
}

func (a *attacker) encapsulated() {
	inner := totem.Mcast{Header: a.header(totem.TypeMcast), From: a.member(), Seq: a.seq(), Ring: a.someRing(), Payload: make([]byte, a.r.IntN(300))}
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
	m := totem.Mcast{Header: totem.Header{Node: totem.NodeID(a.r.IntN(1000)), Encapsulated: totem.NotEncapsulated}, From: 2, Ring: a.ring()}
	m.Seq, m.Payload = a.nextSeq(), f.Append(nil)
	a.post(m.Append(nil))
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

// ordered sends a message of a group through the ring.
func (a *attacker) ordered(group string, message []byte) {
	a.order(append(pg.AppendGroup(nil, group), message...))
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
		if len(a.corpus.packets) == 0 {
			return
		}
		var m totem.Mcast
		var f pg.Frame
		if _, err := m.Decode(pick(a.r, a.corpus.packets...)); err != nil || m.Encapsulated != totem.NotEncapsulated {
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
	ring := a.someRing()
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
			put64(m.Time[:], 0, uint64(a.now().Seconds())+uint64(a.r.IntN(3))-1)
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
	if list := a.corpus.datagrams; len(list) > 0 {
		a.wire(mutate(a.r, pick(a.r, list...)))
	}
}

// seal puts a packet into the envelope of the lab's key.
func seal(t testing.TB, r *rand.Rand, packet []byte) []byte {
	var iv [16]byte
	for i := range iv {
		iv[i] = byte(r.Uint32())
	}
	return cryptoOf(t).Seal(nil, packet, iv)
}

func (a *attacker) garbage() {
	a.datagram(a.junk(a.r.IntN(1500)))
	a.wire(a.junk(a.r.IntN(1500)))
	a.post(a.junk(a.r.IntN(1500)))
	a.ordered(pick(a.r, "a", "sync", "ykd", ""), a.junk(a.r.IntN(100)))
}
