package net

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pollBatch is how many ready descriptors one [Poller.Wait] takes. More stay
// ready for the next call.
const pollBatch = 64

// A Poller waits for many descriptors and one deadline together: the one place
// where the daemon's loop sleeps. It is level triggered, so a ready function
// may leave work for the next turn.
//
// Add, Modify, Remove, Wait and Close belong to the loop's goroutine; ready
// functions run inside Wait and may call all of them but Wait. Only Wake is
// safe from other goroutines.
type Poller struct {
	epoll int
	// watches is indexed by descriptor; descriptors are small numbers.
	watches []watch
	// generations counts registrations, so that an event fetched for a
	// descriptor that was removed since is told from its successor's.
	generations uint32
	events      [pollBatch]unix.EpollEvent
	timeout     unix.Timespec
	coarse      bool // the kernel has no epoll_pwait2: milliseconds only
	short       int  // waits in a row that were short

	mu     sync.Mutex // guards event against Close; taken once per wake-up
	event  int        // eventfd, -1 once closed
	awake  atomic.Bool
	closed bool
}

// A watch is one registered descriptor; ready is nil for a free slot.
type watch struct {
	ready      func(events uint32)
	generation uint32
	interest   uint32
	last       bool // see AddLast
}

// NewPoller makes a poller without descriptors.
func NewPoller() (*Poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	p := &Poller{epoll: epoll, event: event}
	if err := p.Add(event, unix.EPOLLIN, func(uint32) { p.slept() }); err != nil {
		unix.Close(epoll)
		unix.Close(event)
		return nil, err
	}
	return p, nil
}

// Add watches fd for events (EPOLLIN, EPOLLOUT, ...; EPOLLERR and EPOLLHUP
// always). ready is called from Wait with what happened, as long as it is so.
// The descriptor stays the caller's: call Remove before closing it, because a
// descriptor closed while a duplicate is open would go on reporting.
func (p *Poller) Add(fd int, events uint32, ready func(events uint32)) error {
	if fd < 0 || ready == nil {
		return fmt.Errorf("poller: add descriptor %d: %w", fd, unix.EINVAL)
	}
	p.generations++
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(p.generations)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("poller: add descriptor %d: %w", fd, os.NewSyscallError("epoll_ctl", err))
	}
	for fd >= len(p.watches) {
		p.watches = append(p.watches, watch{})
	}
	p.watches[fd] = watch{ready: ready, generation: p.generations, interest: events}
	return nil
}

// AddLast is Add for a descriptor whose turn is after all others that are ready
// at the same time: a network's socket, so that what local programs ask for
// leaves with the token that has just come and need not wait until it has been
// round the ring.
func (p *Poller) AddLast(fd int, events uint32, ready func(events uint32)) error {
	err := p.Add(fd, events, ready)
	if err == nil {
		p.watches[fd].last = true
	}
	return err
}

// Modify changes what a watched descriptor is watched for. It takes effect at
// once, also for events that this turn has fetched already.
func (p *Poller) Modify(fd int, events uint32) error {
	w := p.watch(fd)
	if w == nil {
		return fmt.Errorf("poller: modify descriptor %d: %w", fd, unix.ENOENT)
	}
	if w.interest == events {
		return nil
	}
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(w.generation)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &ev); err != nil {
		return fmt.Errorf("poller: modify descriptor %d: %w", fd, os.NewSyscallError("epoll_ctl", err))
	}
	w.interest = events
	return nil
}

