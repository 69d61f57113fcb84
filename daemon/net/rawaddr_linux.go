package net

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A rawAddr is a socket address as the kernel reads and writes it, of either
// family; the IPv6 one is the longer.
type rawAddr unix.RawSockaddrInet6

func (r *rawAddr) inet4() *unix.RawSockaddrInet4 {
	return (*unix.RawSockaddrInet4)(unsafe.Pointer(r))
}

// put writes to and returns the length. scope fills in what an address needs
// that means nothing without an interface.
func (r *rawAddr) put(to netip.AddrPort, scope uint32) uint32 {
	a := to.Addr()
	if a.Is4() {
		r4 := r.inet4()
		*r4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.As4()}
		r4.Port = networkOrder(to.Port())
		return unix.SizeofSockaddrInet4
	}
	*r = rawAddr{Family: unix.AF_INET6, Addr: a.As16(), Port: networkOrder(to.Port())}
	if needsScope(a) {
		r.Scope_id = scope
	}
	return unix.SizeofSockaddrInet6
}

// addr is the inverse of put but for the scope, which is dropped: peers are
// told apart by address alone (knet.md 2.5). The zero value means "unknown".
func (r *rawAddr) addr() netip.AddrPort {
	switch r.Family {
	case unix.AF_INET:
		r4 := r.inet4()
		return netip.AddrPortFrom(netip.AddrFrom4(r4.Addr), networkOrder(r4.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(r.Addr), networkOrder(r.Port))
	}
	return netip.AddrPort{}
}

// networkOrder swaps a port between the host's order and the network's; it is
// its own inverse.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
