package conf

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Difference is a setting that must be the same on all nodes of a cluster,
// and is not.
type Difference struct {
	Key  string // as in corosync.conf, by the first configuration's places
	Name string // as the first file names it: Key, or TOML's field
	What string // what differs, where the key alone does not say it
	// A and B are the values in use, "none" for what is not there.
	A, B string
	// LineA and LineB are where they stand in their files, or what is nearest to
	// where they would; 0 if nothing is.
	LineA, LineB int
	Why          string // what comes of it
}

// Compare finds what must be the same in two nodes' configurations and is not.
// What may differ from node to node is left out: logging, users, scheduling,
// heartbeats and priorities of links, sizes and compression of what a node sends.
// Keys that come from files are compared if both are known.
func Compare(a, b *Config) []Difference {
	c := comparer{a: a, b: b, aKeys: mapOf(a.Keys), bKeys: mapOf(b.Keys)}
	c.cluster()
	c.crypto()
	c.timers()
	c.nodes()
	c.links()
	c.quorum()
	return c.found
}

// CompareFiles does the same with the files of two nodes of one cluster, read
// on this host. open names what is not in the files and has to be the same too.
// An error says why a file cannot be compared.
func CompareFiles(file, other string, env Env) (found []Difference, open []string, err error) {
	var readings [2]*reading
	var configs [2]*Config
	for i, path := range []string{file, other} {
		r := readForeign(path, env)
		if len(r.refusals) > 0 {
			return nil, nil, r.refusals[0]
		}
		readings[i], configs[i] = r, r.config()
	}
	found = Compare(configs[0], configs[1])
	for i := range found {
		d := &found[i]
		d.Name = readings[0].nameOf(d.Key)
		if d.LineA == 0 {
			d.LineA = readings[0].lineOf(d.Key)
		}
		if d.LineB == 0 {
			d.LineB = readings[1].lineOf(d.Key)
		}
	}
	a, b := configs[0], configs[1]
	if a.Key != nil && b.Key != nil && (inlineKey(a) == nil || inlineKey(b) == nil) {
		open = append(open, "the crypto key, which is in a file of its own")
	}
	return found, open, nil
}

// nameOf is a key as its file names it, or would.
func (r *reading) nameOf(key string) string {
	name := r.shown(key)
	if f, ok := linkSchema.byKey[linkKeyName(key)]; ok && r.toml && name == key {
		number, _, _ := strings.Cut(strings.TrimPrefix(key, interfacePrefix), ".")
		return "link[number=" + number + "]." + f.path
	}
	return name
}

// maxHosts bounds how many nodes are tried as the own one.
const maxHosts = 16

// readForeign reads the file of any node of a cluster: what a node has to have
// on its own host (log files, directories, users, a key) is taken for given. This
// host counts as the own node, or the first one of the list that can be.
func readForeign(path string, env Env) *reading {
	own := env
	env.TryLog, env.TryDir, env.ListDir = nil, nil, nil
	found := func(string) (uint32, bool) { return 0, true }
	env.LookupUser, env.LookupGroup = found, found
	env.ReadFile = func(name string, limit int) ([]byte, error) {
		if name == path {
			return own.readFile(name, limit)
		}
		return make([]byte, minKey), nil // it is the crypto key
	}
	r := readKeys(path, &env)
	if len(r.refusals) > 0 {
		return r
	}
	first := r.validate(&env)
	if first == nil {
		return r
	}
	env.Reverse, env.Addrs = nil, nil
	tried := 0
	for _, k := range r.keys.nodeKeys() {
		text, ok := r.keys.text(k.key)
		if !ok || k.name != "name" && k.name != "ring0_addr" || tried == maxHosts {
			continue
		}
		env.HostName = text
		err := r.validate(&env)
		if err == nil {
			return r
		}
		if tried++; tried == 1 {
			first = err
		}
	}
	return r.refuse(first)
}

// inlineKey returns the key if it stands in the configuration itself.
func inlineKey(c *Config) []byte {
	if slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Name == "totem.keyfile" }) ||
		!slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Name == "totem.key" && k.Type == TypeString }) {
		return nil
	}
	return c.Key
}

type comparer struct {
	a, b         *Config
	aKeys, bKeys *keyMap
	found        []Difference
}

// add notes a difference of values in use.
func (c *comparer) add(key, what, a, b, why string) {
	c.addAt(key, key, what, a, b, why)
}

// addAt does the same where the key has another name in b.
func (c *comparer) addAt(key, keyB, what, a, b, why string) {
	if a != b {
		c.found = append(c.found, Difference{Key: key, Name: key, What: what, A: shownValue(a), B: shownValue(b),
			LineA: c.aKeys.line(key), LineB: c.bKeys.line(keyB), Why: why})
	}
}

