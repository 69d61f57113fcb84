package net

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A SendError tells of a datagram that did not reach its destination, as far as
// this host came to know.
type SendError struct {
	To    netip.AddrPort
	Errno unix.Errno
	// Refused is set when the network said so (ICMP, with one of the errors that
	// mean "not there"; knet.md 3.8), unset when this host's kernel would not
	// send it.
	Refused bool
	// MTU is, with EMSGSIZE, the largest IP packet that the kernel would send
	// there; 0 if it did not say.
	MTU int
	// Tag is what was given to Send, 0 if that is not known.
	Tag uint32
}

// errorQueueBatch bounds the entries read at one time; more keep the descriptor
// ready.
const errorQueueBatch = 64

// An errorReader has the memory for reading a socket's error queue. The
// datagram's own bytes, which the kernel would return too, are not asked for.
type errorReader struct {
	header  unix.Msghdr
	control [256]byte // aligned for a Cmsghdr by what is before it
	name    rawAddr
}

func newErrorReader() *errorReader {
	r := new(errorReader)
	r.header.Name = (*byte)(unsafe.Pointer(&r.name))
	r.header.Control = &r.control[0]
	return r
}

// next reads one entry. ok is false when there is none; e is what it says, with
// a zero Errno if it is of no interest.
func (r *errorReader) next(fd int) (e SendError, icmp, ok bool) {
	r.header.Namelen = uint32(unsafe.Sizeof(r.name))
	r.header.SetControllen(len(r.control))
	r.name.Family = unix.AF_UNSPEC
	for {
		errno := receiveError(fd, &r.header)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return e, false, false
		}
		break
	}
	ee, found := r.extended()
	if !found {
		return e, false, true
	}
	e.To = r.name.addr() // the original destination
	switch ee.Origin {
	case unix.SO_EE_ORIGIN_LOCAL:
		e.Errno = unix.Errno(ee.Errno)
		if e.Errno == unix.EMSGSIZE {
			e.MTU = int(ee.Info)
		}
	case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6:
		icmp = true
		if meansGone(unix.Errno(ee.Errno)) {
			e.Errno, e.Refused = unix.Errno(ee.Errno), true
		}
	}
	return e, icmp, true
}

// extended finds the struct sock_extended_err among the control messages.
func (r *errorReader) extended() (*unix.SockExtendedErr, bool) {
	b := r.control[:min(int(r.header.Controllen), len(r.control))]
	for len(b) >= unix.SizeofCmsghdr {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(c.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			break
		}
		isError := c.Level == unix.IPPROTO_IP && c.Type == unix.IP_RECVERR ||
			c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_RECVERR
		if isError && size >= unix.CmsgLen(int(unsafe.Sizeof(unix.SockExtendedErr{}))) {
			return (*unix.SockExtendedErr)(unsafe.Pointer(&b[unix.CmsgLen(0)])), true
		}
		b = b[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(b)):]
	}
	return nil, false
}

// meansGone lists the errors by which the network says that a destination is
// not there (transport_udp.c: read_errs_from_sock).
func meansGone(e unix.Errno) bool {
	switch e {
	case unix.ECONNREFUSED, unix.ECONNABORTED, unix.ENONET, unix.ENETUNREACH,
		unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENETDOWN:
		return true
	}
	return false
}
