package libcpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"cpgol/compat/abi"
	"cpgol/libcpg/internal/core"
	"cpgol/libcpg/internal/mesh"
	"cpgol/wire/offload"
)

// An offloader is the offloaded transport beside a daemon that can order for it.
// Its methods may be called on nil, which stands for one that can't. They are
// called with c.mu held.
type offloader struct {
	c         *Conn
	addresses []netip.Addr // to listen on
	start     time.Time
	ctx       context.Context // ends with the connection
	cancel    context.CancelFunc

	link    *link // the present membership, nil outside of a group
	last    item  // what Next told last
	pending [][]byte
	timer   *time.Timer
	due     time.Duration // what timer waits for; Never: it does not
	reason  abi.ViewReason
	cause   Member

	event abi.OffloadView    // scratch
	order abi.OffloadOrdered // scratch

	request []byte // scratch
}

// A link is one membership's protocol and connections.
type link struct {
	o       *offloader
	core    *core.Core
	mesh    *mesh.Mesh
	out     core.Output
	ringing bool // a long message is on its way into the ring

	announcing sync.Mutex // one at a time: the last is the newest
}

// newOffloader asks the daemon whether it can order; nil is that it can't, as
// every daemon but ours says in its way.
func newOffloader(ctx context.Context, c *Conn) (*offloader, error) {
	answer, err := c.hello(ctx)
	var refused Status
	switch {
	case errors.As(err, &refused), err == nil && answer.Version != abi.OffloadVersion:
		return nil, nil
	case err != nil:
		return nil, err
	}
	o := &offloader{c: c, addresses: answer.Addresses, start: time.Now(), due: core.Never, reason: abi.ViewPlain}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	return o, nil
}

// hello asks for the daemon's part of the transport, and where to listen.
func (c *Conn) hello(ctx context.Context) (answer abi.OffloadHelloAnswer, err error) {
	err = c.call(ctx, (&abi.OffloadHello{Version: abi.OffloadVersion}).Append(nil), func(b []byte) (abi.Status, error) {
		_, err := answer.Decode(b)
		return answer.Status, err
	})
	return answer, err
}

func (o *offloader) now() time.Duration { return time.Since(o.start) }

// close ends everything; c.mu is not held.
func (o *offloader) close() {
	if o == nil {
		return
	}
	o.cancel()
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.outside()
	if o.timer != nil {
		o.timer.Stop()
	}
}

// inside begins a membership: the own join has its place in the order.
func (o *offloader) inside() {
	if o == nil {
		return
	}
	l := &link{o: o, core: core.New(o.c.Self(), core.Defaults)}
	var err error
	if l.mesh, err = mesh.New(mesh.Options{Self: o.c.Self(), Group: o.c.group, Listen: o.addresses, Handler: l, Overhead: core.Defaults.Overhead}); err != nil {
		return // without endpoint: the group stays in the ring
	}
	o.link = l
	go l.announce(false)
}

// outside ends it.
func (o *offloader) outside() {
	if o == nil || o.link == nil {
		return
	}
	go o.link.mesh.Close() // which waits for calls that wait for c.mu
	o.link, o.pending = nil, nil
}

// announce asks for a certificate and offers the endpoint; when it does so again, the
// node's addresses may be others by then. c.mu is not held.
func (l *link) announce(again bool) {
	l.announcing.Lock()
	defer l.announcing.Unlock()
	o := l.o
	if again && !l.listen() {
		return
	}
	endpoint := l.mesh.Endpoint()
	var answer abi.OffloadCertAnswer
	err := o.c.call(o.ctx, (&abi.OffloadCert{Key: endpoint.Key}).Append(nil), func(b []byte) (abi.Status, error) {
		_, err := answer.Decode(append([]byte(nil), b...))
		return answer.Status, err
	})
	if err == nil {
		err = l.mesh.SetIdentity(answer.Certificate, answer.Root)
	}
	if err == nil && l.with(func() {}) { // it is still this membership's
		err = o.c.call(o.ctx, (&abi.OffloadAnnounce{Endpoint: endpoint}).Append(nil), bare)
	}
	_ = err // without endpoint the group stays in the ring, or it is not in the group any more
}

// listen asks for the node's addresses and listens there. It reports whether the
// endpoint can be announced: otherwise others are not to try, and the group goes
// into the ring.
func (l *link) listen() bool {
	answer, err := l.o.c.hello(l.o.ctx)
	if err != nil {
		return true // it stays where it is
	}
	if !l.with(func() { l.o.addresses = answer.Addresses }) {
		return false
	}
	return l.mesh.Listen(answer.Addresses) == nil
}

