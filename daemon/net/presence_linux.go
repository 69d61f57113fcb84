package net

import (
	"errors"
	stdnet "net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// stockScope is what the reference puts into every IPv6 socket address
// (totemip.c: totemip_totemip_to_sockaddr_convert), for a link-local address
// whose interface is not known.
const stockScope = 2

// An iface is the interface that has a local address; the zero value is none.
type iface struct {
	name  string
	index uint32
}

// interfaceOf finds the interface that has the address. It asks the kernel for
// all of them, so it is for when sockets are opened.
func interfaceOf(a netip.Addr) iface {
	all, err := stdnet.Interfaces()
	if err != nil {
		return iface{}
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || a.Zone() != "" && a.Zone() != i.Name {
			continue
		}
		for _, got := range addrs {
			prefix, err := netip.ParsePrefix(got.String())
			if err == nil && prefix.Addr() == a.WithZone("") {
				return iface{name: i.Name, index: uint32(i.Index)}
			}
		}
	}
	return iface{}
}

// scopeOf is the scope for link-local addresses on a socket bound to a.
func scopeOf(a netip.Addr, i iface) uint32 {
	if !needsScope(a) {
		return 0
	}
	if i.index == 0 {
		return stockScope
	}
	return i.index
}

// present reports whether this host has the address, usable, and the interface
// is still the one it was found on (an interface made anew under the same name
// has lost the multicast groups). It costs a few system calls.
func present(a netip.Addr, i iface) bool {
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true // out of descriptors says nothing about the address
	}
	defer unix.Close(fd)
	if i.name != "" {
		ifr, err := unix.NewIfreq(i.name)
		if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr) != nil || ifr.Uint32() != i.index {
			return false
		}
	}
	err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(a, 0), scopeOf(a, i)))
	return !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV)
}

// A presence follows whether the local address is there, looking every so often
// (exec/totemudpu.c: timer_function_netif_check_timeout).
type presence struct {
	addr  netip.Addr
	every time.Duration
	next  time.Duration
	on    iface // where it was last found
	up    bool
}

// check looks if it is time to, and reports whether the sockets must be closed
// and, if the address is there, opened.
func (p *presence) check(now time.Duration) (lost, found bool) {
	if now < p.next {
		return false, false
	}
	p.next = now + p.every
	if p.up && present(p.addr, p.on) {
		return false, false
	}
	lost = p.up
	p.up = false
	p.on = iface{}
	if needsScope(p.addr) {
		p.on = interfaceOf(p.addr)
	}
	if !present(p.addr, p.on) {
		return lost, false
	}
	if p.on == (iface{}) {
		p.on = interfaceOf(p.addr)
	}
	return lost, true
}
