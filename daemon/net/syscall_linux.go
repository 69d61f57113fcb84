package net

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here never sleep (the descriptors are non-blocking and MSG_DONTWAIT
// is given too), so they go past the Go scheduler: telling it about each would
// cost more than some of them take.

func rawRead(fd int, b []byte) {
	unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
}

func rawWrite(fd int, b []byte) {
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
}

// sendMany hands datagrams to the kernel and returns how many it took. The
// error is that of the first one not taken, only when none was.
func sendMany(fd int, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(m))),
		uintptr(len(m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func sendOne(fd int, m *unix.Msghdr) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return errno
}

// receiveMany fetches what waits, at most len(m) datagrams.
func receiveMany(fd int, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(m))),
		uintptr(len(m)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// receiveError fetches one entry of the socket's error queue.
func receiveError(fd int, m *unix.Msghdr) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(m)),
		unix.MSG_DONTWAIT|unix.MSG_ERRQUEUE)
	return errno
}
