package offloadsim

import (
	"slices"
	"time"

	"cpgol/wire/offload"
)

// A mesh is one membership's payload connections (libcpg/internal/mesh). Each
// process dials those that it has something for: so there is a pipe for each
// sender and receiver.
type mesh struct {
	k      *session
	p      *process
	w      *world
	key    uint64
	view   offload.View
	newest offload.View // that it ever had
	peers  map[offload.Member]uint64
	out    []*pipe
	in     []*pipe
	told   map[offload.Member]holding // what each sender was told last
	last   channel                    // what of connections that were reset is being read still
	closed bool
}

// A holding is what a receiver says of a sender's messages.
type holding struct {
	view        offload.View
	seq, credit uint64
}

// A pipe carries messages to one receiver, and back what that holds.
type pipe struct {
	from  *mesh
	to    offload.Member
	key   uint64
	dst   *mesh        // while it is connected
	up    offload.View // in which the sender knows that it is
	forth channel
	back  channel
	free  time.Duration // when the wire is free
	seen  offload.View  // the view that the receiver said it is in
	held  holding       // the last that it said
	cut   bool          // does not exist any more
}

func newMesh(k *session) *mesh {
	w := k.lib.p.w
	w.serial++
	m := &mesh{k: k, p: k.lib.p, w: w, key: w.serial, told: make(map[offload.Member]holding)}
	w.meshes[m.key] = m
	return m
}

func later(a, b offload.View) bool {
	return a.Ring.Seq > b.Ring.Seq || a.Ring.Seq == b.Ring.Seq && a.Epoch > b.Epoch
}

// setView makes connections to the members of a view, and ends those to others.
func (m *mesh) setView(v offload.View, members []offload.Member, keys map[offload.Member]uint64) {
	m.view, m.peers = v, keys
	if v == (offload.View{}) {
		if !m.w.mesh.keeps {
			m.drop(func(offload.Member, uint64) bool { return true })
		}
		return
	}
	m.newest = v
	clear(m.told)
	m.drop(func(o offload.Member, key uint64) bool { return keys[o] != key })
	for _, o := range members {
		if o == m.p.Member {
			continue
		}
		at := slices.IndexFunc(m.out, func(p *pipe) bool { return p.to == o })
		if at < 0 {
			p := &pipe{from: m, to: o, key: keys[o]}
			m.out = append(m.out, p)
			p.dial(0)
		} else if p := m.out[at]; p.seen == v {
			p.back.push(m.p, 0, func() { p.ready(v) })
		}
	}
	for _, p := range m.in {
		p.enter(v)
	}
}

// enter tells the sender that the receiver is in a view.
func (p *pipe) enter(v offload.View) {
	p.say(func() {
		p.seen = v
		p.ready(v)
	})
}

// say tells the sender something.
func (p *pipe) say(act func()) {
	w := p.from.w
	p.back.pushIf(p.from.p, w.upTo(w.mesh.delay), act, p.reaches)
}

// ready is the beginning of a view on a connection that stands.
func (p *pipe) ready(v offload.View) {
	m := p.from
	if m.closed || m.view != v || p.cut || p.up == v {
		return
	}
	if p.held.view == v {
		m.k.core.Held(m.w.now, p.to, v, p.held.seq, p.held.credit, &m.k.out)
	}
	m.k.core.PeerUp(m.w.now, p.to, v, &m.k.out)
	p.up = v
	m.k.perform()
}

// hearing is the receiver telling what it holds, perhaps of a view that is over.
func (p *pipe) hearing(h holding) {
	m := p.from
	p.held = h
	if !m.closed {
		m.k.core.Held(m.w.now, p.to, h.view, h.seq, h.credit, &m.k.out)
		m.k.perform()
	}
}

// drop ends connections, both ways.
func (m *mesh) drop(which func(o offload.Member, key uint64) bool) {
	m.out = slices.DeleteFunc(m.out, func(p *pipe) bool {
		if which(p.to, p.key) {
			p.cut = true
			p.disconnect()
		}
		return p.cut
	})
	for _, p := range slices.Clone(m.in) {
		if which(p.from.p.Member, p.from.key) {
			p.reset()
		}
	}
}

// left takes members out.
func (m *mesh) left(members []offload.Member) {
	m.drop(func(o offload.Member, _ uint64) bool { return slices.Contains(members, o) })
}

// close ends all connections. Others do not hear of it if the host was killed.
func (m *mesh) close(killed bool) {
	m.closed = true
	delete(m.w.meshes, m.key)
	if killed && m.p.n.inside == nil {
		return // they go on into nothing
	}
	m.drop(func(offload.Member, uint64) bool { return true })
}

// dial connects, again and again.
func (p *pipe) dial(d time.Duration) {
	m := p.from
	m.w.after(d+m.w.upTo(2*m.w.mesh.delay), func() {
		if m.closed || m.p.dead || p.cut || p.dst != nil {
			return
		}
		dst := m.w.meshes[p.key]
		if m.p.stopped > m.w.now || dst == nil || dst.p.dead || dst.p.stopped > m.w.now || !m.w.hears(m.p.Node, p.to.Node) ||
			m.view == (offload.View{}) || dst.view != m.view || dst.peers[m.p.Member] != m.key {
			p.dial(15 * time.Millisecond)
			return
		}
		p.connect(dst)
	})
}

