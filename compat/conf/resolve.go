package conf

import (
	"net/netip"
	"strconv"
	"strings"
)

// A family says which addresses a text may stand for, and which is preferred
// (enum totem_ip_version_enum).
type family string

const (
	onlyV4   family = "ipv4"
	onlyV6   family = "ipv6"
	preferV6 family = "ipv6-4"
	preferV4 family = "ipv4-6"
)

// A resolver answers each name once per reading, so that all checks see the
// same answer and a slow resolver is asked once.
type resolver struct {
	env   *Env
	known map[string][]netip.Addr
}

func newResolver(env *Env) *resolver {
	return &resolver{env: env, known: make(map[string][]netip.Addr)}
}

// lookup returns what getaddrinfo does for any family: the address that the
// text spells, or the addresses of the name.
func (r *resolver) lookup(text string) []netip.Addr {
	if a, ok := parseNumeric(text); ok {
		return []netip.Addr{a}
	}
	if text == "" || r.env.Resolve == nil {
		return nil
	}
	addrs, ok := r.known[text]
	if !ok {
		addrs, _ = r.env.Resolve(text) // not found and not answered are the same here
		r.known[text] = addrs
	}
	return addrs
}

// parse turns text into an address of the wanted family
// (exec/totemip.c:totemip_parse).
func (r *resolver) parse(text string, f family) (netip.Addr, bool) {
	var v4, v6 netip.Addr
	for _, a := range r.lookup(text) {
		switch {
		case a.Is4() && !v4.IsValid():
			v4 = a
		case a.Is6() && !v6.IsValid():
			v6 = a
		}
	}
	if f == onlyV4 && !v4.IsValid() && v6.Is4In6() {
		return v6.Unmap(), true // the C library does so for addresses, when asked for IPv4
	}
	var a netip.Addr
	switch f {
	case onlyV4:
		a = v4
	case onlyV6:
		a = v6
	case preferV4:
		if a = v4; !a.IsValid() {
			a = v6
		}
	default:
		if a = v6; !a.IsValid() {
			a = v4
		}
	}
	return a, a.IsValid()
}

// parseNumeric reads an address as getaddrinfo does: IPv6 with an optional
// zone, IPv4 also in the old forms of inet_aton.
func parseNumeric(text string) (netip.Addr, bool) {
	if strings.IndexByte(text, ':') < 0 {
		return parseAton(text)
	}
	a, err := netip.ParseAddr(text)
	return a, err == nil
}

// parseAton reads one to four numbers, decimal, octal or hexadecimal, the last
// of which fills the bytes that are left.
func parseAton(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var ip uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, ok := parseAtonPart(part)
		if !ok || n >= 1<<bits {
			return netip.Addr{}, false
		}
		ip = ip<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}), true
}

func parseAtonPart(s string) (uint64, bool) {
	base := 10
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	}
	if strings.ContainsAny(s, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 32)
	return n, err == nil
}

// printed returns an address as inet_ntop prints it: without zone.
func printed(a netip.Addr) string { return a.WithZone("").String() }

// isMulticast is totemip_is_mcast: every IPv6 address passes.
func isMulticast(a netip.Addr) bool { return !a.Is4() || a.As4()[0]>>4 == 0xe }
