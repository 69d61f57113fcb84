package conf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// RunsTOML reports whether a configuration file is TOML. One that cannot be read
// is not.
func RunsTOML(path string, env Env) bool {
	data, err := env.readFile(path, maxTOML)
	return err == nil && isTOML(data)
}

// Beside finds what another file of this host means that c does not: tools rewrite
// corosync.conf, and know nothing of a daemon that runs from TOML. The result is
// the keys that differ, by name; an error says why the file means nothing. A file
// that is not there differs in nothing.
func Beside(path string, env Env, c *Config) (keys []string, err error) {
	if _, err := env.readFile(path, 1); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r := read(path, &env)
	if len(r.refusals) > 0 {
		return nil, r.refusals[0]
	}
	a, b := mapOf(c.Keys), mapOf(r.config().Keys)
	for name, k := range a.entries {
		if other, ok := b.entries[name]; !ok || !sameValue(k, other) {
			keys = append(keys, name)
		}
	}
	for name := range b.entries {
		if _, ok := a.entries[name]; !ok {
			keys = append(keys, name)
		}
	}
	keys = slices.DeleteFunc(keys, func(name string) bool { return strings.HasPrefix(name, runtimeName) }) // follows from others
	slices.Sort(keys)
	return keys, nil
}
