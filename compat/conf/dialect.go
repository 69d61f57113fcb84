package conf

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The dialect of corosync 2: what 2.4.6 read in a file, said in the words of
// 3.1.7. Files of corosync 1 have it too, as far as they have these keys.
//
// Reference: exec/coroparse.c and exec/totemconfig.c of 2.4.6.

// A coroItem is a key's line as it stands, before anything is checked.
type coroItem struct {
	line                 int
	section, name, value string
}

// coroItems returns the key lines of a text, whatever else is wrong with it.
func coroItems(data []byte) []coroItem {
	var items []coroItem
	sections := []string{""}
	lines := lineReader{rest: data}
	for number := 1; ; number++ {
		line, _, ok := lines.next()
		if !ok {
			return items
		}
		text := trimBlanks(string(line))
		top := sections[len(sections)-1]
		if text == "" || text[0] == '#' {
			continue
		}
		if before, _, ok := cutAt(text, '{'); ok {
			if len(top) < maxName { // deeper ones are not read anyway
				top = join(top, trimName(before))
			}
			sections = append(sections, top)
		} else if before, after, ok := cutAt(text, ':'); ok {
			items = append(items, coroItem{number, top, trimName(before), trimBlanks(after)})
		} else if strings.Contains(text, "}") && len(sections) > 1 {
			sections = sections[:len(sections)-1]
		}
	}
}

// Keys and values that tell the dialects apart. rrp_* stands for all such.
var (
	only2 = strings.Fields("totem.interface.ringnumber totem.rrp_mode totem.vsftype totem.crypto_type qb.ipc_type " +
		"totem.rrp_token_expired_timeout totem.rrp_problem_count_timeout totem.rrp_problem_count_threshold " +
		"totem.rrp_problem_count_mcast_threshold totem.rrp_autorecovery_check_timeout " +
		"totem.crypto_cipher=3des totem.transport=iba compatibility service.name aisexec.user aisexec.group")
	only3 = strings.Fields("totem.interface.linknumber totem.link_mode totem.transport=knet totem.crypto_model " +
		"totem.ip_version=ipv6-4 totem.ip_version=ipv4-6 system.qb_ipc_type system.sched_rr system.priority " +
		"system.move_to_root_cgroup system.allow_knet_handle_fallback system.state_dir nozzle.name")
)

// recognise tells for which version a file was written: for 2 if it has keys
// that only 2 knew, and none that only 3 knows.
func (d *Document) recognise(data []byte) int {
	var first *coroItem
	items := coroItems(data)
	for i, it := range items {
		key := join(it.section, it.name)
		with := key + "=" + it.value
		if slices.Contains(only3, key) || slices.Contains(only3, with) || strings.HasPrefix(key, "totem.knet_") ||
			strings.HasPrefix(key, "totem.interface.knet_") {
			return 3
		}
		if first == nil && (slices.Contains(only2, key) || slices.Contains(only2, with)) {
			first = &items[i]
		}
	}
	if first == nil {
		return 3
	}
	d.find(Warning, first.line, join(first.section, first.name),
		"only corosync 2 and older have this: the file is read as corosync 2 read it. If a node of corosync 3 runs with it, say --from 3")
	return 2
}

// modern turns the text into one that the grammar of 3 takes, line by line,
// where that of 2 was laxer.
func (d *Document) modern(data []byte) []byte {
	items := make(map[int]coroItem)
	for _, it := range coroItems(data) {
		items[it.line] = it
	}
	var out bytes.Buffer
	lines := lineReader{rest: data}
	for number := 1; ; number++ {
		line, tooLong, ok := lines.next()
		if !ok || tooLong {
			if tooLong { // the grammar says it better
				return data
			}
			return out.Bytes()
		}
		text := string(line)
		if bare := trimBlanks(text); bare != "" && bare[0] != '#' && !strings.Contains(bare, "{") {
			it, isItem := items[number]
			switch {
			case isItem:
				text = d.modernItem(it, text)
			case !strings.Contains(bare, "}"):
				d.find(Warning, number, "", "corosync 2 ignored this line, and 3 refuses it: left out")
				text = ""
			case bare != "}":
				d.find(Warning, number, "", "corosync 2 ignored what stands beside the brace, and 3 refuses it: left out")
				text = "}"
			}
		}
		out.WriteString(text)
		out.WriteByte('\n')
	}
}

func (d *Document) modernItem(it coroItem, text string) string {
	switch key := join(it.section, it.name); {
	case key == "totem.interface.ringnumber":
		return "linknumber: " + it.value
	case key == "totem.interface.linknumber":
		d.find(Warning, it.line, key, "corosync 2 does not know it: left out")
	case key == "totem.crypto_cipher" && it.value == "3des":
		d.find(Refused, it.line, key, "3des has no equal: set crypto.cipher and crypto.hash alike on all nodes, e.g. aes256 and sha256")
	case !validName("aaa" + it.name):
		d.find(Warning, it.line, key, "corosync 2 ignored a key of such a name, and 3 refuses it: left out")
	default:
		return text
	}
	return ""
}

