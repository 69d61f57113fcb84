package cmap

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/abi"
)

// teller makes trackers that write down their name when told.
type teller struct {
	m    *Map
	told []string
}

func (l *teller) track(name, key string, events Event) *Tracker {
	t, _ := l.m.Track(key, events, func(Change) { l.told = append(l.told, name) })
	return t
}

func (l *teller) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.told); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
	l.told = nil
}

func TestTrackOrder(t *testing.T) {
	m := NewMap()
	l := &teller{m: m}
	l.track("all 1", "", AllEvents|Prefix)
	l.track("all 2", "", AllEvents|Prefix)
	l.track("all but only as a key", "", AllEvents)
	l.track("tst prefix 1", "tst.", AllEvents|Prefix)
	l.track("key prefix 1", "tst.a", AllEvents|Prefix)
	l.track("key 1", "tst.a", AllEvents)
	l.track("key prefix 2", "tst.a", AllEvents|Prefix)
	l.track("key 2", "tst.a", AllEvents)
	l.track("tst exact", "tst.", AllEvents)
	l.track("tst prefix 2", "tst.", AllEvents|Prefix)
	l.track("tst deletions", "tst.", Deleted|Prefix)

	m.Set("tst.a", U8(1))
	l.want(t, "the key", "key 2", "key 1", "key prefix 1", "key prefix 2",
		"tst prefix 1", "tst prefix 2", "all 2", "all 1")
	m.Set("tst.ab", U8(1))
	l.want(t, "a longer key", "key prefix 1", "key prefix 2",
		"tst prefix 1", "tst prefix 2", "all 2", "all 1")
	m.Set("other", U8(1))
	l.want(t, "another key", "all 2", "all 1")
	m.Delete("tst.ab")
	l.want(t, "a deletion", "key prefix 1", "key prefix 2",
		"tst prefix 1", "tst prefix 2", "tst deletions", "all 2", "all 1")
}

func TestChange(t *testing.T) {
	m := NewMap()
	var got []Change
	m.Track("key", AllEvents, func(c Change) { got = append(got, c) })
	c := m.Counter("key")
	m.Set("key", U64(5))
	c.Inc()
	m.Set("key", String("x"))
	c.Inc() // the key is no TypeUint64 any more
	m.Delete("key")
	m.Set("key", U64(1))
	c.Inc() // nor the same
	want := []Change{
		{Added, "key", U64(0), Value{}},
		{Modified, "key", U64(5), U64(0)},
		{Modified, "key", U64(6), Value{}},
		{Modified, "key", String("x"), U64(6)},
		{Deleted, "key", Value{}, String("x")},
		{Added, "key", U64(1), Value{}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Value{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTrackNesting(t *testing.T) {
	m := NewMap()
	l := &teller{m: m}
	var once *Tracker
	once, _ = m.Track("trigger", AllEvents, func(c Change) {
		l.told = append(l.told, "trigger "+c.New.String())
		if c.New.Uint() != 0 {
			m.Set("trigger", U8(0))
			l.told = append(l.told, "reset")
		}
		if c.New.Uint() == 9 {
			m.Untrack(once)
			m.Untrack(once)
		}
	})
	m.Track("trig", AllEvents|Prefix, func(c Change) { l.told = append(l.told, "prefix "+c.New.String()) })

	m.Set("trigger", U8(1))
	l.want(t, "nested", "trigger 1", "trigger 0", "prefix 0", "reset", "prefix 1")
	m.Set("trigger", U8(9))
	l.want(t, "untracks itself", "trigger 9", "trigger 0", "prefix 0", "reset", "prefix 9")
	m.Set("trigger", U8(1))
	l.want(t, "untracked", "prefix 1")
}

// TestUntrackMidway: a tracker that is ended while a change is being told does
// not hear of it, one that begins meanwhile does not disturb.
func TestUntrackMidway(t *testing.T) {
	m := NewMap()
	l := &teller{m: m}
	victim := l.track("victim", "key", AllEvents|Prefix)
	other := l.track("other", "ke", AllEvents|Prefix)
	m.Track("key", AllEvents, func(Change) {
		m.Untrack(victim)
		m.Untrack(other)
		l.track("late", "key", AllEvents)
		l.track("late too", "k", AllEvents|Prefix)
	})
	m.Set("key", U8(1))
	l.want(t, "midway")
	if len(m.points) != 2 || m.points["k"] == nil {
		t.Errorf("points %v", m.points)
	}
}

func TestTrackRefusesUnknownEvents(t *testing.T) {
	if _, st := NewMap().Track("key", 16|AllEvents, nil); st != abi.InvalidParam {
		t.Errorf("status %v", st)
	}
}

func TestCounterAllocatesNothing(t *testing.T) {
	m := NewMap()
	c := m.Counter("runtime.services.cpg.3.tx")
	m.Track("runtime.connections.", AllEvents|Prefix, func(Change) { t.Error("told") })
	if n := testing.AllocsPerRun(100, c.Inc); n != 0 {
		t.Errorf("%v allocations", n)
	}
	heard := 0
	m.Track("runtime.", AllEvents|Prefix, func(Change) { heard++ })
	c.Inc()
	if v, _ := m.U64("runtime.services.cpg.3.tx"); v != 102 || heard != 1 {
		t.Errorf("value %d, heard %d times", v, heard)
	}
}

func BenchmarkCounter(b *testing.B) {
	m := NewMap()
	m.Track("runtime.members.", AllEvents|Prefix, func(Change) {})
	c := m.Counter("runtime.services.cpg.3.tx")
	for b.Loop() {
		c.Inc()
	}
}

// TestDeletedIsThere: who is told of a deletion still finds the key, may delete
// it again, which does nothing, and may make it anew, which counts.
func TestDeletedIsThere(t *testing.T) {
	m := NewMap()
	m.Set("tst.key", U32(5))
	var told []string
	again := false
	m.Track("tst.", AllEvents|Prefix, func(c Change) {
		v, ok := m.U32(c.Key)
		told = append(told, fmt.Sprint(c.Event == Deleted, " ", v, " ", ok))
		if c.Event != Deleted {
			return
		}
		if st := m.Delete(c.Key); st != abi.NotExist {
			t.Errorf("deleted twice: %v", st)
		}
		if again {
			m.Set(c.Key, U32(5))
		}
	})
	m.Delete("tst.key")
	if _, ok := m.Get("tst.key"); ok || m.Len() != 0 || m.Size() != 0 {
		t.Errorf("still there; %d keys of %d bytes", m.Len(), m.Size())
	}
	again = true
	m.Set("tst.key", U32(6))
	m.Delete("tst.key")
	if v, _ := m.U32("tst.key"); v != 5 || m.Len() != 1 || m.Size() != len("tst.key")+4 {
		t.Errorf("made anew: %d; %d keys of %d bytes", v, m.Len(), m.Size())
	}
	want := []string{"true 5 true", "false 6 true", "true 6 true", "false 5 true"}
	if d := cmp.Diff(want, told); d != "" {
		t.Error(d)
	}
}
