package cmap

// A Counter is a TypeUint64 key that the daemon counts up at every message
// (icmap_fast_inc): Inc costs an addition unless somebody tracks the key.
type Counter struct {
	m       *Map
	key     string
	it      *item
	gen     uint64 // of the map's trackers when told was found out
	watched bool
}

// Counter makes a counter of key, which it sets to 0 if there is no such key
// with a TypeUint64. It lives as long as the map.
func (m *Map) Counter(key string) *Counter {
	if _, ok := m.U64(key); !ok {
		m.Set(key, U64(0))
	}
	return &Counter{m: m, key: key, it: m.items[key], gen: m.trackGen, watched: m.watched(key)}
}

// Inc adds one. Trackers always hear of it, and with no old value. Nothing
// happens once the key is gone or no TypeUint64 any more.
func (c *Counter) Inc() {
	if c.it == nil || c.it.gone || c.it.value.typ != TypeUint64 {
		return
	}
	c.it.value.num++
	if c.gen != c.m.trackGen {
		c.gen, c.watched = c.m.trackGen, c.m.watched(c.key)
	}
	if c.watched {
		c.m.notify(Change{Event: Modified, Key: c.key, New: c.it.value})
	}
}
