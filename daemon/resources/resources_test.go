package resources

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
)

// A world is a host and a machine in virtual time.
type world struct {
	service.Host // what is not used is nil
	now          time.Duration
	timers       map[int]timer
	last         int
	memory       uint32
	load         float64
	broken       error
	did          []string
	timeout      uint32 // of the device; 0: it can't be set
	log          bytes.Buffer
}

type timer struct {
	at time.Duration
	f  func()
}

func (w *world) After(d time.Duration, f func()) (cancel func()) {
	w.last++
	id := w.last
	w.timers[id] = timer{w.now + d, f}
	return func() { delete(w.timers, id) }
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now + d; ; {
		next, at := 0, end+1
		for _, id := range slices.Sorted(maps.Keys(w.timers)) {
			if w.timers[id].at < at {
				next, at = id, w.timers[id].at
			}
		}
		if next == 0 {
			w.now = end
			return
		}
		f := w.timers[next].f
		delete(w.timers, next)
		w.now = at
		f()
	}
}

const booted = 3 * time.Hour // before the daemon started

func (w *world) Uptime() time.Duration       { return booted + w.now }
func (w *world) MemoryUsed() (uint32, error) { return w.memory, w.broken }
func (w *world) Load() (float64, error)      { return w.load, w.broken }
func (w *world) Reboot() error               { return w.note("reboot") }
func (w *world) PowerOff() error             { return w.note("power off") }

func (w *world) note(format string, args ...any) error {
	w.did = append(w.did, fmt.Sprintf("%v ", w.now)+fmt.Sprintf(format, args...))
	return nil
}

func (w *world) OpenDog(device string) (Dog, error) {
	if device != "/dev/watchdog" {
		return nil, errors.New("no such device")
	}
	w.note("open")
	return (*kennel)(w), nil
}

type kennel world

func (k *kennel) Name() string  { return "dog" }
func (k *kennel) Tickle() error { return (*world)(k).note("tickle") }
func (k *kennel) Close() error  { return (*world)(k).note("close") }
func (k *kennel) SetTimeout(s uint32) (uint32, error) {
	if k.timeout > 0 {
		return k.timeout, errors.New("untrained")
	}
	return s, (*world)(k).note("timeout %d", s)
}

// start makes a world with both services.
func start(keys map[string]cmap.Value) (*world, *cmap.Map, *Watchdog) {
	return startIn(&world{}, keys)
}

func startIn(w *world, keys map[string]cmap.Value) (*world, *cmap.Map, *Watchdog) {
	w.timers = make(map[int]timer)
	m := cmap.NewMap()
	for k, v := range keys {
		m.Set(k, v)
	}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	mon, wd := NewMonitor(w, m, w), NewWatchdog(w, m, w)
	mon.Log, wd.Log = log, log
	mon.Start()
	wd.Start()
	return w, m, wd
}

func dump(m *cmap.Map, prefix string) (all []string) {
	for k, v := range m.All(prefix) {
		all = append(all, fmt.Sprintf("%s %d %v", strings.TrimPrefix(k, prefix), v.Type(), v))
	}
	return all
}

// TestKeys: what stock 3.1.7 has after its start without any configuration.
func TestKeys(t *testing.T) {
	w, m, _ := start(nil)
	want := []string{
		`system.load_15min.current 10 0`,
		`system.load_15min.last_updated 8 0`,
		`system.load_15min.poll_period 8 3000`,
		`system.load_15min.state 11 "stopped"`,
		`system.memory_used.current 5 0`,
		`system.memory_used.last_updated 8 0`,
		`system.memory_used.poll_period 8 3000`,
		`system.memory_used.state 11 "stopped"`,
		`watchdog_timeout 6 6`,
	}
	if d := cmp.Diff(want, dump(m, "resources.")); d != "" {
		t.Error(d)
	}
	w.run(time.Hour)
	if d := cmp.Diff(want, dump(m, "resources.")); d != "" {
		t.Error("an hour later:", d)
	}
	for _, line := range []string{"Watchdog not enabled by configuration", "resource load_15min missing a recovery key",
		"resource memory_used missing a recovery key", "no resources configured"} {
		if !strings.Contains(w.log.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, &w.log)
		}
	}
	if len(w.timers) != 0 {
		t.Errorf("%d timers without anything to do", len(w.timers))
	}
}

const memory = "resources.system.memory_used."

