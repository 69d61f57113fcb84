package conf

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// adjustable are the parts of the map that count as soon as a client sets a key
// there (exec/totemconfig.c:totem_change_notify, exec/logconfig.c:main_logging_notify).
var adjustable = []string{"totem.", "logging."}

// Adjust is a [Reload] from a running daemon's map in place of a file: clients have
// set or deleted keys of live. It asks nobody for names and opens no file. What
// live has beside those keys is not looked at.
func Adjust(running *Config, live []Key) (*Plan, error) {
	env := runningEnv(running)
	r := &reading{file: "cmap", keys: mapOf(running.Keys)}
	for _, prefix := range adjustable {
		for _, name := range r.keys.prefix(prefix) {
			if !slices.ContainsFunc(live, func(k Key) bool { return k.Name == name }) {
				r.keys.remove(name)
			}
		}
	}
	for _, k := range live {
		if slices.ContainsFunc(adjustable, func(p string) bool { return strings.HasPrefix(k.Name, p) }) {
			k.Line = r.keys.line(k.Name)
			r.keys.set(k)
		}
	}
	p, err := r.plan(&env, running)
	if e, ok := errors.AsType[*Error](err); ok {
		e.Line = 0 // that of a file
	}
	return p, err
}

// runningEnv is a host that has what the running configuration has been read from.
func runningEnv(running *Config) Env {
	return Env{
		StateDir: running.StateDir,
		ReadFile: func(_ string, limit int) ([]byte, error) { return running.Key[:min(limit, len(running.Key))], nil },
		Resolve: func(name string) (addrs []netip.Addr, _ error) {
			for _, n := range running.Nodes {
				for i, text := range n.AddrText {
					if text == name {
						addrs = append(addrs, n.Addrs[i])
					}
				}
			}
			return addrs, nil
		},
	}
}
