package net

import (
	"fmt"
	"net/netip"
	"slices"
)

// A UDPConfig sets up udp.
type UDPConfig struct {
	PlainConfig
	// Group is the multicast address; its port is Local's. Ignored with Broadcast.
	Group     netip.Addr
	Broadcast bool
	// TTL is how many hops multicasts may go; 0 means 1.
	TTL uint8
}

// UDP is Totem over multicast, or limited broadcast, with tokens unicast
// (exec/totemudp.c). All that leaves has the port before Local's as its source;
// tokens and multicasts arrive at Local's port, on sockets of their own.
type UDP struct {
	plain
	group     netip.AddrPort
	broadcast bool
	ttl       uint8
	multicast *Socket
}

var _ Transport = (*UDP)(nil)

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// NewUDP starts the transport. If the local address is not there yet it is
// waited for; an address that is there and cannot be bound is an error.
func NewUDP(p *Poller, cfg UDPConfig) (*UDP, error) {
	to := cfg.Group
	if cfg.Broadcast {
		to = limitedBroadcast
	}
	if to.Is4() != cfg.Local.Addr().Is4() || !cfg.Broadcast && !to.IsMulticast() {
		return nil, fmt.Errorf("udp: %v is no multicast address of the same family as %v", to, cfg.Local)
	}
	if cfg.Local.Port() < 2 {
		return nil, fmt.Errorf("udp: port %d: the one before it is needed too", cfg.Local.Port())
	}
	t := &UDP{
		group:     netip.AddrPortFrom(to.WithZone(""), cfg.Local.Port()),
		broadcast: cfg.Broadcast,
		ttl:       max(cfg.TTL, 1),
	}
	t.open, t.send = t.bind, t.sendRun
	if err := t.start(p, cfg.PlainConfig); err != nil {
		return nil, fmt.Errorf("udp: %w", err)
	}
	return t, nil
}

// bind opens the socket to send from (the first), that for tokens and that
// for multicasts.
func (t *UDP) bind(on iface) ([]*Socket, error) {
	local := t.cfg.Local.Addr()
	base := SocketConfig{
		Bind: t.cfg.Local, Scope: scopeOf(local, on), Buffer: udpBuffer,
		Options: UDPOptions(t.broadcast), Clock: t.cfg.Clock,
	}
	if needsScope(t.group.Addr()) && base.Scope == 0 {
		base.Scope = on.index
	}
	send, token, multicast := base, base, base
	send.Bind = netip.AddrPortFrom(local, t.cfg.Local.Port()-1)
	multicast.Bind = t.group
	multicast.Datagram = t.receive
	if !t.broadcast {
		send.Options = slices.Concat(base.Options, MulticastSendOptions(local, on.index, t.ttl))
		multicast.Options = slices.Concat(base.Options, MembershipOptions(t.group.Addr(), local, on.index))
	}
	// A token tells what was multicast before it: whatever of that has arrived
	// is taken first, or it would be asked for again (totemudp.c: totemudp_recv_flush).
	token.Datagram = t.receive
	token.Before = t.drain
	token.inbox = newInbox(tokenSlots)
	sockets, err := openAll(t.poller, send, token, multicast)
	if err != nil {
		return nil, err
	}
	t.multicast = sockets[2]
	return sockets, nil
}

func (t *UDP) drain() { t.multicast.Drain() }

// receive drops what this node sent itself: a broadcast comes back.
func (t *UDP) receive(from netip.AddrPort, packet []byte) {
	if from.Addr() == t.cfg.Local.Addr() {
		t.counts.Own++
		return
	}
	t.cfg.Receive(packet)
}

func (t *UDP) sendRun(r run) {
	to := r.to
	if !to.IsValid() {
		to = t.group
	}
	t.sockets[0].Send(to, t.out.packets(r), r.segment, 0)
}
