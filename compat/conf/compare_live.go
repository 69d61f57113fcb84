package conf

import (
	"fmt"
	"slices"
	"strings"
)

// A Fate is what becomes of a change when a running daemon reloads its
// configuration.
type Fate string

const (
	// FateChanges: the new value is in use after the reload.
	FateChanges Fate = "changes"
	// FateStored: the new value is in cmap after the reload, for those who look
	// there; the daemon itself does not use it.
	FateStored Fate = "stored"
	// FateRestart: the daemon goes on with the old value until it is started
	// again.
	FateRestart Fate = "restart"
)

// A Change is a key whose value in a configuration file is not that of the
// running daemon.
type Change struct {
	Key       string
	Name      string // as the file names it: Key, or TOML's field
	Fate      Fate
	Live, New string // values; "none" for a key that is not there
	Line      int    // in the file; 0 if it does not stand there
}

// CompareLive finds what a daemon would make of a file if it were to reload now.
// live is its map, as cmap has it. refused says why the daemon would refuse the
// file as a whole; err that the map is not one of a daemon that can be
// understood.
//
// It tells what this project's daemon does. Stock 3.1.7 does the same with files
// that are right; of a wrong one it takes part and refuses the rest, and for
// what needs a restart it often gives no notice.
//
// The crypto key in a file of its own is not in the map: whether it changed
// cannot be told.
func CompareLive(path string, live []Key, env Env) (changes []Change, refused, err error) {
	running, err := configOf(live, env)
	if err != nil {
		return nil, nil, fmt.Errorf("the running configuration: %w", err)
	}
	file := readKeys(path, &env)
	if len(file.refusals) > 0 {
		return nil, reloadError(file.refusals[0]), nil
	}
	plan, err := Reload(path, env, running)
	if err != nil {
		return nil, err, nil
	}
	c := liveComparer{file: file, running: running, plan: plan, live: mapOf(live), after: mapOf(plan.Config.Keys)}
	names := c.live.prefix("")
	for _, k := range plan.Config.Keys {
		names = append(names, k.Name)
	}
	for _, k := range file.keys.list() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		c.key(name)
	}
	return c.changes, nil, nil
}

// configOf is the configuration of a daemon with this map.
func configOf(live []Key, env Env) (*Config, error) {
	env.TryLog, env.TryDir = nil, nil // they did when it started
	own := env
	env.ReadFile = func(path string, limit int) ([]byte, error) {
		if b, err := own.readFile(path, limit); err == nil {
			return b, nil
		}
		return make([]byte, minKey), nil
	}
	r := &reading{file: "cmap", keys: newKeyMap()}
	for _, k := range live {
		if strings.HasPrefix(k.Name, "runtime.") || isOwnKey(k.Name) {
			continue
		}
		if name := linkKeyName(k.Name); name != "mcastaddr" && name != "mcastport" { // these may be made of others
			k.Line = 1 // it came from the file
		}
		r.keys.set(k)
	}
	if r.refuse(r.validate(&env)); len(r.refusals) > 0 {
		return nil, r.refusals[0]
	}
	return r.config(), nil
}

// isOwnKey tells if a daemon sets a key for itself while it runs.
func isOwnKey(name string) bool {
	for _, p := range []string{"config.", "internal_configuration.", "stats."} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return name == localPosition
}

// linkKeyName returns the last part of a link's key, "" of any other.
func linkKeyName(key string) string {
	rest, ok := strings.CutPrefix(key, interfacePrefix)
	_, name, _ := strings.Cut(rest, ".")
	if !ok || strings.Contains(name, ".") {
		return ""
	}
	return name
}

type liveComparer struct {
	file        *reading // with the file's wishes, of which a reload does not grant all
	running     *Config
	plan        *Plan
	live, after *keyMap
	changes     []Change
}

// key compares one key before and after a reload with what the file wants.
func (c *liveComparer) key(name string) {
	old, was := c.live.entries[name]
	now, is := c.after.entries[name]
	want, asked := c.file.keys.entries[name]
	switch {
	case isOwnKey(name), linkKeyName(name) == "bindnetaddr": // follows from the nodelist
	case strings.HasPrefix(name, "runtime."):
		if was && is && !sameValue(old, now) {
			c.add(name, FateChanges, old, now)
		}
	case asked && (!is || !sameValue(want, now)): // a reload does not grant it
		if !was || !sameValue(old, want) {
			c.add(name, FateRestart, old, want)
		}
	case was == is && sameValue(old, now):
		if was && !asked && slices.Contains(fixedKeys, name) {
			c.add(name, FateRestart, old, Key{}) // gone from the file, and kept
		}
	case is || slices.ContainsFunc(ReloadedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
		c.add(name, c.fate(name), old, now)
	}
}

// fate tells what becomes of a key whose value a reload replaces.
func (c *liveComparer) fate(name string) Fate {
	if slices.ContainsFunc(c.plan.Notices, func(n string) bool { return strings.Contains(n, "'"+name+"'") }) {
		return FateRestart // of what takes effect at the next start a reload gives notice
	}
	for _, l := range c.running.Links {
		if kept := linkKey(uint32(l.Number), linkKeyName(name)); kept == name && slices.Contains(fixedLinkKeys, linkKeyName(name)) {
			return FateRestart
		}
	}
	section, _, _ := strings.Cut(name, ".")
	switch f, known := documentSchema.byKey[name]; {
	case slices.Contains([]string{"logging", "uidgid", "nodelist", "nozzle"}, section), linkKeyName(name) != "":
		return FateChanges
	case known && section != "resources" && !strings.HasPrefix(f.path, "legacy."):
		return FateChanges
	}
	return FateStored
}

func (c *liveComparer) add(name string, fate Fate, old, now Key) {
	shown := func(k Key) string {
		if k.Name == "" {
			return "none"
		}
		if name == "totem.key" {
			return "a key"
		}
		return shownValue(k.Value())
	}
	change := Change{Key: name, Name: c.file.nameOf(name), Fate: fate, Live: shown(old), New: shown(now), Line: c.file.keys.line(name)}
	if change.Line == 0 {
		change.Line = now.Line
	}
	c.changes = append(c.changes, change)
}
