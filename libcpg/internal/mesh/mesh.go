package mesh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"cpgol/compat/abi"
	"cpgol/wire/exec"
	"cpgol/wire/offload"
)

// A Handler is told what happens, from several goroutines at once. It may call
// any method of the Mesh but Close. What is told of one member comes in order;
// that a message arrived comes in the order of the sender's numbers.
//
// The library brings all this under one lock of its own, and calls the Mesh's
// methods before it lets go of it. That way nothing that was decided before a
// Down is transmitted after the next Up.
type Handler interface {
	// Arrived hands over a message of a member's, all of it. The handler owns b.
	Arrived(from offload.Member, v offload.View, seq uint64, b *Buffer)
	// Held tells what a member holds of what was transmitted to it, and how many
	// bytes it takes. Only the newest may be told.
	Held(from offload.Member, v offload.View, seq, credit uint64)
	// Up says that messages of a view can be transmitted to a member. What it
	// held before was told.
	Up(m offload.Member, v offload.View)
	// Down says that what was transmitted to a member since Up may be lost, and
	// that nothing can be transmitted until the next Up. A view's end, and Left,
	// end what Up said without it. One of another view than the handler's is late
	// and to be passed over.
	Down(m offload.Member, v offload.View)
	// Progress says that a member has got a part of a message, if that takes a
	// while: a few times a second.
	Progress(m offload.Member)
}

// Options are what a Mesh is made of. Limits that are zero have defaults.
type Options struct {
	Self    offload.Member
	Group   exec.GroupName
	Listen  []netip.Addr // the node's ring addresses, in their order
	Handler Handler

	// MaxMessage is the longest message that is taken: 16 MiB.
	MaxMessage int
	// Overhead is what each message counts of the credit that Hold gives, beside its
	// bytes.
	Overhead int
	// Handshakes is how many connections whose other end is not known yet may be
	// open at once: 64. Those from the present members' addresses count apart.
	Handshakes int
	// SourceHandshakes is how many of them may come from one address, or, over
	// the Unix socket, from one process: 16. A member's address has two more for each
	// member on it.
	SourceHandshakes int
	// HandshakeTime is how long a connection may take to make itself known: 3 s.
	HandshakeTime time.Duration
	// ViewTime is how long one may wait for this process to come to its view: 5 s.
	ViewTime time.Duration
}