// Remove forgets a descriptor. Its ready function is not called again, not even
// for events that this turn has fetched already.
func (p *Poller) Remove(fd int) error {
	w := p.watch(fd)
	if w == nil {
		return fmt.Errorf("poller: remove descriptor %d: %w", fd, unix.ENOENT)
	}
	*w = watch{}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("poller: remove descriptor %d: %w", fd, os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}

func (p *Poller) watch(fd int) *watch {
	if fd < 0 || fd >= len(p.watches) || p.watches[fd].ready == nil {
		return nil
	}
	return &p.watches[fd]
}

// Wait sleeps until a descriptor is ready, Wake was called or timeout has
// passed (negative: never), calls the ready functions of what is ready, and
// returns. It may return early (a signal) with nothing done. A timeout below
// the kernel's resolution is rounded up, so that a deadline has passed when
// Wait has slept it out.
func (p *Poller) Wait(timeout time.Duration) error {
	n, errno := p.poll(timeout)
	if errno == unix.EINTR {
		return nil
	}
	if errno != 0 {
		return os.NewSyscallError("epoll_wait", errno)
	}
	p.dispatch(n, false)
	p.dispatch(n, true)
	return nil
}

// dispatch calls the ready functions of the first n events, those of AddLast or
// the others.
func (p *Poller) dispatch(n int, last bool) {
	for i := 0; i < n && !p.closed; i++ {
		ev := &p.events[i]
		w := p.watch(int(ev.Fd))
		if w == nil || w.generation != uint32(ev.Pad) {
			continue // removed by another ready function of this turn
		}
		if w.last != last {
			continue
		}
		events := ev.Events & (w.interest | unix.EPOLLERR | unix.EPOLLHUP)
		if events != 0 {
			w.ready(events)
		}
	}
}

// patience is how long the wait of a loop at work goes on before the Go
// scheduler is told of it. A ring at work is seldom silent for longer, and telling
// costs more than the call: the scheduler's watchdog takes the processor away from
// whoever sleeps, and looks every 20 µs for somebody who does. A loop at rest
// tells it at once, so as not to wake twice for one event.
const (
	patience = 500 * time.Microsecond
	busyFrom = 16 // short waits in a row: more than an idle ring's token and pings cause
)

// poll waits; a loop at work for the first moment without the Go scheduler.
func (p *Poller) poll(timeout time.Duration) (int, unix.Errno) {
	if timeout == 0 || p.short >= busyFrom {
		first := timeout
		if timeout < 0 || timeout > patience {
			first = patience
		}
		n, errno := p.pollFine(unix.RawSyscall6, first)
		if n > 0 || errno != 0 || first == timeout {
			return n, errno
		}
		if timeout > 0 {
			timeout -= first
		}
		p.short = 0
	}
	begin := time.Now()
	n, errno := p.pollFine(unix.Syscall6, timeout)
	if p.short++; time.Since(begin) > patience {
		p.short = 0
	}
	return n, errno
}

// A syscall6 is a system call with or without the scheduler's knowledge.
type syscall6 func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

// pollFine waits with the kernel's clock, if it can.
func (p *Poller) pollFine(call syscall6, timeout time.Duration) (int, unix.Errno) {
	if p.coarse {
		return p.pollCoarse(call, timeout)
	}
	var until unsafe.Pointer
	if timeout >= 0 {
		p.timeout = unix.NsecToTimespec(int64(timeout))
		until = unsafe.Pointer(&p.timeout)
	}
	n, _, errno := call(unix.SYS_EPOLL_PWAIT2, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.events)), pollBatch, uintptr(until), 0, 0)
	if errno == unix.ENOSYS || errno == unix.EPERM { // EPERM: a container's filter
		p.coarse = true
		return p.pollCoarse(call, timeout)
	}
	return int(n), errno
}

// pollCoarse is for kernels before 5.11.
func (p *Poller) pollCoarse(call syscall6, timeout time.Duration) (int, unix.Errno) {
	n, _, errno := call(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.events)), pollBatch, uintptr(milliseconds(timeout)), 0, 0)
	return int(n), errno
}

// milliseconds rounds up, keeps "forever" and never exceeds the C int.
func milliseconds(d time.Duration) int {
	const most = 1<<31 - 1
	if d < 0 {
		return -1
	}
	if d > most*time.Millisecond {
		return most
	}
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

// anyCount is what a wake-up adds to the eventfd: anything but 0.
var anyCount = [8]byte{1}

// Wake makes the present or the next Wait return. Many calls before that count
// as one. What the caller wrote before Wake is visible to the loop when Wait
// has returned. After Close it does nothing.
func (p *Poller) Wake() {
	if p.awake.Swap(true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.event >= 0 {
		rawWrite(p.event, anyCount[:]) // fails only when the counter is full: awake anyway
	}
}

// slept takes the wake-up back. The flag falls after the read: a Wake in
// between is served by this very turn, and the next one writes again.
func (p *Poller) slept() {
	var count [8]byte
	rawRead(p.event, count[:])
	p.awake.Store(false)
}

// Close forgets every descriptor, closing none but its own. A ready function
// may call it; no other runs after that.
func (p *Poller) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	clear(p.watches)
	p.mu.Lock()
	defer p.mu.Unlock()
	unix.Close(p.event)
	p.event = -1
	return os.NewSyscallError("close", unix.Close(p.epoll))
}
