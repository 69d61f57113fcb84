package node

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// notify tells systemd a state such as "READY=1", if it asked to be told
// (sd_notify(3)). It never waits: systemd's queue may be full, and then the same
// is told again a little later.
func (n *Node) notify(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if errors.Is(tell(name, state), unix.EAGAIN) {
		n.timers.after(n.Now()+100*time.Millisecond, func() { n.notify(state) })
	}
}

// tell sends one datagram to a Unix socket; a name with an @ in front is abstract.
func tell(name, state string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte(state), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: name})
}

// keepAlive tells systemd twice in each of its watchdog's periods that the loop
// turns, if it watches this process (sd_watchdog_enabled(3)). The reference never
// does; a unit that sets WatchdogSec would have it killed.
func (n *Node) keepAlive() {
	period, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || period < 2 || period > int64(24*time.Hour/time.Microsecond) || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return
	}
	n.notify("WATCHDOG=1")
	n.timers.after(n.Now()+time.Duration(period)*time.Microsecond/2, n.keepAlive)
}
