package cmap

import (
	"iter"
	"slices"
	"strings"
)

// An Iterator walks the keys that begin with a prefix, in the order of their
// bytes, over the live map: keys made behind its position are seen, and any key
// may be deleted meanwhile, the one it rests on too (icmap_iter_next).
type Iterator struct {
	m      *Map
	prefix string
	last   string // returned last; "" before the first
	done   bool
}

// Iterate makes an iterator. It holds no resources and needs no end.
func (m *Map) Iterate(prefix string) *Iterator { return &Iterator{m: m, prefix: prefix} }

// Next returns the next key and its value; ok is false at the end, and stays
// so.
func (it *Iterator) Next() (key string, v Value, ok bool) {
	if it.done {
		return "", Value{}, false
	}
	at, found := 0, false
	if it.last == "" {
		at, _ = slices.BinarySearch(it.m.keys, it.prefix)
	} else if at, found = slices.BinarySearch(it.m.keys, it.last); found {
		at++
	}
	if at == len(it.m.keys) || !strings.HasPrefix(it.m.keys[at], it.prefix) {
		it.done = true
		return "", Value{}, false
	}
	it.last = it.m.keys[at]
	return it.last, it.m.items[it.last].value, true
}

// All walks the keys that begin with prefix as an [Iterator] does.
func (m *Map) All(prefix string) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		it := m.Iterate(prefix)
		for key, v, ok := it.Next(); ok && yield(key, v); key, v, ok = it.Next() {
		}
	}
}
