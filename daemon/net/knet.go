package net

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/daemon/link"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// knetQueued is how many bytes wait in sealed datagrams before they are sent
// without being asked to, so that they are still in the cache.
const knetQueued = 256 << 10

// A KnetConfig sets up knet.
type KnetConfig struct {
	// Config is the links'. All links of one number have the same Local.
	link.Config
	Clock Clock
	// Receive gets each packet; see [Transport].
	Receive func(packet []byte)
	// Event, if not nil, gets the effects that only tell something: LinkChanged,
	// HostChanged, MTUChanged, Dropped.
	Event func(e link.Effect)
}

// KnetStats counts beside what [link.Links] does.
type KnetStats struct {
	SocketStats        // of all sockets, those closed included
	NoSuchNode  uint64 // unicasts to numbers that no knet host can have
}

// Knet is Totem over kronosnet: package link decides, one UDP socket for each
// local address and port carries it out (exec/totemknet.c,
// libknet/transport_udp.c). The links' heartbeats begin with the first Tick.
type Knet struct {
	cfg     KnetConfig
	poller  *Poller
	links   *link.Links
	inbox   *inbox
	sockets []*knetSocket
	byLink  [link.MaxLinks]*knetSocket

	// rx is what a datagram leads to; it is empty again before the next. tx keeps
	// the bytes that wait in sockets until Flush. Only rx delivers, so what is
	// sent in answer does not disturb it.
	rx, tx     link.Output
	performing bool   // tx's effects: what is appended meanwhile is taken too
	replies    []byte // copies of what rx sends
	queued     int    // bytes in sockets
	flushing   bool
	target     []byte // a packet with its destination written anew
	closed     bool
	counts     KnetStats
}

var _ Transport = (*Knet)(nil)

// A knetSocket is a socket with the links that use it.
type knetSocket struct {
	*Socket
	bind  netip.AddrPort
	links []uint8
}

// NewKnet opens the sockets. The addresses need not be there yet.
func NewKnet(p *Poller, cfg KnetConfig) (*Knet, error) {
	k := &Knet{cfg: cfg, poller: p, inbox: newInbox(inboxSlots)}
	if err := k.bind(cfg.Hosts); err != nil {
		return nil, errors.Join(fmt.Errorf("knet: %w", err), k.Close())
	}
	k.links = link.New(cfg.Config)
	return k, nil
}

// State is the state of the links, for status, statistics and keys. What
// appends to an Output goes through [Knet.Update].
func (k *Knet) State() *link.Links { return k.links }

// Update calls f with the links and performs what it appends to out.
func (k *Knet) Update(f func(l *link.Links, out *link.Output)) {
	f(k.links, &k.tx)
	k.performQueued()
}

// Reconfigure takes over changed hosts, links and settings (see
// [link.Links.Reconfigure]), and opens and closes sockets accordingly. On an
// error nothing has changed.
func (k *Knet) Reconfigure(now time.Duration, cfg link.Config) error {
	if err := k.bind(cfg.Hosts); err != nil {
		return fmt.Errorf("knet: %w", err)
	}
	k.Update(func(l *link.Links, out *link.Output) { l.Reconfigure(now, cfg, out) })
	return nil
}

// bind opens a socket for each local address that has none, and closes those
// that no link uses any more.
func (k *Knet) bind(hosts []link.Host) error {
	locals, err := localAddrs(hosts)
	if err != nil {
		return err
	}
	var byLink [link.MaxLinks]*knetSocket
	var sockets, opened []*knetSocket
	for id, local := range locals {
		if !local.IsValid() {
			continue
		}
		same := func(s *knetSocket) bool { return s.bind == local }
		if i := slices.IndexFunc(sockets, same); i >= 0 {
			byLink[id] = sockets[i]
			continue
		}
		i := slices.IndexFunc(k.sockets, same)
		var s *knetSocket
		if i >= 0 {
			s = k.sockets[i]
		} else if s, err = k.openSocket(local); err == nil {
			opened = append(opened, s)
		} else {
			for _, s := range opened {
				s.Close()
			}
			return err
		}
		byLink[id] = s
		sockets = append(sockets, s)
	}
	for _, s := range k.sockets {
		if !slices.Contains(sockets, s) {
			s.Flush()
			k.counts.add(s.Stats())
			s.Close()
		}
	}
	k.sockets, k.byLink = sockets, byLink
	for _, s := range sockets {
		s.links = s.links[:0]
	}
	for id, s := range byLink {
		if s != nil {
			s.links = append(s.links, uint8(id))
		}
	}
	return nil
}

