package ipc_test

import (
	"io"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// rawConnect does the handshake and nothing more.
func rawConnect(name string) (*net.UnixConn, shm.ConnectResponse, error) {
	abstract, err := shm.AbstractName(name)
	if err != nil {
		return nil, shm.ConnectResponse{}, err
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: abstract})
	if err != nil {
		return nil, shm.ConnectResponse{}, err
	}
	if _, err = c.Write((&shm.ConnectRequest{MaxMessage: 20000}).Append(nil)); err != nil {
		return c, shm.ConnectResponse{}, err
	}
	res, err := readResponse(c)
	return c, res, err
}

func readResponse(c *net.UnixConn) (res shm.ConnectResponse, err error) {
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	buf := make([]byte, shm.ResponseLen)
	if _, err := io.ReadFull(c, buf); err != nil {
		return res, err
	}
	_, err = res.Decode(buf)
	return res, err
}

// connectRaw connects to a name that fills sun_path without taking another
// descriptor.
func connectRaw(fd int, sa *unix.RawSockaddrUnix) error {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), unsafe.Sizeof(*sa))
	if errno != 0 {
		return errno
	}
	return nil
}

func word(b []byte, at int) *uint32 { return (*uint32)(unsafe.Pointer(&b[at])) }
