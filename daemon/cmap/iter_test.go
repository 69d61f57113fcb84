package cmap

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func keys(it *Iterator) (all []string) {
	for key, _, ok := it.Next(); ok; key, _, ok = it.Next() {
		all = append(all, key)
	}
	return all
}

func TestIterateOrder(t *testing.T) {
	m := NewMap()
	for _, k := range []string{"b.b", "a.bc", "a.b", "a.b.c", "a.B", "a.b-c", "a.b10", "a.b2", "a/x"} {
		m.Set(k, U8(1))
	}
	for prefix, want := range map[string][]string{
		"":     {"a.B", "a.b", "a.b-c", "a.b.c", "a.b10", "a.b2", "a.bc", "a/x", "b.b"},
		"a.b":  {"a.b", "a.b-c", "a.b.c", "a.b10", "a.b2", "a.bc"},
		"a.b.": {"a.b.c"},
		"a.c":  nil,
		"zzz":  nil,
	} {
		if diff := cmp.Diff(want, keys(m.Iterate(prefix))); diff != "" {
			t.Errorf("prefix %q (-want +got)\n%s", prefix, diff)
		}
	}
}

func TestIterateLive(t *testing.T) {
	m := NewMap()
	for _, k := range []string{"k.1", "k.2", "k.3", "k.5"} {
		m.Set(k, U8(1))
	}
	var got []string
	for k := range m.All("k.") {
		got = append(got, k)
		switch k {
		case "k.1":
			m.Delete("k.1") // rests on it
			m.Delete("k.2") // would be next
		case "k.3":
			m.Set("k.4", U8(1)) // behind the position
			m.Set("k.0", U8(1)) // before it
		}
	}
	if diff := cmp.Diff([]string{"k.1", "k.3", "k.4", "k.5"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestIterateStaysAtTheEnd(t *testing.T) {
	m := NewMap()
	it := m.Iterate("k.")
	if _, _, ok := it.Next(); ok {
		t.Fatal("a key in an empty map")
	}
	m.Set("k.1", U8(1))
	if k, _, ok := it.Next(); ok {
		t.Errorf("%q after the end", k)
	}
}