// take takes an event that only we are sent.
func (o *offloader) take(id int32, b []byte) error {
	if o == nil || o.link == nil {
		return nil
	}
	l := o.link
	switch id {
	case abi.OffloadViewEvent:
		m := &o.event
		if _, err := m.Decode(b); err != nil {
			return err
		}
		o.reason, o.cause = m.Reason, m.Cause
		if m.Reason == abi.ViewOn {
			members := make([]Member, len(m.Members))
			for i := range m.Members {
				members[i] = m.Members[i].Member
			}
			l.mesh.SetView(m.View, m.Members)
			m.Members = nil // the mesh's now
			l.core.ViewOn(o.now(), m.View, members, &l.out)
		} else {
			l.core.ViewOff(o.now(), m.Reason == abi.ViewSuspended && m.Cause == o.c.Self(), &l.out)
			l.mesh.SetView(offload.View{}, nil)
			if m.Reason == abi.ViewSuspended {
				l.mesh.Redial(m.Cause)
			}
		}
	case abi.OffloadOrderedEvent:
		m := &o.order
		if _, err := m.Decode(b); err != nil {
			return err
		}
		l.core.Ordered(o.now(), m.View, m.From, m.First, m.Count, &l.out)
	case abi.OffloadRenewEvent:
		go l.announce(true)
	}
	l.perform()
	return nil
}

// left takes processes out of the group.
func (o *offloader) left(members []Member) {
	if o == nil || o.link == nil || len(members) == 0 {
		return
	}
	o.link.core.Left(o.now(), members, &o.link.out)
	o.link.mesh.Left(members)
	o.link.perform()
}

// told keeps what Next told until giveBack.
func (o *offloader) told(it item) {
	if o != nil {
		o.last = it
	}
}

func (o *offloader) giveBack() {
	if o == nil || o.last.payload == nil {
		return
	}
	size := len(o.last.data)
	o.last.payload.Release()
	from := o.last.from
	o.last = item{}
	if l := o.link; l != nil {
		l.core.Consumed(from, size, &l.out)
		l.perform()
	}
}

// direct reports whether a message goes into the ring without the core's help.
func (o *offloader) direct(size int) bool {
	return o == nil || o.link == nil || !o.link.ringing && o.link.core.Direct(size)
}

// sent says that a message went into the ring without the core's help.
func (o *offloader) sent() {
	if o != nil && o.link != nil {
		o.link.core.DirectSent()
	}
}

// came says that a message came from the ring.
func (o *offloader) came(from Member) {
	if o != nil && o.link != nil && from == o.c.Self() {
		o.link.core.RingDelivered()
	}
}

// send gives the core a message.
func (o *offloader) send(parts [][]byte, size int) error {
	l := o.link
	if !l.core.Takes(size) {
		return ErrTryAgain // before it is copied
	}
	b := mesh.Get(size)
	at := 0
	for _, p := range parts {
		at += copy(b.Bytes()[at:], p)
	}
	if err := l.core.Send(o.now(), b, &l.out); err != nil {
		b.Release()
		l.perform()
		return ErrTryAgain
	}
	l.perform()
	return nil
}

// waiting is how many bytes have no place in the order yet.
func (o *offloader) waiting() int {
	if o == nil || o.link == nil {
		return 0
	}
	return o.link.core.Waiting()
}

// perform does what the core wants, and what the ring is to carry.
func (l *link) perform() {
	for l.ring(); len(l.out.Effects) > 0; l.ring() {
		for i := range l.out.Effects {
			l.effect(&l.out.Effects[i])
		}
		l.out.Reset()
	}
	l.o.flush()
	l.o.arm(l.core.Deadline())
}

func (l *link) effect(e *core.Effect) {
	o := l.o
	switch e.Kind {
	case core.Transmit:
		l.mesh.Transmit(e.View, e.Seq, e.Payload.(*mesh.Buffer), e.To)
	case core.Hold:
		l.mesh.Hold(e.Peer, e.View, e.Seq, e.Credit)
	case core.Submit:
		o.submit(&abi.OffloadSubmit{View: e.View, First: e.Seq, Count: e.Count})
	case core.Release:
		b := e.Payload.(*mesh.Buffer)
		o.c.inbox.push(item{kind: Message, from: e.From, data: b.Bytes(), payload: b})
	case core.Drop:
		e.Payload.(*mesh.Buffer).Release()
	case core.Suspend:
		m := abi.OffloadSuspend{View: e.View, Member: e.Peer}
		go o.c.call(o.ctx, m.Append(nil), bare)
	case core.Announce:
		go l.announce(true)
	case core.Room:
		o.c.wake()
	case core.Broken:
		go o.c.fail(fmt.Errorf("%w: node %d, process %d", ErrBroken, e.Peer.Node, e.Peer.PID))
	}
}