func shownValue(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// cluster compares what all else builds on.
func (c *comparer) cluster() {
	a, b := c.a, c.b
	c.add("totem.transport", "", a.Transport, b.Transport, "the nodes do not speak the same protocol")
	why := "tools, DLM and the quorum device take the nodes for members of two clusters"
	if a.Transport == transportUDP {
		why = "the multicast group is made of it, unless mcastaddr is given"
	}
	c.add("totem.cluster_name", "", a.Name, b.Name, why)
	if a.ConfigVersion != 0 && b.ConfigVersion != 0 {
		c.add("totem.config_version", "", strconv.FormatUint(a.ConfigVersion, 10), strconv.FormatUint(b.ConfigVersion, 10),
			"when the nodes meet, the one with the lower version stops")
	}
}

func (c *comparer) crypto() {
	const why = "the nodes do not understand each other's packets"
	c.add("totem.crypto_cipher", "", c.a.Cipher, c.b.Cipher, why)
	c.add("totem.crypto_hash", "", c.a.Hash, c.b.Hash, why)
	a, b := inlineKey(c.a), inlineKey(c.b)
	if a != nil && b != nil && !bytes.Equal(a, b) { // never show a key
		c.add("totem.key", "", fmt.Sprintf("a key of %d bytes", len(a)), fmt.Sprintf("another of %d", len(b)), why)
	}
}

// timers compares the protocol's values in use, which hang on the nodelist too.
func (c *comparer) timers() {
	a, b := c.a.Totem, c.b.Totem
	for _, v := range []struct {
		name    string
		a, b    time.Duration
		follows bool // from another one that differs, unless it is given
	}{
		{"token", a.Token, b.Token, false},
		{"token_retransmit", a.TokenRetransmit, b.TokenRetransmit, a.Token != b.Token},
		{"hold", a.Hold, b.Hold, a.TokenRetransmit != b.TokenRetransmit},
		{"join", a.Join, b.Join, false},
		{"consensus", a.Consensus, b.Consensus, a.Token != b.Token},
		{"merge", a.Merge, b.Merge, false},
		{"max_network_delay", a.MaxNetworkDelay, b.MaxNetworkDelay, false},
	} {
		if _, given := c.aKeys.u32("totem." + v.name); v.follows && !given {
			if _, given := c.bKeys.u32("totem." + v.name); !given {
				continue
			}
		}
		c.add("totem."+v.name, "the value in use", fmt.Sprintf("%d ms", v.a.Milliseconds()), fmt.Sprintf("%d ms", v.b.Milliseconds()),
			"the nodes do not agree on when another one is lost")
	}
	for _, v := range []struct {
		name string
		a, b int
	}{
		{"fail_recv_const", a.FailToReceive, b.FailToReceive}, {"seqno_unchanged_const", a.SeqUnchanged, b.SeqUnchanged},
		{"heartbeat_failures_allowed", a.HeartbeatFailures, b.HeartbeatFailures},
		{"window_size", a.WindowSize, b.WindowSize}, {"max_messages", a.MaxMessages, b.MaxMessages},
		{"miss_count_const", a.MissCount, b.MissCount},
	} {
		c.add("totem."+v.name, "the value in use", strconv.Itoa(v.a), strconv.Itoa(v.b), "all members of a ring go by it")
	}
}

// nodelistKey stands for what is about all nodes; no key has this name.
const nodelistKey = "nodelist.node"

// nodes compares the nodelists, node by node.
func (c *comparer) nodes() {
	byID := func(list []Node, id uint32) int {
		return slices.IndexFunc(list, func(n Node) bool { return n.ID == id })
	}
	shared := [2][]string{}
	for _, n := range c.a.Nodes {
		i := byID(c.b.Nodes, n.ID)
		if i < 0 {
			c.add(nodeName(uint32(n.Pos), "nodeid"), "the node", strconv.FormatUint(uint64(n.ID), 10), "", "only one of the two expects it")
			continue
		}
		shared[0] = append(shared[0], strconv.FormatUint(uint64(n.ID), 10))
		c.node(n, c.b.Nodes[i])
	}
	for _, n := range c.b.Nodes {
		id := strconv.FormatUint(uint64(n.ID), 10)
		if byID(c.a.Nodes, n.ID) >= 0 {
			shared[1] = append(shared[1], id)
			continue
		}
		c.found = append(c.found, Difference{Key: nodelistKey, Name: nodelistKey, What: "the node", A: "none", B: id,
			LineB: c.bKeys.line(nodeName(uint32(n.Pos), "nodeid")), Why: "only one of the two expects it"})
	}
	c.add(nodelistKey, "the order of the nodes", strings.Join(shared[0], " "), strings.Join(shared[1], " "),
		"what counts nodes by their place, such as keys for SCSI reservations, gets mixed up")
}

func (c *comparer) node(a, b Node) {
	at := func(name string) (string, string) {
		return nodeName(uint32(a.Pos), name), nodeName(uint32(b.Pos), name)
	}
	what := fmt.Sprintf("of node %d", a.ID)
	key, keyB := at("name")
	c.addAt(key, keyB, what, a.Name, b.Name, "tools and Pacemaker take it for another node")
	key, keyB = at("quorum_votes")
	c.addAt(key, keyB, what, strconv.FormatUint(uint64(a.Votes), 10), strconv.FormatUint(uint64(b.Votes), 10), whyQuorum)
	for n := range maxLinks {
		if a.AddrText[n] == b.AddrText[n] || a.Addrs[n] == b.Addrs[n] && a.Addrs[n].IsValid() {
			continue
		}
		key, keyB = at(ringName(n))
		c.addAt(key, keyB, what, addressText(a.AddrText[n], a.Addrs[n]), addressText(b.AddrText[n], b.Addrs[n]),
			fmt.Sprintf("packets on link %d go to, and are taken from, two different addresses", n))
	}
}

// addressText shows an address, and the name that stands for it.
func addressText(text string, a netip.Addr) string {
	if _, numeric := parseNumeric(text); numeric || !a.IsValid() {
		return text
	}
	return text + " (" + printed(a) + ")"
}

// links compares what packets of a link have to have in common.
func (c *comparer) links() {
	for _, l := range c.a.Links {
		i := slices.IndexFunc(c.b.Links, func(o Link) bool { return o.Number == l.Number })
		if i < 0 {
			continue // its addresses are told
		}
		o, number := c.b.Links[i], uint32(l.Number)
		c.add(linkKey(number, "mcastport"), "", strconv.Itoa(int(l.Port)), strconv.Itoa(int(o.Port)),
			"each sends to a port where the other does not listen")
		if c.a.Transport == transportUDP && c.b.Transport == transportUDP {
			c.add(linkKey(number, "broadcast"), "", strconv.FormatBool(l.Broadcast), strconv.FormatBool(o.Broadcast),
				"the nodes do not hear each other")
			c.add(linkKey(number, "mcastaddr"), "", l.McastAddr.String(), o.McastAddr.String(), "the nodes are in two multicast groups")
		}
	}
}

const whyQuorum = "the nodes do not agree on when there is a quorum"

// quorumKeys are compared as written, with what it means to leave them out.
var quorumKeys = []struct {
	name, def string
	flag      bool
}{
	{name: "two_node", flag: true}, {name: "wait_for_all", flag: true},
	{name: "last_man_standing", flag: true}, {name: "last_man_standing_window", def: "10000"},
	{name: "auto_tie_breaker", flag: true}, {name: "auto_tie_breaker_node", def: "lowest"},
	{name: "allow_downscale", flag: true}, {name: "expected_votes_tracking", flag: true},
	{name: "device.model"}, {name: "device.votes"}, {name: "device.timeout", def: "10000"},
	{name: "device.sync_timeout", def: "30000"}, {name: "device.net.host"}, {name: "device.net.port", def: "5403"},
	{name: "device.net.algorithm", def: "ffsplit"}, {name: "device.net.tie_breaker", def: "lowest"},
}

func (c *comparer) quorum() {
	c.add("quorum.provider", "", c.a.QuorumProvider, c.b.QuorumProvider, whyQuorum)
	if c.a.QuorumProvider == "" || c.b.QuorumProvider == "" {
		return
	}
	a, given := expectedVotes(c.a, c.aKeys)
	b, givenB := expectedVotes(c.b, c.bKeys)
	if given || givenB { // otherwise it follows from the nodes
		c.add("quorum.expected_votes", "the value in use", a, b, whyQuorum)
	}
	model, _ := c.aKeys.text("quorum.device.model")
	modelB, _ := c.bKeys.text("quorum.device.model")
	for _, q := range quorumKeys {
		if strings.HasPrefix(q.name, "device.") && model == "" && modelB == "" {
			continue // there is no device that would look at it
		}
		c.add("quorum."+q.name, "", quorumValue(c.aKeys, q.name, q.def, q.flag), quorumValue(c.bKeys, q.name, q.def, q.flag),
			whyQuorum)
	}
}

// expectedVotes returns the votes of the whole cluster, and if they are given
// rather than counted.
func expectedVotes(c *Config, keys *keyMap) (votes string, given bool) {
	if n, ok := keys.u32("quorum.expected_votes"); ok && n > 0 {
		return strconv.FormatUint(uint64(n), 10), true
	}
	var sum uint64
	for _, n := range c.Nodes {
		sum += uint64(n.Votes)
	}
	if model, _ := keys.text("quorum.device.model"); model != "" {
		n, ok := keys.u32("quorum.device.votes")
		if !ok {
			n = uint32(max(sum, 1) - 1)
		}
		sum += uint64(n)
	}
	return strconv.FormatUint(sum, 10), false
}

// quorumValue returns a value of the quorum section with its default.
func quorumValue(keys *keyMap, name, def string, flag bool) string {
	k, given := keys.entries["quorum."+name]
	switch {
	case !given && name == "wait_for_all":
		return quorumValue(keys, "two_node", "", true)
	case !given && flag:
		return "no"
	case !given:
		return def
	case flag && k.Num != 0:
		return "yes"
	case flag:
		return "no"
	}
	return cmp.Or(k.Value(), def)
}
