// Package dgram is the datagram sockets of libqb's socket transport: bound and
// connected by abstract names, never blocking, without an allocation for a
// message.
//
//	B-request   server   <-->   B-response  client    requests in, answers out
//	B-event-tx  server    -->   B-event     client    events
//
// Abstract names are open to everybody in the network namespace. The kernel
// keeps strangers from a socket that is connected (net/unix/af_unix.c:
// unix_may_send), but what came before the connect stays; so a receiver learns
// who sent each datagram, by name and by credentials.
//
// Reference: libqb lib/ipc_socket.c.
package dgram

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Name is an address in the abstract namespace. Names are comparable.
type Name struct{ sa unix.RawSockaddrUnix }

// MakeName is the name that both ends make of base and suffix: a NUL, the two
// with a hyphen between them, and NULs up to the whole of sun_path
// (set_sock_addr, QB_SUN_LEN). Where the reference cuts a name that is too
// long, so that all sockets of a connection would get the same, this is an
// error. libqb takes names for abstract on every host if they begin with a
// slash.
func MakeName(base, suffix string) (n Name, err error) {
	if len(base) == 0 || base[0] != '/' || len(base)+1+len(suffix) > len(n.sa.Path)-2 {
		return n, fmt.Errorf("socket name %s-%s: %w", base, suffix, unix.ENAMETOOLONG)
	}
	n.sa.Family = unix.AF_UNIX
	copy(n.path()[1:], base+"-"+suffix)
	return n, nil
}

// path is the whole of sun_path, whose elements have a sign on some machines.
func (n *Name) path() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&n.sa.Path)), len(n.sa.Path))
}

// Credentials are a datagram's sender's, as the kernel attached them.
type Credentials = unix.Ucred

// A Socket is one end. It belongs to one goroutine at a time.
type Socket struct {
	fd  int
	hdr unix.Msghdr
	iov [2]unix.Iovec

	from  Name // of the last datagram received
	creds bool // asked for
	// There is room for credentials, which the kernel puts first, and for
	// nothing else: descriptors that come along are not installed.
	oob [unix.SizeofCmsghdr + (unix.SizeofUcred+7)&^7]byte
}

// Open makes a socket without a name.
func Open() (*Socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &Socket{fd: fd}, nil
}

// Adopt is a Socket for a descriptor that stays the caller's.
func Adopt(fd int) *Socket { return &Socket{fd: fd} }

// FD is the socket's descriptor.
func (s *Socket) FD() int { return s.fd }

// Bind gives the socket its name. A name has one socket at a time.
func (s *Socket) Bind(n *Name) error {
	return os.NewSyscallError("bind", s.address(unix.SYS_BIND, n))
}

// Connect makes the socket of that name the one to send to, and the only one
// from which datagrams are taken from now on.
func (s *Socket) Connect(n *Name) error {
	return os.NewSyscallError("connect", s.address(unix.SYS_CONNECT, n))
}

// address does a call that takes a name: x/sys/unix refuses names that fill
// sun_path.
func (s *Socket) address(call uintptr, n *Name) error {
	_, _, errno := unix.Syscall(call, uintptr(s.fd), uintptr(unsafe.Pointer(&n.sa)), unsafe.Sizeof(n.sa))
	if errno != 0 {
		return errno
	}
	return nil
}

// PassCredentials has the kernel attach the sender's credentials to what comes
// from now on. The sender needs no such setting.
func (s *Socket) PassCredentials() error {
	s.creds = true
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
}

// Reserve makes room for messages of up to max bytes and says how long they may
// be: less, if the system's limit (net.core.wmem_max) is lower and the process
// may not go beyond it. The reference asks within the limit and finds out when
// a send fails (set_sock_size).
func (s *Socket) Reserve(max int) (limit int, err error) {
	const overhead = 32 // unix_dgram_sendmsg: more than sk_sndbuf - 32 is EMSGSIZE
	size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err == nil && size <= max+overhead {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, max) != nil {
			err = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, max)
		}
		if err == nil {
			size, err = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
		}
	}
	if err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	return min(max, size-overhead), nil
}

// Send sends head followed by body as one datagram. EAGAIN says that there is
// no room now.
func (s *Socket) Send(head, body []byte) error {
	s.iov = [2]unix.Iovec{}
	s.hdr = unix.Msghdr{Iov: &s.iov[0]}
	s.hdr.SetIovlen(2)
	point(&s.iov[0], head)
	point(&s.iov[1], body)
	for {
		_, _, errno := unix.Syscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdr)), unix.MSG_NOSIGNAL)
		switch errno {
		case 0:
			s.iov = [2]unix.Iovec{}
			return nil
		case unix.EINTR:
		case unix.ENOBUFS, unix.ENOMEM: // of the moment, as a rule
			return unix.EAGAIN
		default:
			return errno
		}
	}
}

// Full reports whether err says to try again later.
func Full(err error) bool { return errors.Is(err, unix.EAGAIN) }

// Recv moves the oldest datagram into buf, and as much of it as there is room
// for. whole says that this was all.
func (s *Socket) Recv(buf []byte) (n int, whole bool, err error) {
	s.iov = [2]unix.Iovec{}
	point(&s.iov[0], buf)
	s.hdr = unix.Msghdr{
		Name:    (*byte)(unsafe.Pointer(&s.from)),
		Namelen: uint32(unsafe.Sizeof(s.from)),
		Iov:     &s.iov[0],
	}
	s.from = Name{}
	s.hdr.SetIovlen(1)
	if s.creds {
		s.hdr.Control = &s.oob[0]
		s.hdr.SetControllen(len(s.oob))
	}
	for {
		got, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdr)), unix.MSG_CMSG_CLOEXEC)
		switch errno {
		case 0:
			s.iov = [2]unix.Iovec{}
			return int(got), s.hdr.Flags&unix.MSG_TRUNC == 0, nil
		case unix.EINTR:
		default:
			return 0, false, errno
		}
	}
}

func point(v *unix.Iovec, b []byte) {
	v.Base = unsafe.SliceData(b)
	v.SetLen(len(b))
}

// From is the name of the last datagram's sender, all zero if it has none.
func (s *Socket) From() *Name { return &s.from }

// Credentials are the last datagram's sender's, if they were asked for.
func (s *Socket) Credentials() (cred Credentials, ok bool) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&s.oob[0]))
	if int(s.hdr.Controllen) < unix.SizeofCmsghdr+unix.SizeofUcred ||
		h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_CREDENTIALS {
		return cred, false
	}
	return *(*Credentials)(unsafe.Pointer(&s.oob[unix.SizeofCmsghdr])), true
}

// CloseRead lets nothing more in. What is there can still be received.
func (s *Socket) CloseRead() { unix.Shutdown(s.fd, unix.SHUT_RD) }

// Close gives the descriptor back.
func (s *Socket) Close() { unix.Close(s.fd) }
