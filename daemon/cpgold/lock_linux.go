package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lockFile is the C daemon's own, so that only one of the two runs on a host
// (exec/main.c:corosync_flock).
const lockFile = "/var/run/corosync.pid"

type lock struct{ f *os.File }

// errRunning is in the error of takeLock if somebody holds the lock.
var errRunning = errors.New("another corosync or cpgold is running on this host")

// takeLock makes this the one daemon of the host.
func takeLock() (lock, error) {
	f, err := os.OpenFile(lockFile, os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return lock{}, fmt.Errorf("can't create lock file: %w", err)
	}
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l); err != nil {
		f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return lock{}, fmt.Errorf("%w: %s is locked", errRunning, lockFile)
		}
		return lock{}, fmt.Errorf("can't lock %s: %w", lockFile, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		lock{f}.release()
		return lock{}, fmt.Errorf("can't write lock file: %w", err)
	}
	return lock{f}, nil
}

// release removes the file while the lock is held, so that nobody else's is
// removed.
func (l lock) release() {
	os.Remove(lockFile)
	l.f.Close()
}

// lockStatus is the exit status for an error of takeLock.
func lockStatus(err error) int {
	if errors.Is(err, errRunning) {
		return exitRunning
	}
	return exitLock
}
