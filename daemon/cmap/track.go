package cmap

import (
	"slices"

	"cpgol/compat/abi"
)

// An Event says what happened to a key; as a set, what a tracker wants to hear
// of (ICMAP_TRACK_*).
type Event int32

// Events. Prefix is not one: it asks for the keys below a prefix too, and never
// appears in a Change.
const (
	Deleted  Event = 1
	Modified Event = 2
	Added    Event = 4
	Prefix   Event = 8

	AllEvents = Deleted | Modified | Added
)

// A Change is what a tracker is told. New is the zero Value in a deletion, Old
// in an addition and when a [Counter] moved.
type Change struct {
	Event    Event
	Key      string
	New, Old Value
}

// A Tracker is told of changes until Untrack.
type Tracker struct {
	key    string
	events Event
	f      func(Change)
	dead   bool
}

// A point holds the trackers of one key or prefix in the order that they are
// told. The slice is replaced, never changed: a notification walks the one that
// it began with.
type point struct{ trackers []*Tracker }

// Track calls f after every change of key that is among events, or, with
// Prefix among events, of every key that begins with key. The empty key is the
// prefix of all. The key need not exist, nor be one that could.
//
// A change is told first at its key, then at shorter and shorter prefixes. At
// one place, trackers without Prefix come first, the newest before all; those
// with Prefix follow, oldest first, except that of everything, where the newest
// is always first. f may use the map freely: what it changes is told at once,
// before the rest hears of the outer change.
//
// The result is abi.InvalidParam for events that nobody knows. (icmap_track_add,
// libqb lib/trie.c: trie_notify_add, trie_notify)
func (m *Map) Track(key string, events Event, f func(Change)) (*Tracker, abi.Status) {
	if events&^(AllEvents|Prefix) != 0 {
		return nil, abi.InvalidParam
	}
	t := &Tracker{key: key, events: events, f: f}
	p := m.points[key]
	if p == nil {
		p = new(point)
		m.points[key] = p
		m.countLength(len(key))
	}
	if events&Prefix != 0 && key != "" {
		p.trackers = append(slices.Clone(p.trackers), t)
	} else {
		p.trackers = append([]*Tracker{t}, p.trackers...)
	}
	m.trackGen++
	return t, abi.OK
}

// Untrack ends a tracker: f is not called again, not even for a change that is
// being told. A second call does nothing.
func (m *Map) Untrack(t *Tracker) {
	p := m.points[t.key]
	if t.dead || p == nil {
		return
	}
	t.dead = true
	m.trackGen++
	p.trackers = slices.DeleteFunc(slices.Clone(p.trackers), func(q *Tracker) bool { return q == t })
	if len(p.trackers) == 0 {
		delete(m.points, t.key)
		m.recountLengths()
	}
}

func (m *Map) countLength(n int) {
	at, ok := slices.BinarySearchFunc(m.lengths, n, func(a, b int) int { return b - a })
	if !ok {
		// A new slice: a notification may be walking the old one.
		m.lengths = slices.Insert(slices.Clone(m.lengths), at, n)
	}
}

func (m *Map) recountLengths() {
	m.lengths = nil
	for key := range m.points {
		m.countLength(len(key))
	}
}

// notify tells a change to all who want to hear of it.
func (m *Map) notify(c Change) {
	for _, n := range m.lengths {
		if n > len(c.Key) {
			continue
		}
		p := m.points[c.Key[:n]]
		if p == nil {
			continue
		}
		for _, t := range p.trackers {
			if !t.dead && t.wants(c.Event, n == len(c.Key)) {
				t.f(c)
			}
		}
	}
}

func (t *Tracker) wants(e Event, exact bool) bool {
	return t.events&e != 0 && (exact || t.events&Prefix != 0)
}

// watched reports whether a modification of key would be told to anyone.
func (m *Map) watched(key string) bool {
	for _, n := range m.lengths {
		if n > len(key) {
			continue
		}
		if p := m.points[key[:n]]; p != nil {
			for _, t := range p.trackers {
				if t.wants(Modified, n == len(key)) {
					return true
				}
			}
		}
	}
	return false
}
