package cmap

import (
	"slices"
	"strings"
	"time"

	"cpgol/compat/abi"
)

// Stats is the map of statistics: keys below "stats." whose values are found
// out when they are asked for. The node has it.
type Stats interface {
	// Each calls fn for every key that begins with prefix, in any order.
	Each(prefix string, fn func(key string, v Value))
	// Get returns a key's present value.
	Get(key string) (v Value, ok bool)
	// Clear sets to zero what "knet", "ipc", "totem" or "schedmiss" names.
	Clear(what string)
}

type noStats struct{}

func (noStats) Each(string, func(string, Value)) {}
func (noStats) Get(string) (Value, bool)         { return Value{}, false }
func (noStats) Clear(string)                     {}

// statClear begins the keys that clients may write, whatever the value, to set
// statistics to zero; no key of that name can be read.
const statClear = "stats.clear."

var statKinds = []string{"knet", "ipc", "totem", "schedmiss"}

// setStat clears statistics (stats_map_set).
func (s *Service) setStat(key string) abi.Status {
	what, ok := strings.CutPrefix(key, statClear)
	if !ok {
		return abi.Access
	}
	st := abi.NotSupported
	for _, kind := range statKinds {
		if strings.HasPrefix(what, kind) || strings.HasPrefix(what, "all") {
			s.stats.Clear(kind)
			st = abi.OK
		}
	}
	return st
}

// refuseStat is what deleting and adjusting come to.
func refuseStat(key string) abi.Status {
	if strings.HasPrefix(key, statClear) {
		return abi.NotSupported
	}
	return abi.Access
}

// A statIterator walks the keys that were there when it was made.
type statIterator struct {
	keys   []string
	values map[string]Value
	held   int // keys at first
}

func (s *Service) iterateStats(prefix string) *statIterator {
	it := &statIterator{values: make(map[string]Value)}
	s.stats.Each(prefix, func(key string, v Value) {
		it.keys = append(it.keys, key)
		it.values[key] = v
	})
	slices.Sort(it.keys)
	it.held = len(it.keys)
	return it
}

func (it *statIterator) Next() (key string, v Value, ok bool) {
	if len(it.keys) == 0 {
		return "", Value{}, false
	}
	key, it.keys = it.keys[0], it.keys[1:]
	return key, it.values[key], true
}

// watchEvery is how often watched statistics are looked at
// (exec/main.c: corosync_totem_stats_updater).
const watchEvery = 1500 * time.Millisecond

// watch holds the trackers of statistics. No statistic can tell of its own
// change, so those on single keys are compared from time to time.
type watch struct {
	trackers []*statTracker
	ticking  bool
}

type statTracker struct {
	key    string // "" everything
	events Event
	last   Value
	tell   func(Change)
}

// trackStat makes a tracker. One with Prefix hears of keys that come and go, and
// must want both; one without hears of its key's changes, wanted or not
// (stats_map_track_add, stats_trigger_trackers).
func (s *Service) trackStat(key string, events Event, tell func(Change)) (*statTracker, abi.Status) {
	if events&Prefix != 0 && events&(Added|Deleted) != Added|Deleted {
		return nil, abi.NotSupported
	}
	t := &statTracker{key: key, events: events, tell: tell}
	t.last, _ = s.stats.Get(key)
	s.watch.trackers = append([]*statTracker{t}, s.watch.trackers...)
	if t.single() && !s.watch.ticking {
		s.watch.ticking = true
		s.host.After(watchEvery, s.tickStats)
	}
	return t, abi.OK
}

func (t *statTracker) single() bool { return t.events&Prefix == 0 && t.key != "" }

func (w *watch) remove(t *statTracker) {
	w.trackers = slices.DeleteFunc(slices.Clone(w.trackers), func(q *statTracker) bool { return q == t })
}

// tickStats tells changes of single keys; the old value is the new one, too.
func (s *Service) tickStats() {
	s.watch.ticking = false
	for _, t := range s.watch.trackers {
		if !t.single() {
			continue
		}
		if !s.watch.ticking {
			s.watch.ticking = true
			s.host.After(watchEvery, s.tickStats)
		}
		if v, ok := s.stats.Get(t.key); ok && v != t.last {
			t.last = v
			t.tell(Change{Event: Modified, Key: t.key, New: v, Old: v})
		}
	}
}

// StatAdded tells clients that wait for it that a statistic has come into being,
// with its value (stats_map_notify_fn). Scheduling misses are not told.
func (s *Service) StatAdded(key string, v Value) { s.statEvent(Added, key, v) }

// StatRemoved tells that a statistic has gone, with its last value.
func (s *Service) StatRemoved(key string, v Value) { s.statEvent(Deleted, key, v) }

func (s *Service) statEvent(e Event, key string, v Value) {
	if strings.HasPrefix(key, "stats.schedmiss.") {
		return
	}
	for _, t := range s.watch.trackers {
		match := t.key == key || t.events&Prefix != 0 && strings.HasPrefix(key, t.key)
		if match && t.events&e != 0 {
			t.tell(Change{Event: e, Key: key, New: v, Old: v})
		}
	}
}
