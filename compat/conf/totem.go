package conf

import (
	"net/netip"
	"slices"
)

// Limits of the reference (include/corosync/totem/totem.h, libknet.h).
const (
	maxLinks   = 8   // INTERFACE_MAX
	maxMembers = 384 // PROCESSOR_COUNT_MAX; the reference does not check it
	maxKnetID  = 65536
	basePort   = 5405
	udpMTU     = 1500
	knetMTU    = 65536
)

const (
	transportKnet = "knet"
	transportUDPU = "udpu"
	transportUDP  = "udp"
)

// A totem is the totem layer's view of a configuration while it is read and
// checked (struct totem_config).
type totem struct {
	env      *Env
	resolver *resolver
	keys     *keyMap // keys that the reference adds to its map are added here

	transport string
	version   uint32
	crypto    crypto
	linkMode  string
	family    family
	clearHigh bool // totem.clear_node_high_bit
	broadcast bool
	nodeID    uint32
	netMTU    uint32
	links     [maxLinks]link
	timers    timers

	membersIgnored, membersDeprecated, nodeIDIgnored, bindIgnored bool
}

// A link is one interface section and what the nodelist says of it
// (struct totem_interface).
type link struct {
	configured bool
	bind       netip.Addr
	multicast  netip.Addr
	local      netip.Addr
	port       uint16
	ttl        uint8
	priority   uint8
	// 0 until the defaults are known
	pingInterval, pingTimeout, pingPrecision, pongCount uint32

	transport string
	members   []member
	repeated  int // members that the reference counts twice, see readNode
}

// count is the number of members as the reference has it.
func (l *link) count() int { return len(l.members) + l.repeated }

// A member is a node's address on a link.
type member struct {
	addr     netip.Addr
	node     uint32
	position uint32
	key      string // where the address comes from
}

func newTotem(keys *keyMap, env *Env) *totem {
	return &totem{env: env, resolver: newResolver(env), keys: keys}
}

// read collects the configuration and fills in what follows from it
// (exec/totemconfig.c:totem_config_read). The order of the checks is the order
// in which a file's first error is found.
func (t *totem) read() *Error {
	if err := t.readTransport(); err != nil {
		return err
	}
	t.version, _ = t.keys.u32("totem.version")
	if err := t.readCrypto(); err != nil {
		return err
	}
	t.linkMode = "passive"
	if text, ok := t.keys.text("totem.link_mode"); ok {
		if t.linkMode = text; len(text) >= linkModeSize {
			return refuse(roundTotem, "totem.link_mode", "totem.link_mode is too long")
		}
	}
	_, t.nodeIDIgnored = t.keys.u32("totem.nodeid")
	high, _ := t.keys.text("totem.clear_node_high_bit")
	t.clearHigh = high == "yes"
	t.netMTU, _ = t.keys.u32("totem.netmtu")
	t.readFamily()
	t.bindToNodelist()
	if err := t.readInterfaces(); err != nil {
		return err
	}
	if t.transport == transportUDP {
		t.publishGroups()
	}
	if err := t.readNodes(); err != nil {
		return err
	}
	t.readTimers()
	t.readPings()
	return nil
}

// linkModeSize is TOTEM_LINK_MODE_BYTES.
const linkModeSize = 64

func (t *totem) readTransport() *Error {
	t.transport = transportKnet
	text, ok := t.keys.text("totem.transport")
	if !ok {
		return nil
	}
	if !slices.Contains([]string{transportKnet, transportUDPU, transportUDP}, text) {
		return refuse(roundTotem, "totem.transport", "Invalid transport type. Should be udpu, udp or knet")
	}
	t.transport = text
	return nil
}

// readFamily is totem_config_get_ip_version.
func (t *totem) readFamily() {
	t.family = preferV6
	if t.transport == transportUDP {
		t.family = onlyV4
	}
	text, _ := t.keys.text("totem.ip_version")
	switch f := family(text); f {
	case onlyV4, onlyV6, preferV6, preferV4:
		t.family = f
	}
}

// multicasts tells if the transport is udp, the one with groups.
func (t *totem) multicasts() bool { return t.transport == transportUDP }