// as24 gives the keys the meaning that 2.4 had for them where 3 has another.
func (d *Document) as24(k *keyMap) {
	d.transport24(k)
	d.crypto24(k)
	d.rings24(k)
	if n, ok := k.u32("totem.token"); !ok || n == 0 {
		d.setNum(k, "totem.token", TypeU32, 1000, "corosync 2 waits 1000 ms for the token if nothing is said, corosync 3 waits 3000: written out")
	}
	if text, ok := k.text("qb.ipc_type"); ok && slices.Contains(vocabularies[stateSystem]["system.qb_ipc_type"].words, text) {
		d.setText(k, "system.qb_ipc_type", text, k.line("qb.ipc_type"), "qb.ipc_type is called so since corosync 3")
		dropKey(k, "qb.ipc_type")
	}
}

func (d *Document) setText(k *keyMap, key, text string, line int, why string) {
	if line == 0 {
		line = k.line(key)
	}
	d.find(Warning, line, key, "%s", why)
	k.set(Key{Name: key, Type: TypeString, Text: text, Line: line})
}

func (d *Document) setNum(k *keyMap, key string, t KeyType, n uint64, why string) {
	d.find(Warning, k.line(key), key, "%s", why)
	k.setNum(key, t, n)
}

func dropKey(k *keyMap, name string) {
	delete(k.entries, name)
	k.names = nil
}

func (d *Document) transport24(k *keyMap) {
	const key = "totem.transport"
	switch text, ok := k.text(key); {
	case !ok:
		d.setText(k, key, "udp", 0, "corosync 2 uses udp if nothing is said, corosync 3 uses knet: written out")
	case text == "iba":
		d.find(Refused, k.line(key), key, "InfiniBand has no equal: set transport.type to knet on all nodes, over IP addresses")
	case text != "udp" && text != "udpu":
		d.setText(k, key, "udp", 0, "corosync 2 takes every word it does not know for udp")
	}
	if _, ok := k.text("totem.ip_version"); ok {
		return
	}
	if transport, _ := k.text(key); transport != "udpu" {
		return // udp has the same default in 3
	}
	for _, name := range k.prefix(nodePrefix) {
		text, _ := k.text(name)
		if _, err := netip.ParseAddr(text); strings.HasSuffix(name, "_addr") && err != nil {
			d.setText(k, "totem.ip_version", "ipv4", 0,
				"corosync 2 takes the IPv4 address of a name if nothing is said, corosync 3 the IPv6 address: written out")
			return
		}
	}
}

// crypto24 writes cipher and hash out where 3 would have others
// (exec/totemconfig.c:totem_get_crypto of 2.4.6).
func (d *Document) crypto24(k *keyMap) {
	cipher, hash := "aes256", "sha1"
	if text, _ := k.text("totem.secauth"); text == "off" {
		cipher, hash = "none", "none"
	}
	if text, _ := k.text("totem.crypto_cipher"); slices.Contains(ciphers, text) {
		cipher = text
	}
	if text, _ := k.text("totem.crypto_hash"); slices.Contains(hashes, text) {
		hash = text
	}
	now := totem{keys: k, env: &Env{}}
	_ = now.readCrypto() // the key's bytes do not matter here
	if now.crypto.cipher != cipher || now.crypto.hash != hash {
		why := "corosync 2 encrypts with " + cipher + " and " + hash + " if nothing else is said, corosync 3 does not: written out"
		line := max(k.line("totem.secauth"), k.line("totem.crypto_cipher"), k.line("totem.crypto_hash"))
		d.setText(k, "totem.crypto_cipher", cipher, line, why)
		k.set(Key{Name: "totem.crypto_hash", Type: TypeString, Text: hash, Line: line})
	}
	if _, ok := k.text("totem.secauth"); ok && cipher != "none" {
		dropKey(k, "totem.secauth") // cipher and hash stand there now, or stood before
	}
	if cipher == "none" && hash == "none" {
		return
	}
	transport, _ := k.text("totem.transport")
	d.find(Refused, k.line("totem.crypto_cipher"), "totem.crypto_cipher",
		"%s with encryption has no equal: corosync 3 and cpgold encrypt knet only. On all nodes together set transport.type to knet "+
			"and give every node an id and a name, or set crypto.cipher and crypto.hash to none", transport)
}

