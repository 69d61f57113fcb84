package mesh

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// socketPrefix begins the names of our sockets: nobody can have us dial others.
const socketPrefix = "cpgol/"

// pidOf is the process at the other end of a Unix connection, who connected or
// who listens; 0 if it is of another namespace.
func pidOf(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, os.NewSyscallError("getsockopt", credErr)
	}
	return uint32(cred.Pid), nil
}

// userTimeout is after how long a connection ends whose other end is not heard: after
// the member is given up for the time being, which closes it sooner where it does.
const userTimeout = 5 * time.Second

// keepAlive has the kernel find out when the other end's node is lost.
func keepAlive(c *net.TCPConn) {
	c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: time.Second, Count: 5})
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		})
	}
}
