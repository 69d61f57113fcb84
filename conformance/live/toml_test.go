package live

import (
	"strings"
	"testing"

	"cpgol/compat/conf"
	"cpgol/conformance/lab"
)

// TestTOML runs a node from TOML among stock ones that have the same cluster's
// corosync.conf.
func TestTOML(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	r := newRing(t, casts[0], kinds[1])
	keys, err := conf.ParseCorosync(strings.NewReader(r.conf), "corosync.conf")
	r.must(err, "parse")
	text, err := conf.ToTOML(keys)
	r.must(err, "write TOML")
	for i, h := range r.Hosts {
		if r.cast.ours[i] {
			r.must(h.StartOurs(daemonBinary, string(text), lab.Key()), "start from TOML:\n%s", text)
		} else {
			r.start(i)
		}
	}
	r.form(1, 2, 3)
	r.join(0, 1, 2)
	r.order(200, 0, 1, 2)
}