func (o *Options) defaults() {
	setDefault(&o.MaxMessage, 16<<20)
	setDefault(&o.Handshakes, 64)
	setDefault(&o.SourceHandshakes, 16)
	setDefault(&o.HandshakeTime, 3*time.Second)
	setDefault(&o.ViewTime, 5*time.Second)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// A Mesh is one process's connections to the others of one group.
type Mesh struct {
	opt    Options
	key    ed25519.PrivateKey
	socket net.Listener
	gate   *gate
	sender atomic.Pointer[senderKey]
	counts counts
	dials  chan struct{} // who may dial at once
	layer  layerFunc
	pidIs  func(got, want uint32) bool

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine

	mu       sync.Mutex // before a session's
	closed   bool
	ports    []port // in the order of the endpoint's addresses
	endpoint offload.Endpoint
	identity *identity                // nil: no handshakes
	view     offload.View             // zero: none
	last     offload.View             // the last that was not zero
	peers    map[offload.Member]*peer // of the last view
	changed  chan struct{}            // closed at the next change of view or identity
}

// A peer is another member. Its other fields are the mesh's lock's.
type peer struct {
	mesh *Mesh
	offload.Member
	ctx     context.Context
	cancel  context.CancelFunc
	refused int // run's own: how often its socket was tried in vain in a row

	endpoint offload.Endpoint
	out      *session  // what we send it
	in       *incoming // what it sends us

	// As a sender, in the present view.
	hold   hold   // what it is told
	got    uint64 // number of its last message
	taken  uint64 // what its messages cost of its credit
	banned bool   // it broke the protocol
}

// A hold is what a receiver tells a sender.
type hold struct {
	view        offload.View
	seq, credit uint64
}

// maxDials is how many handshakes are made at once; a view may have many members.
const maxDials = 16

// New makes a Mesh: a new key, a port on each address and a Unix socket. An
// address that is not there is left out; at least one must be, if there are any.
func New(opt Options) (*Mesh, error) {
	opt.defaults()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	m := &Mesh{
		opt: opt, key: key, dials: make(chan struct{}, maxDials), layer: newLayer, pidIs: func(got, want uint32) bool { return got == want },
		peers: make(map[offload.Member]*peer), changed: make(chan struct{}),
		gate: newGate(opt.Handshakes, opt.SourceHandshakes),
	}
	copy(m.endpoint.Key[:], key.Public().(ed25519.PublicKey))
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.listenUnix(); err != nil {
		m.cancel()
		return nil, err
	}
	if err := m.Listen(opt.Listen); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// SetIdentity takes the certificate that the daemon issued for the endpoint's
// key, and the one whose key signed it, nil if the ring has no key; both in
// DER. They hold for handshakes from now on. If the signer's key is another than
// before, all connections are closed and made anew.
func (m *Mesh) SetIdentity(cert, root []byte) error {
	id, err := newIdentity(m.key, m.opt.Group, cert, root)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.identity != nil && !m.identity.sameRoot(id) {
		for _, p := range m.peers {
			p.disconnect()
		}
	}
	m.identity = id
	m.announce()
	return nil
}

// announce wakes what waits for another view or identity.
func (m *Mesh) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// SetView begins a view, or none if it is zero; the handler must have come to it
// already or come to it before it lets go of its lock. Connections to processes
// that have the same key in both views stay, also over a time without a view;
// others are closed. Credit begins anew.
func (m *Mesh) SetView(v offload.View, peers []abi.OffloadPeer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || v == m.view {
		return
	}
	m.view = v
	if v != (offload.View{}) {
		m.last = v
		m.sender.Store(newSenderKey())
		m.setPeers(peers)
	}
	for _, p := range m.peers {
		if p.out != nil {
			p.out.setView(v)
		}
	}
	m.announce()
}

func (m *Mesh) setPeers(list []abi.OffloadPeer) {
	old := m.peers
	m.peers = make(map[offload.Member]*peer, len(list))
	for i := range list {
		member, e := list[i].Member, list[i].Endpoint
		if member == m.opt.Self {
			continue
		}
		e.Addresses = append([]netip.AddrPort(nil), e.Addresses...)
		p := old[member]
		if p == nil || p.endpoint.Key != e.Key {
			p = &peer{mesh: m, Member: member}
			p.ctx, p.cancel = context.WithCancel(m.ctx)
			m.wg.Go(p.run)
		}
		p.endpoint = e
		if p.moved() {
			p.out.layer.conn.Close()
		}
		p.hold, p.got, p.taken, p.banned = hold{}, 0, 0, false
		m.peers[member] = p
	}
	for member, p := range old {
		if m.peers[member] != p {
			p.end()
		}
	}
	m.gate.know(m.peers)
}

// Left takes members out, closes their connections, and seals with a key that
// they don't have from now on.
func (m *Mesh) Left(members []offload.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, member := range members {
		if p := m.peers[member]; p != nil {
			p.end()
			delete(m.peers, member)
		}
	}
	m.sender.Store(newSenderKey())
	m.gate.know(m.peers)
}

// Transmit sends a message to members that are up. It returns at once and keeps b
// until it is written; b's bytes must not change meanwhile. For members that are not
// up, and views that are over, it does nothing.
func (m *Mesh) Transmit(v offload.View, seq uint64, b *Buffer, to []offload.Member) {
	if len(to) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	msg := newMessage(v, seq, b, len(to), &m.sender)
	for _, member := range to {
		if p := m.peers[member]; p == nil || p.out == nil || !p.out.push(v, msg) {
			msg.drop(0)
		}
	}
}

// Hold tells a member what this process holds of its messages of the present view,
// and how many bytes it takes, counted from the view's beginning. The member
// is told the newest, also when it connects again; before the first it can't
// transmit. One that transmits more is cut off until the view ends.
func (m *Mesh) Hold(to offload.Member, v offload.View, seq, credit uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[to]
	if p == nil || v != m.view || v == (offload.View{}) {
		return
	}
	p.hold = hold{v, seq, credit}
	if p.in != nil && !p.in.reading {
		poke(p.in.wake)
	}
}

// Redial closes the connections with a member that was not heard, or all if that is
// this process: its node's link may be lost, and the next ones find another way.
func (m *Mesh) Redial(who offload.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for member, p := range m.peers {
		if member == who || who == m.opt.Self {
			p.disconnect()
		}
	}
}

// Close closes everything and waits for the handler's calls to end, so the caller
// must not hold a lock that they need.
func (m *Mesh) Close() {
	m.mu.Lock()
	m.closed = true
	m.view = offload.View{}
	for _, p := range m.peers {
		p.end()
	}
	clear(m.peers)
	for _, p := range m.ports {
		p.Close()
	}
	m.socket.Close()
	m.cancel()
	m.mu.Unlock()
	m.gate.close()
	m.wg.Wait()
}

// end is for a peer that is none any more.
func (p *peer) end() {
	p.cancel()
	p.disconnect()
}

func (p *peer) disconnect() {
	if p.out != nil {
		p.out.layer.conn.Close()
	}
	if p.in != nil {
		p.in.conn.Close()
	}
}

// poke wakes the goroutine that reads from c, now or when it comes to it.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
