package shm

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// ErrFault says that mapped memory was not there: somebody cut the file short,
// or the file system ran full under a hole.
var ErrFault = errors.New("memory fault")

// Guard runs access, which touches m, and turns a fault within m into
// ErrFault. A mapping longer than its file raises SIGBUS, which would end the
// process; the reference traps it at disconnect only
// (qb_ipcs_shm_disconnect). Looking at the file's size first would not help: it
// may be cut between the look and the access. Any other panic passes.
func (m Memory) Guard(access func() error) (err error) {
	defer m.recoverFault(debug.SetPanicOnFault(true), &err)
	return access()
}

func (m Memory) recoverFault(old bool, err *error) {
	debug.SetPanicOnFault(old)
	p := recover()
	if p == nil {
		return
	}
	fault, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || !m.holds(fault.Addr()) {
		panic(p)
	}
	*err = fmt.Errorf("at %#x: %w", fault.Addr(), ErrFault)
}

func (m Memory) holds(addr uintptr) bool { return within(m.Head, addr) || within(m.Data, addr) }

func within(b []byte, addr uintptr) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return addr >= start && addr-start < uintptr(len(b))
}
