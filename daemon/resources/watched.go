package resources

import (
	"fmt"
	"math"
	"strings"
	"time"

	"cpgol/daemon/cmap"
)

// firstCheck is when a resource is looked at for the first time, at the earliest:
// whoever updates it needs time to begin. It is also the period of a resource
// that has none.
const firstCheck = defaultTimeout * time.Second

// A resource is watched from when its .state appears until that is deleted.
type resource struct {
	*Watchdog
	name, path string // path ends in a dot
	period     time.Duration
	state      string // as the watchdog sees it
	recovery   string
	tracker    *cmap.Tracker
	cancel     func() // of the next check; nil if there is none
}

// watch begins to watch a resource and reports whether it can be recovered
// (wd_resource_create).
func (s *Watchdog) watch(path string) bool {
	if s.watched[path] != nil {
		return false
	}
	parts := strings.Split(path, ".")
	r := &resource{Watchdog: s, name: parts[2], path: path, period: firstCheck, state: stopped}
	s.watched[path] = r
	if p, valid, ok := period(s.m, path+"poll_period"); valid {
		r.period = p
	} else if ok {
		r.badPeriod()
	} else {
		s.m.Set(path+"poll_period", milliseconds(r.period))
	}
	r.tracker, _ = s.m.Track(path, cmap.AllEvents|cmap.Prefix, r.changed)
	if !r.recoverable() {
		return false
	}
	r.checkAfter(max(2*r.period, firstCheck))
	r.enter(running)
	return true
}

func (r *resource) badPeriod() {
	v, _ := r.m.Get(r.path + "poll_period")
	r.Log.Warn(fmt.Sprintf("Could NOT use poll_period:%v ms for resource %s", v, r.name))
}

// recoverable reads what is to be done when the resource fails.
func (r *resource) recoverable() bool {
	recovery, ok := r.m.Text(r.path + "recovery")
	if !ok {
		r.Log.Warn(fmt.Sprintf("resource %s missing a recovery key.", r.name))
		return false
	}
	r.recovery = recovery
	if _, ok := r.m.Text(r.path + "state"); !ok {
		r.Log.Warn(fmt.Sprintf("resource %s missing a state key.", r.name))
		return false
	}
	return true
}

// changed takes a change of one of the resource's keys (wd_key_changed).
func (r *resource) changed(c cmap.Change) {
	name := strings.TrimPrefix(c.Key, r.path)
	switch {
	case c.Event == cmap.Deleted && name == "state":
		r.Log.Warn(fmt.Sprintf("resource %q deleted from cmap!", r.name))
		r.rest()
		r.m.Untrack(r.tracker)
		delete(r.watched, r.path)
	case c.Event != cmap.Deleted && name != "last_updated" && name != "current":
		r.configure()
	}
}

// configure reads the settings and the state anew (wd_config_changed).
func (r *resource) configure() {
	next := r.period
	if p, valid, ok := period(r.m, r.path+"poll_period"); valid {
		next = max(p, r.period) // whoever updates it needs time to follow
		r.period = p
	} else if ok {
		r.badPeriod()
	}
	r.rest()
	if !r.recoverable() {
		r.enter(stopped)
		return
	}
	if state, _ := r.m.Text(r.path + "state"); state == stopped {
		r.enter(stopped)
		return
	}
	r.checkAfter(next)
	r.enter(running)
}

// rest ends the checks.
func (r *resource) rest() {
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
}

func (r *resource) checkAfter(d time.Duration) {
	r.cancel = r.host.After(d, r.check)
}

// check recovers the resource if it is not well (wd_resource_check_fn).
func (r *resource) check() {
	r.cancel = nil
	if r.well() {
		r.checkAfter(r.period)
		return
	}
	r.enter(failed)
	r.Log.Error(fmt.Sprintf("%s resource %q failed!", r.recovery, r.name))
	r.recover()
}

// well reports whether the resource says that it is, and not too long ago: a
// period and a half (wd_resource_state_is_ok).
func (r *resource) well() bool {
	updated, ok := r.m.U64(r.path + "last_updated")
	if !ok {
		return false
	}
	state, ok := r.m.Text(r.path + "state")
	if !ok || state == "disabled" {
		return false
	}
	if updated == 0 {
		return true // nobody has begun yet
	}
	now := uint64(r.machine.Uptime())
	allowed := uint64(r.period * 3 / 2)
	if now > updated && now-updated > allowed {
		late := time.Duration(min(now-updated-allowed, math.MaxInt64))
		r.Log.Error(fmt.Sprintf("last_updated %d ms too late, period:%d.", late.Milliseconds(), r.period.Milliseconds()))
		return false
	}
	return state != failed
}

// recover does what is to be done now that the resource has failed
// (wd_resource_failed).
func (r *resource) recover() {
	var err error
	switch r.recovery {
	case "watchdog", "quit":
		r.gaveUp = true // for good: the device resets the machine
	case "reboot":
		err = r.machine.Reboot()
	case "shutdown":
		err = r.machine.PowerOff()
	}
	if err != nil {
		r.Log.Error(fmt.Sprintf("%s for resource %q: %v", r.recovery, r.name, err))
	}
}

func (r *resource) enter(state string) {
	if r.state == state {
		return
	}
	r.Log.Info(fmt.Sprintf("%s: %s, was %s", r.name, state, r.state))
	r.state = state
}
