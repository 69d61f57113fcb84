// Package cmap keeps the configuration map, a typed store that watches its own
// changes, and serves it to clients and to the map services of other nodes.
//
//	client, daemon --Set--> Map --Change--> trackers of the key
//	                                        trackers of shorter and shorter prefixes
//	                                        trackers of everything
//
// Map is the store (the reference's icmap); Service is the engine that clients
// and other nodes talk to (cmap). The daemon's own parts use the Map directly,
// and what they publish (runtime.votequorum., runtime.members., ...) is read
// there by clients. Nothing here is safe for use from several goroutines.
//
// Reference: services.md section 7, ipc.md section 5.2; exec/icmap.c,
// exec/cmap.c, exec/stats.c, libqb lib/trie.c.
package cmap

import (
	"slices"

	"cpgol/compat/abi"
)

// Lengths of a key that may be created (ICMAP_KEYNAME_MINLEN, _MAXLEN).
const (
	MinKeyLen = 3
	MaxKeyLen = 255
)

// A Map is a store of typed values under names, in the order of the names'
// bytes. Every change tells its trackers before the method that made it
// returns; they may change the map themselves.
type Map struct {
	items map[string]*item
	keys  []string // ascending
	bytes int      // of keys and values together

	protected []protection
	points    map[string]*point
	lengths   []int  // of the points' keys, descending, without repeats
	trackGen  uint64 // grows with every change of the set of trackers
}

// An item stays the same for as long as its key exists; counters point to it.
type item struct {
	value Value
	gone  bool
}

// NewMap makes an empty map that protects no key.
func NewMap() *Map {
	return &Map{items: make(map[string]*item), points: make(map[string]*point)}
}

// Len is the number of keys.
func (m *Map) Len() int { return len(m.keys) }

// Size is the number of bytes in all keys and values.
func (m *Map) Size() int { return m.bytes }

// Set gives key a value. An equal value is a silent success; another type
// replaces the old one. The result is abi.OK, or abi.NameTooLong for a new key
// that is too short, too long or has a character that keys may not have, or
// abi.InvalidParam for a value that is too long (icmap_set_r).
func (m *Map) Set(key string, v Value) abi.Status {
	if len(v.text) > MaxValueLen {
		return abi.InvalidParam
	}
	it := m.items[key]
	if it != nil && it.gone {
		m.remove(key, it) // it is being deleted, and is wanted again
		it = nil
	}
	if it == nil {
		return m.create(key, v)
	}
	old := it.value
	if old == v {
		return abi.OK
	}
	it.value = v
	m.bytes += v.Len() - old.Len()
	m.notify(Change{Event: Modified, Key: key, New: v, Old: old})
	return abi.OK
}

func (m *Map) create(key string, v Value) abi.Status {
	if !validKey(key) {
		return abi.NameTooLong
	}
	m.items[key] = &item{value: v}
	at, _ := slices.BinarySearch(m.keys, key)
	m.keys = slices.Insert(m.keys, at, key)
	m.bytes += len(key) + v.Len()
	m.notify(Change{Event: Added, Key: key, New: v})
	return abi.OK
}

// Delete removes key; the result is abi.NotExist if there is none. Those who are
// told of it still find the key and its value in the map (libqb lib/trie.c:
// trie_node_destroy), which decides what votequorum makes of it.
//
// The reference keeps a key that an iterator rests on, and its deletion to
// itself, until the iterator moves; here it is gone at once.
func (m *Map) Delete(key string) abi.Status {
	it := m.items[key]
	if it == nil || it.gone {
		return abi.NotExist
	}
	it.gone = true
	m.notify(Change{Event: Deleted, Key: key, Old: it.value})
	m.remove(key, it)
	return abi.OK
}

// remove takes an item out, unless somebody who was told has made the key anew.
func (m *Map) remove(key string, it *item) {
	if m.items[key] != it {
		return
	}
	delete(m.items, key)
	if at, ok := slices.BinarySearch(m.keys, key); ok {
		m.keys = slices.Delete(m.keys, at, at+1)
	}
	m.bytes -= len(key) + it.value.Len()
}

// Adjust moves an integer by step, wrapping at its type's width. The result is
// abi.NotExist without the key, abi.InvalidParam for floats, texts and binary
// values (icmap_adjust_int_r).
func (m *Map) Adjust(key string, step int32) abi.Status {
	it := m.items[key]
	switch {
	case it == nil:
		return abi.NotExist
	case it.value.typ.integer():
		return m.Set(key, it.value.add(step))
	case it.value.typ > TypeNone && it.value.typ <= TypeBinary:
		return abi.InvalidParam
	}
	return abi.OK // an unknown type: the reference's switch has no such case
}

// Get returns key's value; ok is false without the key.
func (m *Map) Get(key string) (v Value, ok bool) {
	it := m.items[key]
	if it == nil {
		return Value{}, false
	}
	return it.value, true
}

func (m *Map) get(key string, t Type) (Value, bool) {
	it := m.items[key]
	if it == nil || it.value.typ != t {
		return Value{}, false
	}
	return it.value, true
}

// U8 returns key's value if it is a TypeUint8.
func (m *Map) U8(key string) (v uint8, ok bool) {
	x, ok := m.get(key, TypeUint8)
	return uint8(x.num), ok
}

// U32 returns key's value if it is a TypeUint32.
func (m *Map) U32(key string) (v uint32, ok bool) {
	x, ok := m.get(key, TypeUint32)
	return uint32(x.num), ok
}

// I32 returns key's value if it is a TypeInt32.
func (m *Map) I32(key string) (v int32, ok bool) {
	x, ok := m.get(key, TypeInt32)
	return int32(x.num), ok
}

// U64 returns key's value if it is a TypeUint64.
func (m *Map) U64(key string) (v uint64, ok bool) {
	x, ok := m.get(key, TypeUint64)
	return x.num, ok
}

// Text returns key's value if it is a TypeString.
func (m *Map) Text(key string) (s string, ok bool) {
	x, ok := m.get(key, TypeString)
	return x.text, ok
}

// validKey is checked when a key is made, and only then (icmap_check_key_name).
func validKey(key string) bool {
	if len(key) < MinKeyLen || len(key) > MaxKeyLen {
		return false
	}
	for i := range len(key) {
		if !validKeyByte(key[i]) {
			return false
		}
	}
	return true
}

func validKeyByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-' || c == '/' || c == ':'
}
