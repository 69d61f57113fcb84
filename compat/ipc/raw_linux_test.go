package ipc_test

import (
	"io"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// rawConnect does the handshake and nothing more.
func rawConnect(t testing.TB, name string) (*net.UnixConn, shm.ConnectResponse) {
	abstract, err := shm.AbstractName(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: abstract})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write((&shm.ConnectRequest{MaxMessage: 20000}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	return c, readResponse(t, c)
}

func readResponse(t testing.TB, c *net.UnixConn) (res shm.ConnectResponse) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	buf := make([]byte, shm.ResponseLen)
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatal(err)
	}
	if _, err := res.Decode(buf); err != nil {
		t.Fatal(err)
	}
	return res
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