func TestMonitor(t *testing.T) {
	w, m, _ := start(map[string]cmap.Value{memory + "max": cmap.String("80"), memory + "poll_period": cmap.U64(1000)})
	expect := func(when string, current cmap.Value, updated time.Duration, state string) {
		t.Helper()
		got := map[string]cmap.Value{}
		for _, k := range []string{"current", "last_updated", "state"} {
			got[k], _ = m.Get(memory + k)
		}
		stamp := cmap.U64(0)
		if updated >= 0 {
			stamp = cmap.U64(uint64(booted + updated))
		}
		want := map[string]cmap.Value{"current": current, "last_updated": stamp, "state": cmap.String(state)}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b cmap.Value) bool { return a == b })); d != "" {
			t.Errorf("%s: %s", when, d)
		}
	}
	expect("nothing read yet", cmap.I32(0), -1, running)
	w.memory = 70
	w.run(time.Second)
	expect("below", cmap.U32(70), time.Second, running)
	w.memory = 80
	w.run(time.Second)
	expect("at the bound", cmap.U32(80), 2*time.Second, running)
	w.memory = 81
	w.run(time.Second)
	expect("above", cmap.U32(81), 3*time.Second, failed)
	w.memory = 10
	w.run(time.Second)
	expect("failed until someone looks after it", cmap.U32(10), 4*time.Second, failed)
	m.Set(memory+"poll_period", cmap.String("2000"))
	expect("settings changed", cmap.U32(10), 4*time.Second, running)
	w.memory = 11
	w.run(1999 * time.Millisecond)
	expect("before the next reading", cmap.U32(10), 4*time.Second, running)
	w.broken = errors.New("no /proc")
	w.run(time.Second)
	expect("it could not be read", cmap.U32(10), 4*time.Second, running)
	w.broken = nil
	m.Set(memory+"max", cmap.String("x"))
	expect("nonsense for a bound", cmap.U32(10), 4*time.Second, stopped)
	m.Set(memory+"max", cmap.U32(5))
	expect("a number for a bound", cmap.U32(11), w.now, failed)
	m.Delete(memory + "max")
	expect("no bound", cmap.U32(11), w.now, stopped)
	m.Set(memory+"poll_period", cmap.U64(5))
	if w.run(time.Hour); len(w.timers) != 0 {
		t.Errorf("%d timers of stopped resources", len(w.timers))
	}
}

const process = "resources.process.1-app."

// app is what libsam writes for a process (lib/sam.c:sam_cmap_register).
func app(recovery string) map[string]cmap.Value {
	return map[string]cmap.Value{
		process + "recovery": cmap.String(recovery), process + "poll_period": cmap.U64(1000),
		process + "last_updated": cmap.U64(0), process + "state": cmap.String("stopped"),
	}
}

func TestRecovery(t *testing.T) {
	for recovery, want := range map[string][]string{
		"reboot": {"25s reboot"}, "shutdown": {"25s power off"}, "none": nil,
	} {
		t.Run(recovery, func(t *testing.T) {
			w, m, _ := start(nil)
			keys := app(recovery)
			for _, k := range slices.Sorted(maps.Keys(keys)) {
				m.Set(k, keys[k])
			}
			w.run(10 * time.Second)
			m.Set(process+"state", cmap.String("running"))
			for range 14 { // well for fourteen seconds
				m.Set(process+"last_updated", cmap.U64(uint64(w.Uptime())))
				w.run(time.Second)
			}
			w.run(time.Minute)
			if d := cmp.Diff(want, w.did); d != "" {
				t.Errorf("%s\n%s", d, &w.log)
			}
		})
	}
}

// TestWatched: what ends and what begins the checks.
func TestWatched(t *testing.T) {
	w, m, _ := start(app("reboot"))
	w.run(time.Minute)
	m.Set(process+"state", cmap.String("running"))
	m.Delete(process + "state")
	if w.run(time.Minute); len(w.timers)+len(w.did) != 0 {
		t.Errorf("checks of what is deleted: %v", w.did)
	}
	m.Set(process+"state", cmap.String("running"))
	m.Set(process+"last_updated", cmap.U64(1<<64-1)) // a clock far ahead
	w.run(time.Minute)
	m.Set(process+"state", cmap.String("stopped"))
	m.Set(process+"last_updated", cmap.U64(1))
	if w.run(time.Minute); len(w.did) != 0 {
		t.Errorf("a stopped resource: %v", w.did)
	}
	at := w.now
	m.Set(process+"poll_period", cmap.U64(10_000))
	m.Set(process+"state", cmap.String("failed"))
	w.run(time.Minute)
	if d := cmp.Diff([]string{fmt.Sprint(at+10*time.Second, " reboot")}, w.did); d != "" {
		t.Error("a resource that says it failed:", d)
	}
}

func TestDog(t *testing.T) {
	keys := app("watchdog")
	keys[deviceKey] = cmap.String("/dev/watchdog")
	keys[timeoutKey] = cmap.U32(10)
	w, m, wd := start(keys)
	w.run(11 * time.Second)
	m.Set(timeoutKey, cmap.U32(4))
	w.run(3 * time.Second)
	m.Set(timeoutKey, cmap.U32(1))
	m.Set(process+"last_updated", cmap.U64(uint64(w.Uptime())))
	m.Set(process+"state", cmap.String("failed")) // at 14 s; looked at a second later
	w.run(time.Minute)
	wd.Leaving()
	wd.Leaving()
	want := []string{"0s open", "0s timeout 10", "0s tickle", "5s tickle", "10s tickle", "11s timeout 4", "11s tickle", "13s tickle",
		"15s tickle", "1m14s close"}
	if d := cmp.Diff(want, w.did); d != "" {
		t.Errorf("%s\n%s", d, &w.log)
	}
	if v, _ := m.Get(timeoutKey); v != cmap.U32(4) {
		t.Errorf("timeout %v", v)
	}
	w, m, _ = startIn(&world{timeout: 60}, map[string]cmap.Value{deviceKey: cmap.String("/dev/watchdog")})
	if w.run(time.Minute); len(w.did) != 4 {
		t.Errorf("a dog that keeps its 60 s: %v", w.did)
	}
	for _, device := range []string{"", "off", "/dev/none"} {
		w, _, _ := start(map[string]cmap.Value{deviceKey: cmap.String(device)})
		if w.run(time.Minute); len(w.did) != 0 {
			t.Errorf("%q: %v", device, w.did)
		}
	}
}
