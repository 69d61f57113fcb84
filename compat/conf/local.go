package conf

import (
	"fmt"
	"strings"
)

// A nodeKey is a key "nodelist.node.<position>.<name>".
type nodeKey struct {
	key      string
	position uint32
	name     string
}

const nodePrefix = "nodelist.node."

// cutNodeKey takes a key apart as sscanf(key, "nodelist.node.%u.%s") does.
// scanned tells that the position was read even if the rest does not fit.
func cutNodeKey(key string) (k nodeKey, scanned, ok bool) {
	n, rest, ok := cutU32(strings.TrimPrefix(key, nodePrefix))
	if !ok {
		return nodeKey{}, false, false
	}
	k = nodeKey{key: key, position: n}
	if len(rest) < 2 || rest[0] != '.' {
		return k, true, false
	}
	k.name = rest[1:]
	return k, true, true
}

// nodeKeys returns the keys of all nodes, in the order of their text.
func (m *keyMap) nodeKeys() []nodeKey {
	var keys []nodeKey
	for _, key := range m.prefix(nodePrefix) {
		if k, _, ok := cutNodeKey(key); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// nodeName composes the name of a node's key.
func nodeName(position uint32, name string) string {
	return fmt.Sprintf("%s%d.%s", nodePrefix, position, name)
}

const localPosition = "nodelist.local_node_pos"

// findLocal finds the entry of this host in the nodelist and returns its
// position, -1 if there is no nodelist at all. found tells if it is really
// ours: when nothing fits, the reference goes on with the last entry it looked
// at, without writing it down (exec/totemconfig.c:find_local_node).
func (t *totem) findLocal() (position int64, found bool) {
	if n, ok := t.keys.u32(localPosition); ok {
		return int64(n), true
	}
	var names []nameEntry // every name and ring0_addr
	last := int64(-1)
	for _, key := range t.keys.prefix(nodePrefix) {
		k, scanned, ok := cutNodeKey(key)
		if scanned {
			last = int64(k.position)
		}
		if !ok || k.name != "name" && k.name != "ring0_addr" {
			continue
		}
		if text, ok := t.keys.text(key); ok {
			names = append(names, nameEntry{text, k.position})
		}
	}
	if n, ok := t.matchNames(names); ok {
		t.keys.setNum(localPosition, TypeU32, uint64(n))
		return int64(n), true
	}
	return last, false
}

// A nameEntry is a text that may be a host's name, and whose it is.
type nameEntry struct {
	text     string
	position uint32
}

// matchNames goes through the five steps from the exact host name to any
// address of this host.
func (t *totem) matchNames(names []nameEntry) (uint32, bool) {
	host := t.env.HostName
	for {
		if n, ok := byName(names, host, false); ok {
			return n, true
		}
		dot := strings.LastIndexByte(host, '.')
		if dot < 0 {
			break
		}
		host = host[:dot]
	}
	if n, ok := byName(names, host, true); ok {
		return n, true
	}
	if len(names) == 0 {
		return 0, false
	}
	for _, a := range t.env.Addrs {
		numeric := a.String()
		name := t.env.reverse(a)
		if name == "" {
			name = numeric
		}
		if n, ok := byName(names, name, false); ok {
			return n, true
		}
		if first, _, ok := strings.Cut(name, "."); ok {
			if n, ok := byName(names, first, false); ok {
				return n, true
			}
		}
		if n, ok := byName(names, numeric, false); ok && a.Is4() {
			return n, true
		}
	}
	for _, e := range names {
		for _, a := range t.resolver.lookup(e.text) {
			for _, own := range t.env.Addrs {
				if a.WithZone("") == own.WithZone("") {
					return e.position, true
				}
			}
		}
	}
	return 0, false
}

// byName finds the entry whose text, cut at its first dot on demand, is name
// (exec/totemconfig.c:nodelist_byname).
func byName(names []nameEntry, name string, cut bool) (uint32, bool) {
	for _, e := range names {
		text := e.text
		if cut {
			text, _, _ = strings.Cut(text, ".")
		}
		if text == name {
			return e.position, true
		}
	}
	return 0, false
}
