package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// counsel returns what an experienced administrator would say of a
// configuration that works: risks, and what usually is not meant. Sane files
// get none of it, or what their author knows already.
func (r *reading) counsel() []Problem {
	if r.totem == nil {
		return nil
	}
	a := adviser{r: r}
	nodes := r.totem.nodes()
	a.log()
	a.votes(r.totem, nodes)
	a.device(r.totem)
	if len(nodes) > 1 { // nothing goes over the network before
		a.links(r.totem)
		a.protection(r.totem)
		a.addresses(r.totem)
		a.nodes(r.totem, nodes)
		a.tokens(r.totem, len(nodes))
		a.pings(r.totem)
	}
	return a.found
}

// links finds rings that hang on one network.
func (a *adviser) links(t *totem) {
	configured := t.configured()
	switch {
	case t.transport != transportKnet:
		a.advise("totem.transport", "transport %s has one link and no encryption: knet has up to %d links, and encrypts",
			t.transport, maxLinks)
	case len(configured) == 1:
		a.advise(t.links[configured[0]].members[0].key, "the only link: when its network fails, every node is alone; "+
			"give every node an address on a second network")
	}
	if t.linkMode == "passive" {
		return
	}
	for _, n := range configured {
		key := linkKey(uint32(n), "knet_link_priority")
		if _, given := t.keys.u8(key); given && len(configured) > 1 {
			a.add(key, "has no effect: only link_mode passive looks at priorities, not %s", t.linkMode)
		}
	}
}

// protection finds packets that others can read or forge. What the transports
// without any lack is said in links.
func (a *adviser) protection(t *totem) {
	switch {
	case t.transport != transportKnet:
	case t.crypto.none():
		a.advise("totem.crypto_cipher", "packets are neither encrypted nor signed: whoever reaches the nodes' ports "+
			"can read and forge them")
		if !t.timers.blockUnlisted {
			a.advise("totem.block_unlisted_ips", "takes packets from addresses that are not in the nodelist, unsigned as "+
				"they are")
		}
	case t.crypto.cipher == "none":
		a.advise("totem.crypto_hash", "packets are signed, but not encrypted: whoever sees them can read them")
	}
	if t.crypto.hash == "md5" {
		a.advise("totem.crypto_hash", "md5 is weak: sha256 costs little more")
	}
}

// addresses finds what the nodes cannot reach each other by.
func (a *adviser) addresses(t *totem) {
	type use struct {
		position uint32
		addr     netip.Addr
	}
	seen := make(map[use]int) // to the link
	var named []string        // keys with names instead of addresses
	for _, n := range t.configured() {
		members := t.links[n].members
		alone := slices.ContainsFunc(members, func(m member) bool { return !m.addr.IsLoopback() })
		for _, m := range members {
			text, _ := t.keys.text(m.key)
			switch {
			case m.addr.IsLoopback() && alone:
				a.add(m.key, "%s is %s: other nodes cannot reach that", text, printed(m.addr))
			case m.addr.IsUnspecified(), m.addr.IsMulticast():
				a.add(m.key, "%s is no node's address", printed(m.addr))
			}
			if other, twice := seen[use{m.position, m.addr}]; twice {
				a.add(m.key, "%s is this node's address on link %d, too: two links over one network are no better than one",
					printed(m.addr), other)
			}
			seen[use{m.position, m.addr}] = n
			if _, numeric := parseNumeric(text); !numeric {
				named = append(named, m.key)
				a.ambiguous(t, m, text)
			}
		}
	}
	if len(named) > 0 {
		text, _ := t.keys.text(named[0])
		a.advise(named[0], "%s is a name%s: the ring then hangs on every node's resolver, and on all answers being the same; "+
			"write addresses", text, others(len(named)-1, "address"))
	}
}

// ambiguous warns of a name with several addresses that would do.
func (a *adviser) ambiguous(t *totem, m member, name string) {
	var fit []string
	for _, addr := range t.resolver.lookup(name) {
		if text := printed(addr); addr.Is4() == m.addr.Is4() && !slices.Contains(fit, text) {
			fit = append(fit, text)
		}
	}
	if len(fit) > 1 {
		a.add(m.key, "%s has the addresses %s: %s is taken here, and perhaps another one elsewhere",
			name, strings.Join(fit, ", "), printed(m.addr))
	}
}

// others counts what else a finding is about.
func others(n int, what string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (and so is another " + what + ")"
	}
	return fmt.Sprintf(" (and so are %d other %ss)", n, what)
}

// nodes finds nodes without an id or a name of their own.
func (a *adviser) nodes(t *totem, nodes []Node) {
	byName := make(map[string]int)
	var unnamed, generated []Node
	for _, n := range nodes {
		if _, given := a.r.keys.u32(nodeName(uint32(n.Pos), "nodeid")); !given {
			generated = append(generated, n)
		}
		if n.Name == "" {
			unnamed = append(unnamed, n)
			continue
		}
		if other, twice := byName[n.Name]; twice {
			a.add(nodeName(uint32(n.Pos), "name"), "%s is also the name of %s", n.Name, a.r.shown(nodeName(uint32(other), "name")))
		}
		byName[n.Name] = n.Pos
	}
	if len(generated) > 0 {
		n := generated[0]
		a.advise(nodeName(uint32(n.Pos), "nodeid"), "no nodeid%s: it is made of the address, here %d, and changes with it",
			nodesToo(len(generated)-1), n.ID)
	}
	if len(unnamed) > 0 {
		a.advise(nodeName(uint32(unnamed[0].Pos), "name"), "no name%s: Pacemaker and the tools call nodes by it, and more than "+
			"one link demands it", nodesToo(len(unnamed)-1))
	}
	if _, ok := t.keys.text("totem.cluster_name"); !ok {
		a.advise("totem.cluster_name", "no cluster name: DLM, GFS2 and the quorum device want one")
	}
}

func nodesToo(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (nor has another node)"
	}
	return fmt.Sprintf(" (nor have %d other nodes)", n)
}
