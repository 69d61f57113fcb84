package conf

import "slices"

// validate checks what was read (exec/totemconfig.c:totem_config_validate).
func (t *totem) validate() *Error {
	configured := t.configured()
	if len(configured) == 0 {
		return refuse(roundConfig, "", "No interfaces defined")
	}
	if _, ok := t.keys.u32(localPosition); !ok {
		return refuse(roundConfig, "", "No valid name found for local host")
	}
	for _, n := range configured {
		if err := t.validateLink(n); err != nil {
			return err
		}
	}
	if t.version != 2 {
		return refuse(roundConfig, "totem.version", "This totem parser can only parse version 2 configurations.")
	}
	if err := t.validateTimers(); err != nil {
		return err
	}
	if err := t.validateMembers(configured); err != nil {
		return err
	}
	if err := t.validateIDs(); err != nil {
		return err
	}
	return t.validateModes(configured)
}

// configured returns the numbers of the links in use.
func (t *totem) configured() []int {
	var numbers []int
	for n := range t.links {
		if t.links[n].configured {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func (t *totem) validateLink(n int) *Error {
	l := &t.links[n]
	fail := func(name, text string) *Error {
		return refuse(roundConfig, linkKey(uint32(n), name), "%s for interface %d", text, n)
	}
	switch {
	case t.multicasts() && !l.multicast.IsValid():
		return fail("mcastaddr", "No multicast address specified")
	case l.port == 0:
		return fail("mcastport", "No multicast port specified")
	case !t.multicasts() && l.ttl != 1:
		return fail("ttl", "Can only set ttl on multicast transport types")
	case t.transport != transportKnet && l.priority != 1:
		return fail("knet_link_priority", "Can only set link priority on knet transport type")
	case l.multicast.Is6() && t.nodeID == 0:
		return fail("mcastaddr", "An IPV6 network requires that a node ID be specified")
	case t.broadcast || !t.multicasts():
		return nil
	case l.multicast.Is6() != l.bind.Is6() || !l.bind.IsValid():
		return fail("mcastaddr", "Multicast address family does not match bind address family")
	case !isMulticast(l.multicast):
		return fail("mcastaddr", "mcastaddr is not a correct multicast address")
	}
	return nil
}

// validateTimers checks the values in use against their minima
// (totem_volatile_config_validate, first half).
func (t *totem) validateTimers() *Error {
	v := &t.timers
	retransmit := "The token retransmit timeout parameter"
	if _, ok := t.keys.u32("totem.token_retransmit"); !ok {
		retransmit = "" // computed: its causes are to blame
	}
	for _, c := range []struct {
		key, what string
		n, min    uint32
	}{
		{"totem.max_network_delay", "The max_network_delay parameter", v.maxNetworkDelay, minTimeout},
		{"totem.token", "The token timeout parameter", v.token, minTimeout},
		{"totem.token_warning", "", v.tokenWarning, 0},
		{"totem.token_retransmit", retransmit, v.tokenRetransmit, minTimeout},
		{"totem.hold", "The token hold timeout parameter", v.hold, minHold},
		{"totem.join", "The join timeout parameter", v.join, minTimeout},
		{"totem.consensus", "The consensus timeout parameter", v.consensus, minTimeout},
		{"totem.consensus", "", v.consensus, v.join},
		{"totem.merge", "The merge timeout parameter", v.merge, minTimeout},
		{"totem.downcheck", "The downcheck timeout parameter", v.downcheck, minTimeout},
	} {
		switch {
		case c.key == "totem.token_warning":
			if c.n > maxWarning {
				return refuse(roundConfig, c.key,
					"The token warning parameter (%d%%) must be between 0 (disabled) and 100.", int32(c.n))
			}
		case c.n >= c.min:
		case c.key == "totem.token_retransmit" && c.what == "":
			return refuse(roundConfig, t.tokenCause(),
				"Not appropriate token or token_retransmits_before_loss_const value set")
		case c.what == "":
			return refuse(roundConfig, c.key,
				"The consensus timeout parameter (%d ms) may not be less than join timeout (%d ms).",
				int32(c.n), int32(c.min))
		default:
			return refuse(roundConfig, c.key, "%s (%d ms) may not be less than (%d ms).", c.what, int32(c.n), c.min)
		}
	}
	return nil
}

// tokenCause names the key that made the computed token_retransmit too small.
func (t *totem) tokenCause() string {
	if _, ok := t.keys.u32("totem.token"); ok {
		return "totem.token"
	}
	return "totem.token_retransmits_before_loss_const"
}

// validateMembers checks that the links fit together
// (totem_volatile_config_validate, second half).
func (t *totem) validateMembers(configured []int) *Error {
	if len(configured) > 1 {
		members := t.links[configured[0]].count()
		for i := range members {
			if _, ok := t.keys.text(nodeName(uint32(i), "name")); !ok {
				return refuse(roundConfig, nodeName(uint32(i), "name"),
					"for a multi-link configuration, all nodes must have a 'name' attribute")
			}
		}
		for _, n := range configured {
			if t.links[n].count() != members {
				return refuse(roundConfig, "", "Not all nodes have the same number of links")
			}
		}
	}
	for _, n := range configured {
		m := t.links[n].members
		for i := 1; i < len(m); i++ {
			if m[i].addr.Is4() != m[0].addr.Is4() {
				return refuse(roundConfig, m[i].key,
					"Nodes for link %d have different IP families (compared %s with %s)",
					n, printed(m[i].addr), printed(m[0].addr))
			}
		}
	}
	return nil
}

// validateIDs finds node ids given twice, as far as the reference does: the
// comparison with the entries before stops at the first key, in text order,
// that belongs to a later entry (check_for_duplicate_nodeids). What it
// overlooks is found at start (start.go).
func (t *totem) validateIDs() *Error {
	keys := t.keys.nodeKeys()
	var result *Error
	last := int64(-1)
	for _, k := range keys {
		if int64(k.position) == last {
			continue
		}
		last = int64(k.position)
		if err := t.compareID(k.position, keys); err != nil {
			result = err // the reference goes on, and its last finding is printed
		}
	}
	return result
}

func (t *totem) compareID(position uint32, keys []nodeKey) *Error {
	id, origin, ok := t.idAt(position)
	if !ok {
		return nil
	}
	for _, k := range keys {
		if k.position >= position {
			return nil
		}
		if k.name != "nodeid" {
			continue
		}
		if other, _, ok := t.idAt(k.position); ok && other == id {
			return refuse(roundTotem, nodeName(position, "nodeid"),
				"Nodeid %d%s appears twice in corosync.conf", id, origin)
		}
	}
	return nil
}

// idAt returns an entry's node id, and what it was made of if it is not given.
func (t *totem) idAt(position uint32) (id uint32, origin string, ok bool) {
	if id, ok = t.keys.u32(nodeName(position, "nodeid")); ok {
		return id, "", true
	}
	addr, ok := t.keys.text(nodeName(position, "ring0_addr"))
	if !ok {
		return 0, "", false
	}
	id, ok = t.generateID(addr)
	return id, "(autogenerated from " + addr + ")", ok
}

// validateModes checks what only some transports can do.
func (t *totem) validateModes(configured []int) *Error {
	if !slices.Contains([]string{"active", "rr", "passive"}, t.linkMode) {
		return refuse(roundConfig, "totem.link_mode",
			"The Knet link mode \"%s\" specified is invalid.  It must be active, passive or rr.", t.linkMode)
	}
	if t.transport != transportKnet {
		if len(configured) > 1 {
			return refuse(roundConfig, "totem.transport",
				"%d is too many configured interfaces for non-Knet transport.", len(configured))
		}
		if !t.crypto.none() {
			return refuse(roundConfig, "totem.transport",
				"crypto_cipher & crypto_hash are only valid for the Knet transport.")
		}
	}
	if t.netMTU == 0 {
		t.netMTU = udpMTU
		if t.transport == transportKnet {
			t.netMTU = knetMTU
		}
	}
	return nil
}
