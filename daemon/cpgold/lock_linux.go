package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lockFile is the C daemon's own, so that only one of the two runs on a host
// (exec/main.c:corosync_flock).
const lockFile = "/var/run/corosync.pid"

type lock struct{ f *os.File }

// takeLock makes this the one daemon of the host.
func takeLock() (lock, error) {
	f, err := os.OpenFile(lockFile, os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return lock{}, fmt.Errorf("can't create lock file: %w", err)
	}
	l := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &l); err != nil {
		f.Close()
		return lock{}, fmt.Errorf("another corosync or cpgold is running on this host (%s is locked)", lockFile)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err != nil {
		f.Close()
		return lock{}, fmt.Errorf("can't write lock file: %w", err)
	}
	return lock{f}, nil
}

func (l lock) release() {
	os.Remove(lockFile)
	l.f.Close()
}
