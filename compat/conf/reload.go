package conf

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A Plan is what a reload changes: what a running daemon goes on with, and what
// there is to say about it.
type Plan struct {
	// Config is the file's configuration, with the running one's values where
	// those cannot change.
	Config *Config
	// Notices name what the file changes in vain, in the order of the keys.
	Notices []string
	// Crypto tells that packets get another protection: cipher, hash or key.
	Crypto bool
}

// fixedKeys cannot change while a daemon runs (exec/cfg.c:remove_ro_entries).
var fixedKeys = []string{
	"quorum.provider",
	"system.allow_knet_handle_fallback", "system.move_to_root_cgroup", "system.priority", "system.qb_ipc_type",
	"system.sched_rr", "system.state_dir",
	"totem.cluster_name", "totem.ip_dscp", "totem.ip_version", "totem.netmtu", "totem.threads", "totem.transport",
	"totem.version",
}

// fixedLinkKeys cannot change for a link that stays. The reference means to keep
// them too, but looks for them without the link's number and so never finds them.
// It then goes on with the old ones and shows the new; on udpu a new port ends
// the ring.
var fixedLinkKeys = []string{"broadcast", "mcastaddr", "mcastport", "ttl"}

// ReloadedPrefixes are the parts of the map that a reload sets anew: keys there
// that the file does not have any more are deleted
// (exec/cfg.c:message_handler_req_exec_cfg_reload_config).
var ReloadedPrefixes = []string{"logging.", "totem.", "nodelist.", "quorum.", "uidgid.config.", "nozzle."}

// Reload reads a configuration file for a daemon that runs with another
// configuration. The file must be right as a whole, as for a start; what cannot
// change keeps its value, and what would tear the ring is an error. Nothing is
// changed by it.
//
// It is stricter than the reference, which does not look again whether the file
// has this node, whether numbers are there twice, and at the logging section;
// whose own number may change (but the process keeps the old); and which has
// taken half of a refused file into its map by the time that it refuses it.
func Reload(path string, env Env, running *Config) (*Plan, error) {
	r := readKeys(path, &env)
	if len(r.refusals) > 0 {
		return nil, reloadError(r.refusals[0])
	}
	return r.plan(&env, running)
}

// plan goes on from the keys of a file.
func (r *reading) plan(env *Env, running *Config) (*Plan, error) {
	p := &Plan{Notices: r.keepFixed(mapOf(running.Keys), running.Links)}
	if r.refuse(r.validate(env)); len(r.refusals) > 0 {
		return nil, reloadError(r.refusals[0])
	}
	for _, problem := range startProblems(r.totem) {
		if problem.Severity == StartError {
			r.place(problem.Error)
			return nil, reloadError(problem.Error)
		}
	}
	p.Config = r.config()
	if e := unmoved(running, p.Config); e != nil {
		r.place(e)
		return nil, &ReloadError{Doing: reloadLinks, Err: e}
	}
	p.Notices = append(p.Notices, later(running, p.Config)...)
	p.Crypto = running.Cipher != p.Config.Cipher || running.Hash != p.Config.Hash || string(running.Key) != string(p.Config.Key)
	return p, nil
}

// What failed, in the reference's words.
const (
	reloadParse  = "Unable to reload config file"
	reloadLinks  = "Cannot configure new interface definitions"
	reloadCrypto = "Crypto configuration is not valid"
	reloadValid  = "Configuration is not valid"
)

// A ReloadError says why a reload was refused. Its text is the line that the
// reference logs, with the place in the file.
type ReloadError struct {
	Doing string
	Err   *Error
}

