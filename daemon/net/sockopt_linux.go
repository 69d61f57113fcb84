package net

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// Socket buffers of the reference's transports.
const (
	knetBuffer = 8 << 20     // transport_common.c: KNET_RING_RCVBUFF
	udpBuffer  = 16 * 65536  // totemudp.c: 16 frames
	udpuBuffer = 16 * 136192 // totemudpu.c: 16 of its largest datagram
	priority   = 6           // SO_PRIORITY "interactive", the highest without privilege
	lowDelay   = 0x10        // IPTOS_LOWDELAY
)

// An Option is one socket option, set before the socket is bound.
type Option struct {
	name       string
	level, opt int
	value      int
	bytes      []byte // instead of value
	optional   bool   // an old kernel or an unprivileged process does without
}

func (o Option) set(c *socket.Conn) error {
	var err error
	if o.bytes != nil {
		err = c.SetsockoptBytes(o.level, o.opt, o.bytes)
	} else {
		err = c.SetsockoptInt(o.level, o.opt, o.value)
	}
	if err != nil && !o.optional {
		return fmt.Errorf("set %s: %w", o.name, err)
	}
	return nil
}

// KnetOptions are those of a knet link's socket (knet.md 3.2;
// transport_common.c: _configure_transport_socket).
func KnetOptions(local netip.Addr) []Option {
	o := []Option{
		{name: "SO_PRIORITY", level: unix.SOL_SOCKET, opt: unix.SO_PRIORITY, value: priority},
		// IPPROTO_IP for both families, as the reference does; an IPv6 socket takes it and ignores it.
		{name: "IP_TOS", level: unix.IPPROTO_IP, opt: unix.IP_TOS, value: lowDelay, optional: local.Is6()},
		{name: "IP_FREEBIND", level: unix.IPPROTO_IP, opt: unix.IP_FREEBIND, value: 1},
	}
	if local.Is6() {
		return append(o,
			Option{name: "IPV6_MTU_DISCOVER", level: unix.IPPROTO_IPV6, opt: unix.IPV6_MTU_DISCOVER, value: unix.IPV6_PMTUDISC_PROBE},
			Option{name: "IPV6_DONTFRAG", level: unix.IPPROTO_IPV6, opt: unix.IPV6_DONTFRAG, value: 1},
			Option{name: "IPV6_RECVERR", level: unix.IPPROTO_IPV6, opt: unix.IPV6_RECVERR, value: 1},
		)
	}
	return append(o,
		Option{name: "IP_MTU_DISCOVER", level: unix.IPPROTO_IP, opt: unix.IP_MTU_DISCOVER, value: unix.IP_PMTUDISC_PROBE},
		Option{name: "IP_RECVERR", level: unix.IPPROTO_IP, opt: unix.IP_RECVERR, value: 1},
	)
}

// UDPUOptions are those of udpu's socket (totem.md 5.2;
// totemudpu.c: totemudpu_build_sockets_ip).
func UDPUOptions() []Option {
	return []Option{{name: "SO_PRIORITY", level: unix.SOL_SOCKET, opt: unix.SO_PRIORITY, value: priority}}
}

// UDPOptions are those that udp's three sockets share (totem.md 5.1;
// totemudp.c: totemudp_build_sockets_ip).
func UDPOptions(broadcast bool) []Option {
	o := []Option{
		{name: "SO_REUSEADDR", level: unix.SOL_SOCKET, opt: unix.SO_REUSEADDR, value: 1},
		{name: "SO_PRIORITY", level: unix.SOL_SOCKET, opt: unix.SO_PRIORITY, value: priority},
	}
	if broadcast {
		o = append(o, Option{name: "SO_BROADCAST", level: unix.SOL_SOCKET, opt: unix.SO_BROADCAST, value: 1})
	}
	return o
}