// rings24 handles redundant rings, which are knet's links in 3.
func (d *Document) rings24(k *keyMap) {
	rings := make(map[uint32]int)
	for _, key := range k.prefix(interfacePrefix) {
		text, _, _ := strings.Cut(strings.TrimPrefix(key, interfacePrefix), ".")
		if n, ok := canonical(text, 255); ok {
			rings[uint32(n)] = k.line(key)
		}
	}
	for _, key := range k.prefix(nodePrefix) {
		if n, ok := cutRing(key[strings.LastIndexByte(key, '.')+1:]); ok {
			rings[n] = k.line(key)
		}
	}
	for n := range uint32(maxLinks) {
		if _, ok := rings[n]; !ok || n == 0 {
			continue
		}
		key := linkKey(n, "mcastport")
		if port, ok := k.num(key, TypeU16); !ok || port == 0 {
			d.setNum(k, key, TypeU16, 5405, "corosync 2 uses port 5405 on every ring if nothing is said, corosync 3 uses "+
				strconv.Itoa(5405+int(n))+" here: written out")
		}
	}
	if line, ok := rings[1]; ok {
		d.find(Refused, line, "totem.rrp_mode",
			"redundant rings have no equal: several links need knet. On all nodes together set transport.type to knet and "+
				"transport.link_mode to passive or active, and give every node an id and a name")
	}
}

// inequalities are keys of a corosync.conf that do nothing, or nothing under
// cpgold; a name that ends in a dot or underscore stands for all that begin so.
var inequalities = []struct{ key, text string }{
	{"totem.rrp_mode", "has no effect since corosync 3: there link_mode says how several links are used"},
	{"totem.rrp_", "has no effect since corosync 3: it may go"},
	{"totem.vsftype", "has no effect since corosync 2: it may go"},
	{"totem.threads", "has no effect since corosync 3: it may go"},
	{"totem.crypto_type", "has no effect since corosync 2: crypto_cipher and crypto_hash count"},
	{"totem.nodeid", "has no effect: the nodeid in the nodelist counts"},
	{"quorum.leaving_timeout", "has no effect since corosync 2: it may go"},
	{"nozzle.", "has no effect under cpgold, which makes no nozzle device: let the system make an interface with that address"},
	{"service.", "is of corosync 1 and has no effect: Pacemaker is started by its own service"},
	{"aisexec.", "is of corosync 1 and has no effect: it may go"},
	{"amf.", "is of corosync 1 and has no effect: it may go"},
	{"compatibility", "is of corosync 1 and has no effect: it may go"},
}

// unequal finds what a translation keeps, but what is not as before under
// cpgold.
func (d *Document) unequal(k *keyMap) {
	said := make(map[string]bool)
	for _, key := range k.list() {
		for _, q := range inequalities {
			all := strings.HasSuffix(q.key, ".") || strings.HasSuffix(q.key, "_")
			if key.Name != q.key && !(all && strings.HasPrefix(key.Name, q.key)) {
				continue
			}
			if !said[q.key] || q.key == "totem.rrp_" {
				d.find(Warning, key.Line, key.Name, "%s", q.text)
			}
			said[q.key] = true
			break
		}
		if strings.HasPrefix(key.Name, interfacePrefix) && strings.HasSuffix(key.Name, ".knet_transport") && key.Text == "sctp" {
			d.find(Warning, key.Line, key.Name, "cpgold has no SCTP: set udp on all nodes first")
		}
	}
	if text, ok := k.text(dscpKey); ok {
		d.find(Warning, k.line(dscpKey), dscpKey,
			"corosync marks packets from 3.1.10 on, 3.1.7 does not: to have cpgold do so set transport.dscp to the number of %q", text)
	}
	if text, _ := k.text("quorum.provider"); text == "corosync_ykd" {
		d.find(StartError, k.line("quorum.provider"), "quorum.provider", "cpgold has no corosync_ykd: use corosync_votequorum")
	}
	d.withoutNodes(k)
}

// withoutNodes finds a configuration of bindnetaddr, and perhaps members, only.
func (d *Document) withoutNodes(k *keyMap) {
	links := k.prefix(interfacePrefix)
	if len(k.prefix(nodePrefix)) > 0 || len(links) == 0 {
		return
	}
	var members []string
	line := 0
	for _, key := range links {
		if text, ok := k.text(key); ok && strings.Contains(key, ".member.") {
			members = append(members, text)
		}
		if l := k.line(key); line == 0 || l > 0 && l < line {
			line = l
		}
	}
	slices.Reverse(members) // as in the file
	known := ""
	if members != nil {
		known = "; the members are " + strings.Join(members[:min(len(members), 8)], ", ")
	}
	d.find(Refused, line, "totem.interface",
		"no nodelist: corosync 3 and cpgold need a node with an address, an id and a name for every node of the cluster%s", known)
}

// reversed finds what a corosync.conf made of TOML has otherwise.
func (d *Document) reversed() {
	for _, k := range d.Keys {
		if k.Name == dscpKey && k.Type == TypeU8 {
			d.find(Warning, k.Line, "transport.dscp", "corosync before 3.1.10 takes ip_dscp for a text without effect")
		}
		if k.Type == TypeString && strings.Trim(k.Text, "\xa0") != k.Text {
			d.find(Warning, k.Line, k.Name, "corosync from 3.1.8 on takes the byte a0 at the value's end for a blank and cuts it off")
		}
	}
}