// connect is the end of a handshake. The receiver says what it holds.
func (p *pipe) connect(dst *mesh) {
	p.dst = dst
	p.forth, p.back, p.free = channel{}, channel{}, 0
	dst.in = append(dst.in, p)
	if h, ok := dst.told[p.from.p.Member]; ok {
		p.say(func() { p.hearing(h) })
	}
	p.enter(dst.view)
}

// disconnect ends the connection: what is on its way is lost.
func (p *pipe) disconnect() {
	if p.dst != nil {
		p.dst.in = slices.DeleteFunc(p.dst.in, func(o *pipe) bool { return o == p })
	}
	p.dst, p.up = nil, offload.View{}
	p.forth, p.back = channel{}, channel{}
	p.seen, p.held = offload.View{}, holding{}
}

// reset is disconnect by accident: the sender learns of it and dials again.
func (p *pipe) reset() {
	if p.cut || p.dst == nil {
		return
	}
	was := p.up
	p.leaveLast()
	p.disconnect()
	m := p.from
	p.back.push(m.p, m.w.upTo(30*time.Millisecond), func() {
		if m.closed || p.cut {
			return
		}
		if was == m.view {
			m.k.core.PeerDown(p.to)
		}
		p.dial(0)
	})
}

// redial resets the connections with a member that was not heard, or all if that is
// this process.
func (m *mesh) redial(who offload.Member) {
	for _, p := range slices.Clone(m.out) {
		if p.to == who || who == m.p.Member {
			p.reset()
		}
	}
	for _, p := range slices.Clone(m.in) {
		if o := p.from.p.Member; o == who || who == m.p.Member {
			p.reset()
		}
	}
}

// resetIn resets what others have dialled.
func (m *mesh) resetIn() {
	for _, p := range slices.Clone(m.in) {
		p.reset()
	}
}

// leaveLast leaves the receiver some of what was on its way, which it may come to
// only when the next connection stands.
func (p *pipe) leaveLast() {
	w, dst := p.from.w, p.dst
	if len(p.forth.items) == 0 || w.rnd.IntN(2) == 0 {
		return
	}
	for _, it := range p.forth.items[:1+w.rnd.IntN(len(p.forth.items))] {
		dst.last.pushIf(dst.p, w.upTo(40*time.Millisecond), it.act, it.may)
	}
}

func (p *pipe) reaches() bool { return p.from.w.hears(p.from.p.Node, p.to.Node) }

// transmit puts a message on its way to some members.
func (m *mesh) transmit(v offload.View, seq uint64, b *payload, to []offload.Member) {
	for _, o := range to {
		at := slices.IndexFunc(m.out, func(p *pipe) bool { return p.to == o })
		if at < 0 {
			m.w.fail("%s: transmits to %v, who is not in the view", m.p.name(), o)
			return
		}
		m.out[at].carry(v, seq, slices.Clone(b.b))
	}
}

func (p *pipe) carry(v offload.View, seq uint64, b []byte) {
	w, dst := p.from.w, p.dst
	if dst == nil {
		return // reset, and nobody knows
	}
	d := w.mesh.delay
	p.free = max(p.free, w.now)
	if w.mesh.rate > 0 {
		const slice = 300 * time.Millisecond
		takes := time.Duration(len(b)) * time.Second / time.Duration(w.mesh.rate)
		for at := slice; at < takes; at += slice {
			w.at(p.free+at, func() {
				if p.dst == dst && dst.p.stopped <= w.now && p.reaches() {
					p.say(func() { p.from.progress(p.to) })
				}
			})
		}
		p.free += takes
	}
	if w.mesh.stalls > 0 && w.rnd.Float64() < w.mesh.stalls {
		p.free += w.upTo(2500 * time.Millisecond)
	}
	p.forth.pushIf(dst.p, p.free-w.now+w.upTo(d), func() { dst.arrived(p, v, seq, b) },
		func() bool { return p.reaches() && !later(v, dst.newest) })
}

func (m *mesh) progress(o offload.Member) {
	if !m.closed {
		m.k.core.Progress(m.w.now, o)
	}
}

// arrived is a whole message.
func (m *mesh) arrived(p *pipe, v offload.View, seq uint64, b []byte) {
	if m.closed || v != m.view {
		return // of a view that is over
	}
	m.k.core.Arrived(p.from.p.Member, v, seq, m.k.keep(b), &m.k.out)
	m.k.perform()
}

// hold tells a sender what is held of its messages: the newest counts.
func (m *mesh) hold(o offload.Member, v offload.View, seq, credit uint64) {
	h := holding{v, seq, credit}
	m.told[o] = h
	for _, p := range m.in {
		if p.from.p.Member == o {
			p.say(func() { p.hearing(h) })
		}
	}
}
