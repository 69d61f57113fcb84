package live

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// TestToolsLinks holds what the tools say of links and nodes over other
// transports, whole and broken, against what they say beside stock.
func TestToolsLinks(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, k := range []struct {
		name string
		opt  lab.Options
		ring lab.Ring
	}{
		{"knet-two-links", lab.Options{Links: 2}, lab.Ring{Transport: "knet", Token: 1000, Cipher: "aes128", Hash: "sha1"}},
		{"knet-ipv6", lab.Options{IPv6: true}, lab.Ring{Transport: "knet", Token: 1000}},
		{"udpu", lab.Options{}, lab.Ring{Transport: "udpu", Token: 1000}},
		{"udp", lab.Options{}, lab.Ring{Transport: "udp", Token: 1000}},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, k.opt, k.ring)
			b.links("whole")
			b.keys()
			b.statNames()
			if k.opt.Links == 2 {
				b.befalls(func(c *cluster) error { return c.Hosts[2].SetLink(1, "down") })
				b.links("link 1 of node 3 down")
			}
			b.befalls(func(c *cluster) error { return c.Hosts[2].SetLink(0, "down") })
			if k.opt.Links != 2 {
				b.befalls(func(c *cluster) error { return c.do("ring 1 2") })
			}
			b.links("link 0 of node 3 down")
			b.befalls(func(c *cluster) error { return c.Hosts[2].SetLink(0, "up") })
			b.befalls(func(c *cluster) error { return c.do("ring 1 2 3") })
			b.links("link 0 up again")
		})
	}
}

// befalls lets something happen to both clusters.
func (b *bench) befalls(f func(*cluster) error) {
	b.t.Helper()
	each(b.t, b.both, func(_ int, c *cluster) error { return f(c) })
}

// links compares what is said of links, which takes its time to be true.
func (b *bench) links(when string) {
	b.t.Helper()
	for _, args := range []string{"-s", "-n", "-b -s", "-i 1 -s", "-i 0 -s", "-i 10.77.0.2 -s", "-a 1", "-a 2", "-a 3", "-a 7"} {
		var out []string
		for begin := time.Now(); time.Since(begin) < 8*time.Second; time.Sleep(200 * time.Millisecond) {
			if out = b.outputs("corosync-cfgtool", strings.Fields(args)...); out[0] == out[len(out)-1] {
				break
			}
		}
		if d := cmp.Diff(lines(out[0]), lines(out[len(out)-1])); d != "" {
			b.t.Errorf("%s: cfgtool %s, beside stock (-), beside ours (+):\n%s", when, args, d)
		}
	}
	b.same("", "corosync-quorumtool", "-s", "-i")
	b.same("", "corosync-quorumtool", "-s", "-a")
}