// submit sends a submission, or keeps it in its order.
func (o *offloader) submit(m *abi.OffloadSubmit) {
	o.request = m.Append(o.request[:0])
	if len(o.pending) > 0 || o.c.ipc.Send(o.request, nil) != nil {
		o.pending = append(o.pending, bytes.Clone(o.request))
	}
}

// flush sends what the IPC did not take before.
func (o *offloader) flush() {
	for len(o.pending) > 0 && o.c.ipc.Send(o.pending[0], nil) == nil {
		o.pending = o.pending[1:]
	}
	if len(o.pending) > 0 {
		o.arm(o.now() + firstPause)
	}
}

// ring sends in the ring what is to go there now.
func (l *link) ring() {
	for !l.ringing {
		p := l.core.Ring()
		if p == nil {
			return
		}
		b := p.(*mesh.Buffer)
		if b.Len() > abi.MaxCPGMessage {
			l.ringing = true
			l.core.RingBegun()
			go l.ringLong(b)
			return
		}
		if err := l.o.c.mcast([][]byte{b.Bytes()}, b.Len()); err != nil {
			l.o.arm(l.o.now() + firstPause)
			return
		}
		b.Release()
		l.core.RingSent(l.o.now(), &l.out)
	}
}

// ringLong sends a message of over a megabyte in the ring. c.mu is not held.
func (l *link) ringLong(b *mesh.Buffer) {
	c := l.o.c
	err := c.mcastLong(l.o.ctx, [][]byte{b.Bytes()})
	c.mu.Lock()
	defer c.mu.Unlock()
	l.ringing = false
	if err == nil && l.o.link == l {
		b.Release()
		l.core.RingSent(l.o.now(), &l.out)
		l.perform()
	}
}

// arm sees to it that tick is called at a time, or earlier.
func (o *offloader) arm(at time.Duration) {
	if at >= o.due {
		return
	}
	o.due = at
	d := max(at-o.now(), 0)
	if o.timer == nil {
		o.timer = time.AfterFunc(d, o.tick)
	} else {
		o.timer.Reset(d)
	}
}

func (o *offloader) tick() {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.due = core.Never
	if l := o.link; l != nil {
		l.core.Tick(o.now(), &l.out)
		l.perform()
	}
}

// with runs f of the present membership, and reports whether this is still it.
func (l *link) with(f func()) bool {
	c := l.o.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.o.link != l {
		return false
	}
	f()
	l.perform()
	return true
}

var _ mesh.Handler = (*link)(nil)

// Arrived, Held, Up, Down and Progress are the mesh's calls.
func (l *link) Arrived(from Member, v offload.View, seq uint64, b *mesh.Buffer) {
	if !l.with(func() { l.core.Arrived(from, v, seq, b, &l.out) }) {
		b.Release()
	}
}

func (l *link) Held(from Member, v offload.View, seq, credit uint64) {
	l.with(func() { l.core.Held(l.o.now(), from, v, seq, credit, &l.out) })
}

func (l *link) Up(m Member, v offload.View) {
	l.with(func() { l.core.PeerUp(l.o.now(), m, v, &l.out) })
}

func (l *link) Down(m Member, v offload.View) {
	l.with(func() {
		if v == l.core.View() {
			l.core.PeerDown(m)
		}
	})
}

func (l *link) Progress(m Member) {
	l.with(func() { l.core.Progress(l.o.now(), m) })
}

// Offload tells whether this process's group is offloaded now, and if not, why.
func (c *Conn) Offload() (on bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.off
	switch {
	case c.opt.InRing:
		return false, "this process asked for the ring"
	case o == nil:
		return false, "the daemon can't"
	case c.state != inside:
		return false, "in no group"
	case o.link == nil:
		return false, "this process can't listen on the ring's addresses"
	}
	return o.reason == abi.ViewOn, reasonText(o.reason, o.cause)
}

func reasonText(r abi.ViewReason, who Member) string {
	switch {
	case r == abi.ViewOn:
		return ""
	case who == Member{}:
		return r.String()
	}
	return fmt.Sprintf("%v (node %d, process %d)", r, who.Node, who.PID)
}
