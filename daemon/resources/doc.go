// Package resources is the monitoring and the watchdog service, which share the
// keys resources.{system,process}.NAME.*:
//
//	/proc --> Monitor --> .current .last_updated .state       (memory_used, load_15min)
//	libsam's clients --------------^
//	                          .state .last_updated .recovery --> Watchdog --> recovery
//	                                                                     `--> watchdog device
//
// A [Monitor] writes how much memory and load the machine has, and whether that
// is more than .max allows. A [Watchdog] looks at every resource that has a
// .state and a .recovery: one that says "failed", or has not been updated for one
// and a half poll periods, is recovered: the machine reboots, powers off, or is
// no longer kept from its hardware watchdog's reset. Neither says anything to
// other nodes or has requests; both are pure but for the [Machine] that they are
// given.
//
// Three things differ from the reference on purpose, as its own intent fails
// there: a poll_period that is a number counts (it reads only text, which the
// configuration cannot give); changing it later counts for the watchdog too (it
// reads the wrong key); and a resource without .max is stopped (it stays
// "running", is not updated any more, and is recovered for that).
//
// Reference: exec/mon.c, exec/wd.c.
package resources

import (
	"strconv"
	"time"

	"cpgol/daemon/cmap"
)

// A Machine is what the services see of the host and do to it.
type Machine interface {
	// Uptime is the machine's monotonic clock, which last_updated has in
	// nanoseconds (cs_timestamp_get), written by libsam's clients too.
	Uptime() time.Duration
	// MemoryUsed is the share of memory and swap that is in use, in percent.
	MemoryUsed() (percent uint32, err error)
	// Load is the load average of 15 minutes.
	Load() (float64, error)
	// Reboot and PowerOff do so at once, without leaving the ring in good order.
	Reboot() error
	PowerOff() error
	// OpenDog opens a watchdog device, which resets the machine unless it is
	// tickled from then on.
	OpenDog(device string) (Dog, error)
}

// A Dog is an open watchdog device.
type Dog interface {
	Name() string
	Tickle() error
	// SetTimeout asks for a timeout in whole seconds and returns the one in force.
	SetTimeout(seconds uint32) (uint32, error)
	// Close tells the device not to reset the machine any more.
	Close() error
}

// States of a resource.
const (
	running = "running"
	failed  = "failed"
	stopped = "stopped"
)

// Bounds of poll periods.
const (
	leastPeriod = 500 * time.Millisecond
	mostPeriod  = 120 * time.Second
)

// period reads a poll_period: milliseconds, a number or its text. ok is false if
// there is none, valid if there is one that counts.
func period(m *cmap.Map, key string) (p time.Duration, valid, ok bool) {
	v, ok := m.Get(key)
	if !ok {
		return 0, false, false
	}
	n := v.Uint()
	if v.Type() == cmap.TypeString {
		var err error
		if n, err = strconv.ParseUint(v.Text(), 10, 64); err != nil {
			return 0, false, true
		}
	}
	if n < uint64(leastPeriod.Milliseconds()) || n > uint64(mostPeriod.Milliseconds()) {
		return 0, false, true
	}
	return time.Duration(n) * time.Millisecond, true, true
}

func milliseconds(d time.Duration) cmap.Value { return cmap.U64(uint64(d.Milliseconds())) }
