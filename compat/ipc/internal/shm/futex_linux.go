package shm

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Futex operations without the private flag: the other end is another process.
const (
	futexWait = 0
	futexWake = 1
)

// futexOff is where the low half of the semaphore's word lies.
var futexOff = func() int {
	one := uint64(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return 0
	}
	return 4
}()

// Wake wakes one waiter of the ring's semaphore, after a post that asked for
// it. A fault in the kernel is the waiter's loss.
func (m Memory) Wake() {
	unix.Syscall6(unix.SYS_FUTEX, m.futex(), futexWake, 1, 0, 0, 0)
}

// Sleep waits until something is posted to the ring's semaphore, at most d. It
// may return early; the caller looks again. The thread sleeps in the kernel, so
// keep d bounded. To be called within [Memory.Guard].
func (m Memory) Sleep(d time.Duration) {
	sem := m.semaphore()
	sem.enter()
	defer sem.leave()
	if sem.value() > 0 {
		return
	}
	limit := unix.NsecToTimespec(int64(d))
	unix.Syscall6(unix.SYS_FUTEX, m.futex(), futexWait, 0, uintptr(unsafe.Pointer(&limit)), 0, 0)
}

func (m Memory) futex() uintptr {
	return uintptr(unsafe.Pointer(&m.Head[semAt+futexOff]))
}