// localAddrs collects each link's own address.
func localAddrs(hosts []link.Host) (locals [link.MaxLinks]netip.AddrPort, err error) {
	for _, h := range hosts {
		for _, l := range h.Links {
			if l.ID >= link.MaxLinks {
				return locals, fmt.Errorf("host %d: link %d, at most %d", h.ID, l.ID, link.MaxLinks-1)
			}
			if !l.Local.IsValid() || l.Local.Addr().Is4() != l.Remote.Addr().Is4() {
				return locals, fmt.Errorf("host %d link %d: from %v to %v: want addresses of one family", h.ID, l.ID, l.Local, l.Remote)
			}
			if other := locals[l.ID]; other.IsValid() && other != l.Local {
				return locals, fmt.Errorf("link %d: two local addresses, %v and %v", l.ID, other, l.Local)
			}
			locals[l.ID] = l.Local
		}
	}
	return locals, nil
}

func (k *Knet) openSocket(local netip.AddrPort) (*knetSocket, error) {
	var on iface
	if needsScope(local.Addr()) {
		on = interfaceOf(local.Addr())
	}
	s := &knetSocket{bind: local}
	var err error
	s.Socket, err = OpenSocket(k.poller, SocketConfig{
		Bind: withoutZone(local), Scope: scopeOf(local.Addr(), on),
		Buffer: knetBuffer, Options: KnetOptions(local.Addr()), Clock: k.cfg.Clock, inbox: k.inbox,
		Datagram: func(from netip.AddrPort, b []byte) { k.receive(s, from, b) },
		Failed:   func(e SendError) { k.failed(s, e) },
	})
	return s, err
}

func (k *Knet) receive(s *knetSocket, from netip.AddrPort, b []byte) {
	k.links.Receive(k.cfg.Clock(), s.links[0], from, b, &k.rx)
	k.performReceived()
}

// failed tells the links what the kernel said about a send.
func (k *Knet) failed(s *knetSocket, e SendError) {
	now := k.cfg.Clock()
	if !e.Refused {
		effect := untag(e.Tag)
		k.links.SendFailed(&effect, false, e.Errno == unix.EMSGSIZE)
	}
	for _, id := range s.links {
		switch {
		case e.Refused:
			k.links.Refused(now, id, e.To.Addr(), &k.tx)
		case e.Errno == unix.EMSGSIZE:
			k.links.TooBig(now, id, e.To.Addr(), e.MTU, &k.tx)
		}
	}
	k.performQueued()
}

// performReceived carries out rx and gives its bytes up: what it sends is small
// and copied.
func (k *Knet) performReceived() {
	for i := 0; i < len(k.rx.Effects) && !k.closed; i++ {
		k.perform(&k.rx.Effects[i], true)
	}
	k.rx.Reset()
}

// performQueued carries out tx and keeps its bytes, which Flush gives up.
func (k *Knet) performQueued() {
	if k.performing {
		return
	}
	k.performing = true
	for i := 0; i < len(k.tx.Effects) && !k.closed; i++ {
		k.perform(&k.tx.Effects[i], false)
	}
	k.tx.Effects = k.tx.Effects[:0]
	k.performing = false
}

func (k *Knet) perform(e *link.Effect, copied bool) {
	switch e.Kind {
	case link.Send:
		k.send(e, copied)
	case link.Deliver:
		k.cfg.Receive(e.Bytes)
	default:
		if k.cfg.Event != nil {
			k.cfg.Event(*e)
		}
	}
}