// Error returns what failed, and why.
func (e *ReloadError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap returns the error in the configuration.
func (e *ReloadError) Unwrap() error { return e.Err }

func reloadError(e *Error) error {
	doing := reloadValid
	switch {
	case e.round == roundOpen, e.round == roundParse, e.round == roundTOML:
		doing = reloadParse
	case strings.HasPrefix(e.Key, "totem.crypto_"), strings.HasPrefix(e.Key, "totem.key"),
		e.Key == "" && strings.HasPrefix(e.Text, "Could "): // the usual key file, which no key names
		doing = reloadCrypto
	}
	return &ReloadError{doing, e}
}

// keepFixed gives keys that cannot change their running values back and returns
// a notice for each that the file would have changed.
func (r *reading) keepFixed(running *keyMap, links []Link) (notices []string) {
	fixed := slices.Clone(fixedKeys)
	for _, l := range links {
		if !r.keys.hasLink(uint32(l.Number)) {
			continue // it goes; whatever comes under its number later is a new one
		}
		for _, name := range fixedLinkKeys {
			fixed = append(fixed, linkKey(uint32(l.Number), name))
		}
	}
	slices.Sort(fixed)
	for _, key := range fixed {
		now, given := r.keys.entries[key]
		old, was := running.entries[key]
		if !given && !was || given && was && sameValue(old, now) {
			continue
		}
		verb := "Modified"
		if !given {
			if old.Line == 0 {
				continue // never was in a file: it will be made again
			}
			verb = "Removed"
		}
		notices = append(notices, fmt.Sprintf("%s entry '%s' in %s cannot be changed at run-time", verb, r.shown(key), r.fileName()))
		if was {
			r.keys.set(old)
		} else {
			r.keys.remove(key)
		}
	}
	return notices
}

// shown is a key as its file names it.
func (r *reading) shown(key string) string {
	if r.toml {
		return r.fieldOf(key)
	}
	return key
}

func (r *reading) fileName() string {
	if r.toml {
		return filepath.Base(r.file)
	}
	return "corosync.conf"
}

func sameValue(a, b Key) bool { return a.Type == b.Type && a.Num == b.Num && a.Text == b.Text }

// remove takes a key out of the map.
func (m *keyMap) remove(name string) {
	delete(m.entries, name)
	m.names = nil
}

// hasLink tells if a section or a node's address makes a link of that number.
func (m *keyMap) hasLink(number uint32) bool {
	if len(m.prefix(linkKey(number, ""))) > 0 {
		return true
	}
	return slices.ContainsFunc(m.nodeKeys(), func(k nodeKey) bool {
		n, ok := cutRing(k.name)
		return ok && n == number
	})
}

// unmoved refuses what a ring that runs would not survive: an address that
// changes under a link in use, and another number of this node
// (exec/totemconfig.c:check_things_have_not_changed).
func unmoved(running, c *Config) *Error {
	if c.Self != running.Self {
		return refuse(roundConfig, nodeName(uint32(c.Nodes[max(c.LocalPos, 0)].Pos), "nodeid"),
			"the nodeid of this node cannot be changed at run-time (from %d to %d)", running.Self, c.Self)
	}
	for _, l := range running.Links {
		if !slices.ContainsFunc(c.Links, func(n Link) bool { return n.Number == l.Number }) {
			continue
		}
		for _, node := range c.Nodes {
			i := slices.IndexFunc(running.Nodes, func(n Node) bool { return n.ID == node.ID })
			if i < 0 {
				continue
			}
			from, to := running.Nodes[i].Addrs[l.Number], node.Addrs[l.Number]
			if from.IsValid() && to.IsValid() && from != to {
				return refuse(roundConfig, nodeName(uint32(node.Pos), ringName(l.Number)),
					"new config has different address for link %d (addr changed from %v to %v). Internal value was NOT changed. "+
						"To reconfigure an interface it must be deleted and recreated. "+
						"A working interface needs to be available to corosync at all times", l.Number, from, to)
			}
		}
	}
	return nil
}

// later tells of what is stored and counts from the next start on. The reference
// says nothing.
func later(running, c *Config) (notices []string) {
	was, is := mapOf(running.Keys), mapOf(c.Keys)
	for _, key := range []string{
		"quorum.allow_downscale", "quorum.auto_tie_breaker", "quorum.auto_tie_breaker_node",
		"quorum.expected_votes_tracking", "quorum.last_man_standing", "quorum.last_man_standing_window",
		"quorum.wait_for_all", "totem.link_mode",
	} {
		old, had := was.entries[key]
		now, has := is.entries[key]
		if had != has || had && !sameValue(old, now) {
			notices = append(notices, fmt.Sprintf("Entry '%s' was changed and takes effect at the next start", key))
		}
	}
	return notices
}
