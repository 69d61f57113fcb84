package conf

import (
	"encoding/binary"
	"math"
)

// readNodes finds the own node's id and every node's addresses. The reference
// looks at the nodelist only if entry 0 has a name or a ring0_addr.
func (t *totem) readNodes() *Error {
	_, named := t.keys.text(nodeName(0, "name"))
	_, addressed := t.keys.text(nodeName(0, "ring0_addr"))
	if !named && !addressed {
		return nil
	}
	if position, found := t.findLocal(); position >= 0 {
		if err := t.readOwnID(uint32(position), found); err != nil {
			return err
		}
	}
	for n := range t.links {
		t.links[n].members, t.links[n].repeated = nil, 0
	}
	last := int64(-1)
	for _, k := range t.keys.nodeKeys() {
		if int64(k.position) == last { // keys of a node stand together
			continue
		}
		last = int64(k.position)
		if err := t.readNode(k.position); err != nil {
			return err
		}
	}
	t.setLocals()
	return nil
}

// readOwnID reads or makes the own node's id. Of an entry that only stands in for
// the own one and has no address the reference makes one out of freed memory; it is
// refused later, for want of the own node.
func (t *totem) readOwnID(position uint32, found bool) *Error {
	t.nodeID, _ = t.keys.u32(nodeName(position, "nodeid"))
	if t.nodeID != 0 {
		return nil
	}
	if t.transport == transportKnet {
		return refuse(roundTotem, nodeName(position, "nodeid"), "Knet requires an explicit nodeid for the local node")
	}
	text, ok := t.keys.text(nodeName(position, "ring0_addr"))
	if !ok && !found {
		return nil
	}
	id, ok := t.generateID(text)
	if !ok {
		return refuse(roundTotem, nodeName(position, "ring0_addr"),
			"An IPV6 network requires that a node ID be specified")
	}
	t.nodeID = id
	return nil
}

// generateID makes a node id of an IPv4 address (generate_nodeid).
func (t *totem) generateID(text string) (uint32, bool) {
	a, ok := t.resolver.parse(text, onlyV4)
	if !ok {
		return 0, false
	}
	b := a.As4()
	id := binary.BigEndian.Uint32(b[:])
	if t.clearHigh {
		id &= 1<<31 - 1
	}
	return id, id != math.MaxUint32 // the reference's mark for a failure
}

// readNode adds one entry's addresses to the links
// (put_nodelist_members_to_config).
//
// A generated id is written into the map while the reference walks through it.
// Where the address is its entry's only key, that splits the very node of the
// trie on which the walk stands, and the address is met and counted again
// (libqb lib/trie.c:trie_node_split). The token timeout hangs on this count, so
// that it is kept.
func (t *totem) readNode(position uint32) *Error {
	keys := t.keys.prefix(nodeName(position, ""))
	for _, key := range keys {
		k, _, _ := cutNodeKey(key)
		number, ok := cutRing(k.name)
		if !ok {
			continue
		}
		if number >= maxLinks {
			return refuse(roundConfig, key, "interface ring number %d is bigger than allowed maximum %d",
				number, maxLinks-1)
		}
		text, ok := t.keys.text(key)
		if !ok {
			continue
		}
		id, generated, err := t.nodeIDOf(position, key, text)
		if err != nil {
			return err
		}
		addr, ok := t.resolver.parse(text, t.family)
		if !ok {
			return refuse(roundTotem, key, "failed to parse node address '%s'", text)
		}
		l := &t.links[number]
		if len(l.members) == maxMembers {
			return tooMany(key)
		}
		l.members = append(l.members, member{addr: addr, node: id, position: position, key: key})
		l.configured = true
		if generated && len(keys) == 1 {
			l.repeated++
		}
	}
	return nil
}

// nodeIDOf returns an entry's node id. One that is missing is made of its
// ring0_addr on udp and udpu, and written back; knet wants it given.
func (t *totem) nodeIDOf(position uint32, key, addr string) (id uint32, generated bool, err *Error) {
	idKey := nodeName(position, "nodeid")
	id, _ = t.keys.u32(idKey)
	if t.transport == transportKnet {
		switch {
		case id == 0:
			return 0, false, refuse(roundTotem, key,
				"Knet requires an explicit nodeid to be specified for address '%s'.", addr)
		case id >= maxKnetID:
			return 0, false, refuse(roundTotem, idKey,
				"Knet requires nodeid to be less than %d for address '%s'.", maxKnetID, addr)
		}
		return id, false, nil
	}
	if id != 0 {
		return id, false, nil
	}
	text, ok := t.keys.text(nodeName(position, "ring0_addr"))
	if !ok {
		return 0, false, nil
	}
	if id, ok = t.generateID(text); !ok {
		return 0, false, refuse(roundTotem, key,
			"An IPV6 network requires that a node ID be specified for address '%s'.", addr)
	}
	t.keys.setNum(idKey, TypeU32, uint64(id))
	return id, true, nil
}

// setLocals gives every link the own node's address, and the defaults of a
// link without interface section (configure_link_params).
func (t *totem) setLocals() {
	position, _ := t.findLocal()
	for n := range t.links {
		l := &t.links[n]
		if !l.configured {
			continue
		}
		text, ok := t.keys.text(nodeName(uint32(position), ringName(n)))
		if !ok {
			continue
		}
		if l.local, ok = t.resolver.parse(text, t.family); !ok {
			continue
		}
		if l.priority == 0 {
			l.priority = 1
		}
		if l.pingPrecision == 0 {
			l.pingPrecision = pingPrecision
		}
		if l.pongCount == 0 {
			l.pongCount = pongCount
		}
		if l.transport == "" {
			l.transport = "udp"
		}
		if l.port == 0 {
			l.port = uint16(basePort + n)
		}
	}
}

func ringName(link int) string { return "ring" + string(rune('0'+link)) + "_addr" }
