package conf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A KeyType tells how a key's value is stored. The numbers are those of the
// cmap interface (cmap_value_types_t).
type KeyType uint8

// The types that a configuration can produce.
const (
	TypeU8     KeyType = 2
	TypeU16    KeyType = 4
	TypeI32    KeyType = 5
	TypeU32    KeyType = 6
	TypeU64    KeyType = 8
	TypeString KeyType = 11
)

// String returns the type's name as stock's tools print it.
func (t KeyType) String() string {
	switch t {
	case TypeU8:
		return "u8"
	case TypeU16:
		return "u16"
	case TypeI32:
		return "i32"
	case TypeU32:
		return "u32"
	case TypeU64:
		return "u64"
	case TypeString:
		return "str"
	}
	return "type " + strconv.Itoa(int(t))
}

// A Key is one entry of the configuration map.
type Key struct {
	Name string // full path, e.g. "nodelist.node.0.nodeid"
	Type KeyType
	Num  uint64 // the value of a number; TypeI32 is sign-extended
	Text string // the value of a TypeString; bytes, not necessarily UTF-8
	// Line is where the value stands in the configuration file, from 1; 0 if
	// it does not stand there (derived, or from uidgid.d).
	Line int
}

// Value returns the value as text, as cmapctl prints it.
func (k Key) Value() string {
	switch k.Type {
	case TypeString:
		return k.Text
	case TypeI32:
		return strconv.FormatInt(int64(k.Num), 10)
	}
	return strconv.FormatUint(k.Num, 10)
}

// Limits of exec/icmap.h on a key's name.
const (
	minName = 3
	maxName = 255 // ICMAP_KEYNAME_MAXLEN; the parser's buffers hold one byte less
)

// validName tells if a key of this name may be stored (icmap_check_key_name).
func validName(name string) bool {
	if len(name) < minName || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-', c == '/', c == ':':
		default:
			return false
		}
	}
	return true
}

// keyMap is the configuration map (exec/icmap.c). Iteration is in the byte
// order of the names, on which several of stock's results depend.
type keyMap struct {
	entries map[string]Key
	names   []string // sorted; nil while the map is being filled
}

func newKeyMap() *keyMap { return &keyMap{entries: make(map[string]Key)} }

// set stores a key, replacing one of the same name.
func (m *keyMap) set(k Key) {
	_, known := m.entries[k.Name]
	m.entries[k.Name] = k
	if !known && m.names != nil {
		at, _ := slices.BinarySearch(m.names, k.Name)
		m.names = slices.Insert(m.names, at, k.Name)
	}
}

func (m *keyMap) setText(name, text string) {
	m.set(Key{Name: name, Type: TypeString, Text: text, Line: m.entries[name].Line})
}

func (m *keyMap) setNum(name string, t KeyType, n uint64) {
	m.set(Key{Name: name, Type: t, Num: n, Line: m.entries[name].Line})
}

// text returns a key stored as text; a number of that name does not count
// (icmap_get_string_r).
func (m *keyMap) text(name string) (string, bool) {
	k, ok := m.entries[name]
	if !ok || k.Type != TypeString {
		return "", false
	}
	return k.Text, true
}

// num returns a key stored as the given type of number; another type does not
// count (icmap_get_int_r).
func (m *keyMap) num(name string, t KeyType) (uint64, bool) {
	k, ok := m.entries[name]
	if !ok || k.Type != t {
		return 0, false
	}
	return k.Num, true
}

func (m *keyMap) u32(name string) (uint32, bool) {
	n, ok := m.num(name, TypeU32)
	return uint32(n), ok
}

func (m *keyMap) u8(name string) (uint8, bool) {
	n, ok := m.num(name, TypeU8)
	return uint8(n), ok
}

// line returns where a key stands, or 0.
func (m *keyMap) line(name string) int { return m.entries[name].Line }

// prefix returns the names that begin with p, in order. The map may be changed
// while the result is used.
func (m *keyMap) prefix(p string) []string {
	if m.names == nil {
		m.names = make([]string, 0, len(m.entries))
		for name := range m.entries {
			m.names = append(m.names, name)
		}
		slices.Sort(m.names)
	}
	from, _ := slices.BinarySearch(m.names, p)
	n, _ := slices.BinarySearchFunc(m.names[from:], p, func(name, p string) int {
		if strings.HasPrefix(name, p) {
			return -1
		}
		return 1
	})
	return slices.Clone(m.names[from : from+n])
}

// list returns all keys in the order of their names.
func (m *keyMap) list() []Key {
	keys := make([]Key, 0, len(m.entries))
	for _, k := range m.entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
	return keys
}

// clone returns an independent copy.
func (m *keyMap) clone() *keyMap {
	c := &keyMap{entries: make(map[string]Key, len(m.entries))}
	for name, k := range m.entries {
		c.entries[name] = k
	}
	return c
}

// mapOf builds a map from a list of keys.
func mapOf(keys []Key) *keyMap {
	m := newKeyMap()
	for _, k := range keys {
		m.set(k)
	}
	return m
}
