package resources

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
)

// A Monitor is the resource monitoring service.
type Monitor struct {
	Log *slog.Logger // subsystem MON; set before Start

	host    service.Host
	m       *cmap.Map
	machine Machine
	gauges  []*gauge
}

var _ service.Service = (*Monitor)(nil)

// NewMonitor makes the service, which does nothing before Start.
func NewMonitor(host service.Host, m *cmap.Map, machine Machine) *Monitor {
	return &Monitor{Log: slog.New(slog.DiscardHandler), host: host, m: m, machine: machine}
}

// ID is service.Mon.
func (s *Monitor) ID() service.ID { return service.Mon }

// Name is "mon".
func (s *Monitor) Name() string { return "mon" }

// Requests and Messages are none.
func (s *Monitor) Requests() []service.Request { return nil }
func (s *Monitor) Messages() []service.Message { return nil }

// Connected and Closed are never called: there is nothing to connect to.
func (s *Monitor) Connected(service.Conn) {}
func (s *Monitor) Closed(service.Conn)    {}

// defaultPeriod is how often a gauge is read.
const defaultPeriod = 3 * time.Second

// A gauge is one resource of the machine.
type gauge struct {
	*Monitor
	name, path string // path ends in a dot
	zero       cmap.Value
	read       func() (cmap.Value, float64, error)

	period time.Duration
	state  string
	max    float64
	cancel func() // of the next reading; nil if there is none
}

// Start publishes the resources and begins to read those that have a .max
// (mon_exec_init_fn).
func (s *Monitor) Start() {
	s.add("memory_used", cmap.I32(0), func() (cmap.Value, float64, error) {
		n, err := s.machine.MemoryUsed()
		return cmap.U32(n), float64(n), err
	})
	s.add("load_15min", cmap.F64(0), func() (cmap.Value, float64, error) {
		load, err := s.machine.Load()
		return cmap.F64(load), load, err
	})
}

func (s *Monitor) add(name string, zero cmap.Value, read func() (cmap.Value, float64, error)) {
	g := &gauge{Monitor: s, name: name, path: "resources.system." + name + ".", zero: zero, read: read,
		period: defaultPeriod, state: stopped}
	s.gauges = append(s.gauges, g)
	g.set("current", zero)
	g.set("last_updated", cmap.U64(0))
	g.set("state", cmap.String(stopped))
	if _, ok := s.m.Get(g.path + "poll_period"); !ok {
		g.set("poll_period", milliseconds(g.period))
	}
	g.configure()
	s.m.Track(g.path, cmap.AllEvents|cmap.Prefix, g.changed)
}

func (g *gauge) set(name string, v cmap.Value) { g.m.Set(g.path+name, v) }

// changed takes a change of one of the gauge's keys (mon_key_changed_cb).
func (g *gauge) changed(c cmap.Change) {
	name := strings.TrimPrefix(c.Key, g.path)
	if name != "max" && name != "poll_period" {
		return
	}
	if c.Event == cmap.Deleted {
		g.Log.Warn(fmt.Sprintf("resource %q deleted from cmap!", g.name))
		if name == "max" { // it can still be read while its deletion is told
			g.rest()
			g.enter(stopped)
			return
		}
	}
	g.configure()
}

// configure reads the settings, and the gauge if it has a bound
// (mon_config_changed).
func (g *gauge) configure() {
	if p, valid, ok := period(g.m, g.path+"poll_period"); valid {
		g.period = p
	} else if ok {
		v, _ := g.m.Get(g.path + "poll_period")
		g.Log.Warn(fmt.Sprintf("Could NOT use poll_period:%v ms for resource %s", v, g.name))
	}
	g.rest()
	if max, ok := g.bound(); ok {
		g.max = max
		g.enter(running)
		g.update()
	} else {
		g.enter(stopped)
	}
}

// rest ends the readings.
func (g *gauge) rest() {
	if g.cancel != nil {
		g.cancel()
		g.cancel = nil
	}
}

// bound reads .max: text, as the configuration gives it, or a number.
func (g *gauge) bound() (max float64, ok bool) {
	v, ok := g.m.Get(g.path + "max")
	if !ok {
		return 0, false
	}
	text := v.Text()
	if v.Type() != cmap.TypeString {
		text = v.String()
	}
	max, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(max) {
		g.Log.Warn(fmt.Sprintf("Could NOT use max:%v for resource %s", v, g.name))
		return 0, false
	}
	return max, true
}

// update reads the gauge, now and in a period's time (mem_update_stats_fn,
// load_update_stats_fn).
func (g *gauge) update() {
	g.cancel = g.host.After(g.period, g.update)
	v, level, err := g.read()
	if err != nil {
		g.Log.Error(fmt.Sprintf("Unable to get %s: %v", g.name, err))
		return
	}
	if level <= 0 {
		return
	}
	g.set("current", v)
	g.set("last_updated", cmap.U64(uint64(g.machine.Uptime())))
	if level > g.max && g.state == running {
		g.enter(failed)
	}
}

func (g *gauge) enter(state string) {
	if g.state == state {
		return
	}
	g.Log.Info(fmt.Sprintf("%s: %s, was %s", g.name, state, g.state))
	g.state = state
	g.set("state", cmap.String(state))
}