// MulticastSendOptions make a socket's multicasts leave by the interface that
// has local, ttl hops far, and not come back to this host.
func MulticastSendOptions(local netip.Addr, index uint32, ttl uint8) []Option {
	if local.Is6() {
		return []Option{
			{name: "IPV6_MULTICAST_IF", level: unix.IPPROTO_IPV6, opt: unix.IPV6_MULTICAST_IF, value: int(index)},
			{name: "IPV6_MULTICAST_LOOP", level: unix.IPPROTO_IPV6, opt: unix.IPV6_MULTICAST_LOOP, value: 0},
			{name: "IPV6_MULTICAST_HOPS", level: unix.IPPROTO_IPV6, opt: unix.IPV6_MULTICAST_HOPS, value: int(ttl)},
		}
	}
	return []Option{
		{name: "IP_MULTICAST_IF", level: unix.IPPROTO_IP, opt: unix.IP_MULTICAST_IF, bytes: local.AsSlice()},
		{name: "IP_MULTICAST_LOOP", level: unix.IPPROTO_IP, opt: unix.IP_MULTICAST_LOOP, value: 0},
		{name: "IP_MULTICAST_TTL", level: unix.IPPROTO_IP, opt: unix.IP_MULTICAST_TTL, value: int(ttl)},
	}
}

// MembershipOptions join a group on the interface that has local.
func MembershipOptions(group, local netip.Addr, index uint32) []Option {
	if group.Is6() {
		mreq := binary.NativeEndian.AppendUint32(group.AsSlice(), index) // struct ipv6_mreq
		return []Option{{name: "IPV6_JOIN_GROUP", level: unix.IPPROTO_IPV6, opt: unix.IPV6_JOIN_GROUP, bytes: mreq}}
	}
	mreq := append(group.AsSlice(), local.AsSlice()...) // struct ip_mreq
	return []Option{{name: "IP_ADD_MEMBERSHIP", level: unix.IPPROTO_IP, opt: unix.IP_ADD_MEMBERSHIP, bytes: mreq}}
}

// open makes a bound UDP socket with the options and returns its descriptor,
// which is the caller's alone. It also tells whether the kernel knows
// segmentation offload.
func open(bind netip.AddrPort, scope uint32, buffer int, options []Option) (fd int, segments bool, err error) {
	family := unix.AF_INET
	if bind.Addr().Is6() {
		family = unix.AF_INET6
	}
	c, err := socket.Socket(family, unix.SOCK_DGRAM, unix.IPPROTO_UDP, "udp", nil)
	if err != nil {
		return -1, false, err
	}
	defer c.Close()
	if err := configure(c, bind, scope, buffer, options); err != nil {
		return -1, false, err
	}
	// Optional both: without them every datagram is a message of its own.
	_, errSegment := c.GetsockoptInt(unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	_ = c.SetsockoptInt(unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	fd, err = detach(c)
	return fd, errSegment == nil, err
}

func configure(c *socket.Conn, bind netip.AddrPort, scope uint32, buffer int, options []Option) error {
	// The FORCE variants first, the capped ones without privilege. The
	// reference's limit is a wish: less only means earlier loss.
	if err := c.SetReadBuffer(buffer); err != nil {
		return fmt.Errorf("set receive buffer: %w", err)
	}
	if err := c.SetWriteBuffer(buffer); err != nil {
		return fmt.Errorf("set send buffer: %w", err)
	}
	if bind.Addr().Is6() {
		// Before bind, or an IPv4 socket on the same port would clash.
		if err := c.SetsockoptInt(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return fmt.Errorf("set IPV6_V6ONLY: %w", err)
		}
	}
	for _, o := range options {
		if err := o.set(c); err != nil {
			return err
		}
	}
	return c.Bind(sockaddr(bind, scope))
}

// detach takes the descriptor away from the Go runtime's own poller, which
// would otherwise wake a thread for every datagram that our poller reports.
func detach(c *socket.Conn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	dup, dupErr := -1, error(nil)
	if err := raw.Control(func(fd uintptr) {
		dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	return dup, os.NewSyscallError("fcntl", dupErr)
}

func sockaddr(a netip.AddrPort, scope uint32) unix.Sockaddr {
	if a.Addr().Is6() {
		sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
		if needsScope(a.Addr()) {
			sa.ZoneId = scope
		}
		return sa
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

// needsScope tells the addresses that mean nothing without an interface.
func needsScope(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast()
}
