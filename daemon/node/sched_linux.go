package node

import (
	"log/slog"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	schedRR    = 2
	maxRR      = 99
	mostUrgent = -20 // nice value
)

// realTime gives the process round-robin scheduling at the highest priority and
// keeps its pages in memory (exec/main.c:corosync_setscheduler,
// corosync_mlockall). All its threads get it, and threads made later inherit it:
// when the runtime collects garbage the loop waits for the collector's threads,
// and it must not wait for them behind whoever else wants the processor.
//
// Pages are locked as they are touched: the runtime reserves far more than it
// uses. A refusal is told and otherwise ignored, as in the C daemon.
func realTime(log *slog.Logger, rr bool) {
	if rr {
		if err := setThreads(); err != nil {
			log.Warn("could not set SCHED_RR: " + err.Error())
			unix.Setpriority(unix.PRIO_PROCESS, 0, mostUrgent)
		}
	}
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn("could not lock memory of service to avoid page faults: " + err.Error())
	}
}

// setThreads sets the scheduling of every thread there is. One that starts
// meanwhile is started by one of them; a second pass finds it if it was started
// by one whose turn had not come.
func setThreads() error {
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			param := struct{ priority int32 }{maxRR}
			_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), schedRR, uintptr(unsafe.Pointer(&param)))
			if errno != 0 && errno != unix.ESRCH {
				return errno
			}
		}
	}
	return nil
}
