package node

import (
	"log/slog"
	"unsafe"

	"golang.org/x/sys/unix"
)

const schedRR = 2

// realTime gives the calling thread, which must be locked to the loop,
// round-robin scheduling at the highest priority, and keeps the process's pages
// in memory (exec/main.c:corosync_setscheduler, corosync_mlockall). Pages are
// locked as they are touched: the runtime reserves far more than it uses. A
// refusal is told and otherwise ignored, as in the C daemon.
func realTime(log *slog.Logger, rr bool) {
	if rr {
		param := struct{ priority int32 }{99}
		if _, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, schedRR, uintptr(unsafe.Pointer(&param))); errno != 0 {
			log.Warn("could not set SCHED_RR: " + errno.Error())
			unix.Setpriority(unix.PRIO_PROCESS, 0, -20)
		}
	}
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn("could not lock memory of service to avoid page faults: " + err.Error())
	}
}
