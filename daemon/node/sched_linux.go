package node

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"cpgol/compat/conf"
)

const (
	schedRR    = 2
	maxRR      = 99
	mostUrgent = -20 // nice value
)

// urgent makes the process one that need not wait for others, as the system
// section says, and keeps its pages in memory (exec/main.c:main). Every failure is
// told and otherwise ignored.
//
// The reference moves itself to the root of the control groups if it may not have
// real-time scheduling where it is, which is so in kernels that ration it by group
// (RT_GROUP_SCHED), and, if that does not help either, takes the best nice value.
func urgent(log *slog.Logger, s conf.System) {
	if s.RootCgroup == "yes" {
		moveToRootCgroup(log)
	}
	nice := s.Priority
	if s.Realtime {
		err := setRealTime()
		if err != nil && s.RootCgroup == "auto" {
			moveToRootCgroup(log)
			err = setRealTime()
		}
		nice = 0
		if err != nil {
			log.Warn(failed(fmt.Sprintf("Could not set SCHED_RR at priority %d", maxRR), err))
			nice = mostUrgent
		}
	}
	if nice != 0 {
		if err := setNice(nice); err != nil {
			log.Warn(failed(fmt.Sprintf("Could not set priority %d", nice), err))
		}
	}
	lockMemory(log)
}

// lockMemory keeps pages in memory (exec/main.c:corosync_mlockall), as they are
// touched: the runtime reserves far more than it uses. Without an unlimited amount
// it locks none, because every later mapping would count and fail.
func lockMemory(log *slog.Logger) {
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil {
		log.Warn(failed("Could not increase RLIMIT_MEMLOCK, not locking memory", err))
		return
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn(failed("Could not lock memory of service to avoid page faults", err))
	}
}

// setRealTime gives every thread round-robin scheduling at the highest priority;
// threads made later inherit it. When the runtime collects garbage the loop waits
// for the collector's threads, and it must not wait for them behind whoever else
// wants the processor.
func setRealTime() error {
	return eachThread(func(tid int) error {
		param := struct{ priority int32 }{maxRR}
		_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), schedRR, uintptr(unsafe.Pointer(&param)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// setNice gives every thread a nice value. The reference's reaches all processes
// of its process group, which in a terminal are not only its own.
func setNice(value int) error {
	return eachThread(func(tid int) error { return unix.Setpriority(unix.PRIO_PROCESS, tid, value) })
}

// eachThread calls f for every thread there is. One that starts meanwhile is
// started by one of them; a second pass finds it if it was started by one whose
// turn had not come.
func eachThread(f func(tid int) error) error {
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
			if err := f(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// Control groups where systemd mounts them: the second version's root, and the
// first version's with what tells that it rations real time.
const (
	cgroupRT    = "/sys/fs/cgroup/cpu/cpu.rt_runtime_us"
	cgroupTasks = "/sys/fs/cgroup/cpu/tasks"
	cgroupProcs = "/sys/fs/cgroup/cgroup.procs"
)

// moveToRootCgroup leaves the control group that the service manager gave
// (exec/main.c:corosync_move_to_root_cgroup). The first version's list takes
// threads, the second's processes.
func moveToRootCgroup(log *slog.Logger) {
	var err error
	switch {
	case exists(cgroupRT):
		log.Debug("Moving main pid to cgroup v1 root cgroup")
		err = eachThread(func(tid int) error { return enroll(cgroupTasks, tid) })
	case exists(cgroupProcs):
		log.Debug("Moving main pid to cgroup v2 root cgroup")
		err = enroll(cgroupProcs, os.Getpid())
	default:
		log.Debug("cpu.rt_runtime_us or cgroup.procs doesn't exist -> system without cgroup or with disabled CONFIG_RT_GROUP_SCHED")
	}
	if err != nil {
		log.Warn(failed("Can't write corosync pid into cgroups tasks file", err))
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func enroll(file string, id int) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(id) + "\n")
	return errors.Join(err, f.Close())
}

// failed words a system's refusal as the reference does (LOGSYS_PERROR).
func failed(what string, err error) string {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		text := errno.Error()
		return fmt.Sprintf("%s: %s%s (%d)", what, strings.ToUpper(text[:1]), text[1:], int(errno))
	}
	return what + ": " + err.Error()
}
