package conf

import (
	"fmt"
	"net/netip"
	"strings"
)

const interfacePrefix = "totem.interface."

func linkKey(number uint32, name string) string {
	return fmt.Sprintf("%s%d.%s", interfacePrefix, number, name)
}

// cutRing reads the link's number out of "ring<N>_addr", as C scans it:
// "ring01_addr" is link 1.
func cutRing(name string) (number uint32, ok bool) {
	rest, ok := strings.CutPrefix(name, "ring")
	if !ok {
		return 0, false
	}
	number, rest, ok = cutU32(rest)
	return number, ok && rest == "_addr"
}

// bindToNodelist copies the own node's addresses to the interfaces, unless
// link 0 has an address and the nodelist none.
func (t *totem) bindToNodelist() {
	if _, ok := t.keys.text(linkKey(0, "bindnetaddr")); ok {
		if _, ok := t.keys.text(nodeName(0, "ring0_addr")); !ok {
			return
		}
		t.bindIgnored = true
	}
	position, _ := t.findLocal()
	if position < 0 {
		return
	}
	// config_convert_nodelist_to_interface
	for _, key := range t.keys.prefix(nodeName(uint32(position), "")) {
		k, _, _ := cutNodeKey(key)
		number, ok := cutRing(k.name)
		if !ok {
			continue
		}
		if text, ok := t.keys.text(key); ok {
			t.keys.set(Key{Name: linkKey(number, "bindnetaddr"), Type: TypeString, Text: text,
				Line: t.keys.line(key)})
		}
	}
}

// readInterfaces reads the interface of every key that belongs to one; with
// udp only those with an address count (get_interface_params).
func (t *totem) readInterfaces() *Error {
	last := ""
	for _, key := range t.keys.prefix(interfacePrefix) {
		text, name, ok := strings.Cut(strings.TrimPrefix(key, interfacePrefix), ".")
		if !ok || text == "" || name == "" || t.multicasts() && name != "bindnetaddr" {
			continue
		}
		if text == last { // the same link, already read
			continue
		}
		last = text
		number := uint32(atoi(text)) // no number is link 0
		if number >= maxLinks {
			return refuse(roundConfig, key, "interface ring number %d is bigger than allowed maximum %d",
				number, maxLinks-1)
		}
		if err := t.readInterface(number); err != nil {
			return err
		}
	}
	if t.broadcast {
		t.links[0].multicast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	return nil
}

func (t *totem) readInterface(n uint32) *Error {
	l := &t.links[n]
	if err := t.readAddresses(n, l); err != nil {
		return err
	}
	port, ok := t.keys.num(linkKey(n, "mcastport"), TypeU16)
	switch {
	case ok:
		l.port = uint16(port)
	case t.broadcast:
		l.port = uint16(basePort + 2*n)
	default:
		l.port = uint16(basePort + n)
	}
	l.ttl = 1
	if ttl, ok := t.keys.u8(linkKey(n, "ttl")); ok {
		l.ttl = ttl
	}
	l.transport = "udp"
	if text, ok := t.keys.text(linkKey(n, "knet_transport")); ok {
		if text != "udp" && text != "sctp" {
			return refuse(roundTotem, linkKey(n, "knet_transport"),
				"Unrecognised knet_transport. expected 'udp' or 'sctp'")
		}
		l.transport = text
	}
	l.configured = true
	l.priority = 1
	if p, ok := t.keys.u8(linkKey(n, "knet_link_priority")); ok {
		l.priority = p
	}
	l.pingInterval, _ = t.keys.u32(linkKey(n, "knet_ping_interval"))
	l.pingTimeout, _ = t.keys.u32(linkKey(n, "knet_ping_timeout"))
	l.pingPrecision = pingPrecision
	if p, ok := t.keys.u32(linkKey(n, "knet_ping_precision")); ok {
		l.pingPrecision = p
	}
	l.pongCount = pongCount
	if c, ok := t.keys.u32(linkKey(n, "knet_pong_count")); ok {
		l.pongCount = c
	}
	return t.readMembers(n, l)
}

// readAddresses reads the own and the group's address of an interface.
func (t *totem) readAddresses(n uint32, l *link) *Error {
	if text, ok := t.keys.text(linkKey(n, "bindnetaddr")); ok {
		if l.bind, ok = t.resolver.parse(text, t.family); !ok {
			return refuse(roundTotem, t.bindSource(n), "failed to parse bindnet address '%s'", text)
		}
	}
	if text, ok := t.keys.text(linkKey(n, "mcastaddr")); ok {
		if l.multicast, ok = t.resolver.parse(text, t.family); !ok {
			return refuse(roundTotem, linkKey(n, "mcastaddr"), "failed to parse mcast address '%s'", text)
		}
	} else if t.multicasts() {
		if name, ok := t.keys.text("totem.cluster_name"); ok {
			l.multicast = clusterGroup(name, n, t.links[0].bind.Is6())
		}
	}
	if text, _ := t.keys.text(linkKey(n, "broadcast")); text == "yes" {
		t.broadcast = true
	}
	return nil
}

// bindSource returns the key from which a link's own address comes.
func (t *totem) bindSource(n uint32) string {
	if position, _ := t.findLocal(); position >= 0 {
		key := nodeName(uint32(position), ringName(int(n)))
		if _, ok := t.keys.text(key); ok {
			return key
		}
	}
	return linkKey(n, "bindnetaddr")
}

// readMembers reads member sections, the peers' addresses of old files. A
// nodelist overrides them.
func (t *totem) readMembers(n uint32, l *link) *Error {
	l.members = l.members[:0]
	_, listed := t.keys.text(nodeName(0, "ring0_addr"))
	for _, key := range t.keys.prefix(linkKey(n, "member.")) {
		if listed {
			t.membersIgnored = true
			return nil
		}
		t.membersDeprecated = true
		text, ok := t.keys.text(key)
		if !ok {
			continue
		}
		addr, ok := t.resolver.parse(text, t.family)
		if !ok {
			return refuse(roundTotem, key, "failed to parse node address '%s'", text)
		}
		if len(l.members) == maxMembers {
			return tooMany(key)
		}
		l.members = append(l.members, member{addr: addr, key: key})
	}
	return nil
}

// tooMany refuses what would overflow the reference's tables.
func tooMany(key string) *Error {
	return refuse(roundTotem, key, "more than %d nodes on a link", maxMembers)
}

// clusterGroup derives a link's multicast address from the cluster's name
// (generate_cluster_id, get_cluster_mcast_addr).
func clusterGroup(name string, number uint32, v6 bool) netip.Addr {
	var sum uint16
	for i := range len(name) {
		sum = sum<<1 + uint16(int8(name[i])) // char is signed where the reference runs
	}
	sum += uint16(number)
	if v6 {
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x15, 14: byte(sum >> 8), 15: byte(sum)})
	}
	return netip.AddrFrom4([4]byte{239, 192, byte(sum >> 8), byte(sum % 255)}) // 255 as in the reference
}

// publishGroups writes group and port back to the map.
func (t *totem) publishGroups() {
	for n := range t.links {
		l := &t.links[n]
		if !l.configured {
			continue
		}
		if key := linkKey(uint32(n), "mcastaddr"); l.multicast.IsValid() {
			if _, ok := t.keys.text(key); !ok {
				t.keys.setText(key, printed(l.multicast))
			}
		}
		key := linkKey(uint32(n), "mcastport")
		if _, ok := t.keys.num(key, TypeU16); !ok {
			t.keys.setNum(key, TypeU16, uint64(l.port))
		}
	}
}
