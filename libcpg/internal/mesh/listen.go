package mesh

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"slices"

	"cpgol/wire/offload"
)

// A port is a listener on one of the ring's addresses.
type port struct {
	net.Listener
	addr netip.AddrPort
}

// listenUnix listens for members of the own node.
func (m *Mesh) listenUnix() error {
	var name [16]byte
	rand.Read(name[:])
	m.endpoint.Socket = socketPrefix + hex.EncodeToString(name[:])
	var err error
	m.socket, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: "@" + m.endpoint.Socket})
	if err == nil {
		m.wg.Go(func() { m.accept(m.socket) })
	}
	return err
}

// Listen is for a node whose addresses on the ring are others now: it listens on
// those that are new, and on those that are gone no more, whose connections it
// closes. An address that is not there is left out; if none is, Listen fails, and
// only processes of this node find this one. The endpoint is another one then.
func (m *Mesh) Listen(addresses []netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return net.ErrClosed
	}
	addresses = addresses[:min(len(addresses), offload.MaxAddresses)]
	gone := m.forsake(addresses)
	var failed []error
	for _, a := range addresses {
		if slices.ContainsFunc(m.ports, func(p port) bool { return p.addr.Addr() == a }) {
			continue
		}
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			failed = append(failed, err)
			continue
		}
		number := l.Addr().(*net.TCPAddr).AddrPort().Port()
		m.ports = append(m.ports, port{l, netip.AddrPortFrom(a, number)})
		m.wg.Go(func() { m.accept(l) })
	}
	slices.SortStableFunc(m.ports, func(a, b port) int {
		return slices.Index(addresses, a.addr.Addr()) - slices.Index(addresses, b.addr.Addr())
	})
	m.endpoint.Addresses = nil // the old list is whoever's who asked for it
	for _, p := range m.ports {
		m.endpoint.Addresses = append(m.endpoint.Addresses, p.addr)
	}
	for _, p := range m.peers {
		p.leaveAddresses(gone)
	}
	if len(m.ports) == 0 {
		return errors.Join(failed...)
	}
	return nil
}

// forsake closes the ports of other addresses than these, and returns theirs.
func (m *Mesh) forsake(but []netip.Addr) (gone []netip.Addr) {
	m.ports = slices.DeleteFunc(m.ports, func(p port) bool {
		if slices.Contains(but, p.addr.Addr()) {
			return false
		}
		p.Close()
		gone = append(gone, p.addr.Addr())
		return true
	})
	return gone
}

// leaveAddresses closes connections that lie on addresses which this node has no more.
func (p *peer) leaveAddresses(gone []netip.Addr) {
	on := func(a net.Addr) bool {
		tcp, ok := a.(*net.TCPAddr)
		return ok && slices.Contains(gone, tcp.AddrPort().Addr().Unmap())
	}
	if p.out != nil && on(p.out.layer.conn.LocalAddr()) {
		p.out.layer.conn.Close()
	}
	if p.in != nil && on(p.in.conn.LocalAddr()) {
		p.in.conn.Close()
	}
}

// moved reports whether the member is reached over TCP, and no more there.
func (p *peer) moved() bool {
	if p.out == nil {
		return false
	}
	tcp, ok := p.out.layer.conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	at := tcp.AddrPort()
	return !slices.Contains(p.endpoint.Addresses, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
}

// Endpoint is what the daemon announces. The caller must not change its list.
func (m *Mesh) Endpoint() offload.Endpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoint
}
