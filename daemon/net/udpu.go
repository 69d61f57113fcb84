package net

import (
	"fmt"
	"net/netip"
)

// A UDPUConfig sets up udpu.
type UDPUConfig struct {
	PlainConfig
	// BlockUnlisted drops packets from addresses that are no member's, whatever
	// their port (block_unlisted_ips).
	BlockUnlisted bool
}

// UDPU is Totem over unicast datagrams: what is for everyone goes to each member
// in turn (exec/totemudpu.c). Unlike the reference, which sends from an
// ephemeral port to each member and to itself, all leaves from the one socket
// that it also receives on, and nothing goes to this node.
type UDPU struct {
	plain
	block bool
	known map[netip.Addr]struct{}
	last  netip.Addr // the address that was found in known last
}

var _ Transport = (*UDPU)(nil)

// NewUDPU starts the transport. If the local address is not there yet it is
// waited for; an address that is there and cannot be bound is an error.
func NewUDPU(p *Poller, cfg UDPUConfig) (*UDPU, error) {
	t := &UDPU{block: cfg.BlockUnlisted}
	t.open, t.send = t.bind, t.sendRun
	if err := t.start(p, cfg.PlainConfig); err != nil {
		return nil, fmt.Errorf("udpu: %w", err)
	}
	t.SetMembers(cfg.Members)
	return t, nil
}

// SetMembers replaces the configured nodes, from the next packet on.
func (t *UDPU) SetMembers(members []Member) {
	t.plain.SetMembers(members)
	t.known = make(map[netip.Addr]struct{}, len(members))
	for _, m := range members {
		t.known[m.Addr.Addr().WithZone("")] = struct{}{}
	}
	t.last = netip.Addr{}
}

// Reconfigure is that of [UDP], and whether to drop packets from elsewhere.
func (t *UDPU) Reconfigure(cfg UDPUConfig) error {
	if err := t.plain.Reconfigure(cfg.PlainConfig); err != nil {
		return fmt.Errorf("udpu: %w", err)
	}
	t.SetMembers(cfg.Members)
	t.block = cfg.BlockUnlisted
	return nil
}

func (t *UDPU) bind(on iface) ([]*Socket, error) {
	return openAll(t.poller, SocketConfig{
		Bind: t.cfg.Local, Scope: scopeOf(t.cfg.Local.Addr(), on), Buffer: udpuBuffer,
		Options: UDPUOptions(), Clock: t.cfg.Clock, Datagram: t.receive,
	})
}

func (t *UDPU) receive(from netip.AddrPort, packet []byte) {
	if t.block && !t.listed(from.Addr()) {
		t.counts.Blocked++
		if t.cfg.Refused != nil {
			t.cfg.Refused(from)
		}
		return
	}
	t.cfg.Receive(packet)
}

func (t *UDPU) listed(a netip.Addr) bool {
	if a == t.last {
		return true
	}
	if _, ok := t.known[a]; !ok {
		return false
	}
	t.last = a
	return true
}

// sendRun sends the whole run to one member before the next one's turn.
func (t *UDPU) sendRun(r run) {
	s, packets := t.sockets[0], t.out.packets(r)
	if r.to.IsValid() {
		s.Send(r.to, packets, r.segment, 0)
		return
	}
	for i := range t.others {
		s.Send(t.others[i].Addr, packets, r.segment, 0)
	}
}
