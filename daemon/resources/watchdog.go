package resources

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
)

// A Watchdog is the watchdog service.
type Watchdog struct {
	Log *slog.Logger // subsystem WD; set before Start

	host    service.Host
	m       *cmap.Map
	machine Machine

	watched map[string]*resource // by path
	timeout uint32               // of the device, in seconds
	dog     Dog                  // nil if there is none
	gaveUp  bool                 // a resource failed whose recovery is the device's
	cancel  func()               // of the next tickle
}

var _ service.Service = (*Watchdog)(nil)

// NewWatchdog makes the service, which does nothing before Start.
func NewWatchdog(host service.Host, m *cmap.Map, machine Machine) *Watchdog {
	return &Watchdog{Log: slog.New(slog.DiscardHandler), host: host, m: m, machine: machine,
		watched: make(map[string]*resource)}
}

// ID is service.Wd.
func (s *Watchdog) ID() service.ID { return service.Wd }

// Name is "wd".
func (s *Watchdog) Name() string { return "wd" }

// Requests and Messages are none.
func (s *Watchdog) Requests() []service.Request { return nil }
func (s *Watchdog) Messages() []service.Message { return nil }

// Connected and Closed are never called: there is nothing to connect to.
func (s *Watchdog) Connected(service.Conn) {}
func (s *Watchdog) Closed(service.Conn)    {}

// Keys of the device, its timeout's bounds, and what it is if nothing is said.
const (
	deviceKey      = "resources.watchdog_device"
	timeoutKey     = "resources.watchdog_timeout"
	defaultTimeout = 6
	leastTimeout   = 2
	mostTimeout    = 120
)

// Start opens the device if one is configured, and looks at the resources there
// are and at each that comes (wd_exec_init_fn).
func (s *Watchdog) Start() {
	s.firstTimeout()
	s.openDog()
	s.tickle()
	found := 0
	for key := range s.m.All("resources.") {
		if path, ok := resourcePath(key); ok && s.watch(path) {
			found++
		}
	}
	if found == 0 {
		s.Log.Info("no resources configured.")
	}
	created := func(c cmap.Change) {
		if path, ok := resourcePath(c.Key); ok {
			s.watch(path)
		}
	}
	s.m.Track("resources.process.", cmap.Added|cmap.Prefix, created)
	s.m.Track("resources.system.", cmap.Added|cmap.Prefix, created)
	s.m.Track(timeoutKey, cmap.Modified, s.timeoutChanged)
}

// Leaving lets go of the device: the daemon ends in good order (wd_exec_exit_fn).
func (s *Watchdog) Leaving() {
	if s.dog != nil {
		s.Log.Info("magically closing the watchdog.")
		s.dog.Close()
		s.dog = nil
	}
}

// resourcePath is the path, with its last dot, of the resource whose .state a key
// is.
func resourcePath(key string) (path string, ok bool) {
	path, ok = strings.CutSuffix(key, "state")
	parts := strings.Split(path, ".")
	if !ok || len(parts) != 4 || parts[0] != "resources" || parts[1] == "" || parts[2] == "" || parts[3] != "" {
		return "", false
	}
	return path, true
}

// firstTimeout reads the device's timeout (watchdog_timeout_get_initial).
func (s *Watchdog) firstTimeout() {
	s.timeout = defaultTimeout
	t, ok := s.m.U32(timeoutKey)
	switch {
	case ok && t >= leastTimeout && t <= mostTimeout:
		s.timeout = t
		return
	case ok:
		s.Log.Warn("Set watchdog_timeout is out of range (2..120).")
		s.Log.Info(fmt.Sprintf("use default value %d seconds.", defaultTimeout))
	}
	s.m.Set(timeoutKey, cmap.U32(s.timeout))
}

// openDog opens the device that is configured (setup_watchdog).
func (s *Watchdog) openDog() {
	device, ok := s.m.Text(deviceKey)
	switch {
	case !ok:
		s.Log.Warn("Watchdog not enabled by configuration")
		return
	case device == "" || device == "off":
		s.Log.Warn("Watchdog disabled by configuration")
		return
	}
	dog, err := s.machine.OpenDog(device)
	if err != nil {
		s.Log.Warn(fmt.Sprintf("No watchdog %s, try modprobe <a watchdog>: %v", device, err))
		return
	}
	s.dog = dog
	s.Log.Info(fmt.Sprintf("Watchdog %s (%s) is now being tickled by cpgold.", device, dog.Name()))
	s.setTimeout(s.timeout)
}

// timeoutChanged takes another timeout from an administrator
// (wd_top_level_key_changed).
func (s *Watchdog) timeoutChanged(cmap.Change) {
	t, ok := s.m.U32(timeoutKey)
	if t == s.timeout && ok {
		return
	}
	if !ok || t < leastTimeout || t > mostTimeout {
		s.Log.Warn("Set watchdog_timeout is out of range (2..120).")
	} else {
		s.setTimeout(t)
		s.tickle() // before the next one was due by the old timeout
	}
	s.m.Set(timeoutKey, cmap.U32(s.timeout))
}

// setTimeout has the device take a timeout (watchdog_timeout_apply).
func (s *Watchdog) setTimeout(t uint32) {
	if s.dog == nil {
		s.timeout = t
		return
	}
	got, err := s.dog.SetTimeout(t)
	if err != nil || got != t {
		s.Log.Warn(fmt.Sprintf("Could not change the Watchdog timeout from %d to %d seconds", s.timeout, t))
	}
	if got > 0 { // what is in force must be kept up with, whatever was asked for
		s.timeout = got
	}
	s.Log.Debug(fmt.Sprintf("The Watchdog timeout is %d seconds", s.timeout))
}

// tickle keeps the device from resetting the machine, now and in half its
// timeout (wd_tickle_fn).
func (s *Watchdog) tickle() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	if s.gaveUp {
		s.Log.Error("NOT tickling the watchdog!")
		return
	}
	if s.dog == nil {
		return
	}
	if err := s.dog.Tickle(); err != nil {
		s.Log.Error(fmt.Sprintf("can't tickle the watchdog: %v", err))
	}
	s.cancel = s.host.After(time.Duration(s.timeout)*time.Second/2, s.tickle)
}