func (k *Knet) send(e *link.Effect, copied bool) {
	s := k.byLink[e.Link]
	if s == nil {
		return // the link went with a reconfiguration
	}
	b := e.Bytes
	if copied {
		// An outgrown array stays as it is for the slices into it.
		start := len(k.replies)
		k.replies = append(k.replies, b...)
		b = k.replies[start:]
	}
	k.queued += len(b)
	s.Send(e.To, b, e.Segment, tag(e))
}

// tag and untag carry through a socket what the links want to know of a send
// that failed.
func tag(e *link.Effect) uint32 {
	return uint32(e.Host)<<16 | uint32(e.Link)<<8 | uint32(e.Type)
}

func untag(t uint32) link.Effect {
	return link.Effect{Host: uint16(t >> 16), Link: uint8(t >> 8), Type: knet.Type(t)}
}

// Multicast implements [Transport].
func (k *Knet) Multicast(now time.Duration, packet []byte) { k.message(now, 0, packet) }

// Unicast implements [Transport].
func (k *Knet) Unicast(now time.Duration, to totem.NodeID, packet []byte) {
	if to == 0 || to > 0xffff {
		k.counts.NoSuchNode++
		return
	}
	k.message(now, to, packet)
}

// message sends a packet to one host or all. Its header must name the
// destination, which only knet looks at: receivers drop what is not for them
// (exec/totemknet.c: ucast_sendmsg, mcast_sendmsg).
func (k *Knet) message(now time.Duration, to totem.NodeID, packet []byte) {
	if k.closed {
		return
	}
	if named, ok := totem.Target(packet); ok && named != to {
		k.target = append(k.target[:0], packet...)
		totem.SetTarget(k.target, to)
		packet = k.target
	}
	k.links.Send(now, uint16(to), packet, &k.tx)
	k.performQueued()
	if k.queued >= knetQueued {
		k.Flush(now)
	}
}

// Flush implements [Transport].
func (k *Knet) Flush(time.Duration) {
	if k.flushing || k.performing || k.queued == 0 {
		return
	}
	k.flushing = true
	for k.queued > 0 {
		k.queued = 0
		for _, s := range k.sockets {
			s.Flush() // may come to failed, which may send
		}
	}
	// What the kernel did not take is in the sockets' backlogs by now.
	k.tx.Reset()
	k.replies = k.replies[:0]
	k.flushing = false
}

// Tick implements [Transport].
func (k *Knet) Tick(now time.Duration) {
	if k.closed {
		return
	}
	for _, s := range k.sockets {
		s.Tick(now)
	}
	k.links.Tick(now, &k.tx)
	k.performQueued()
	k.Flush(now)
}

// Deadline implements [Transport].
func (k *Knet) Deadline() time.Duration {
	if k.closed {
		return Never
	}
	next := k.links.Deadline()
	for _, s := range k.sockets {
		next = min(next, s.Deadline())
	}
	return next
}

// Links implements [Transport].
func (k *Knet) Links() (all []LinkStatus) {
	k.links.Each(func(h link.HostID, id link.LinkID) {
		s, _ := k.links.Status(h, id)
		all = append(all, LinkStatus{
			Node: totem.NodeID(h), Link: id, Local: s.Local, Remote: s.Remote,
			Enabled: s.Enabled, Connected: s.Connected, MTU: s.MTU,
		})
	})
	return all
}

// Stats are the sockets' counters so far; for the links' own see [Knet.State].
func (k *Knet) Stats() KnetStats {
	sum := k.counts
	for _, s := range k.sockets {
		sum.add(s.Stats())
	}
	return sum
}

// Close implements [Transport].
func (k *Knet) Close() error {
	if k.closed {
		return nil
	}
	k.Flush(0)
	k.closed = true
	var errs []error
	for _, s := range k.sockets {
		k.counts.add(s.Stats())
		errs = append(errs, s.Close())
	}
	k.sockets, k.byLink = nil, [link.MaxLinks]*knetSocket{}
	return errors.Join(errs...)
}
