package conf

import (
	"net/netip"
	"testing"
)

// nodesNamed is a map with entries of the given names and ring0 addresses
// ("name/address", either may be missing).
func nodesNamed(t *testing.T, entries ...string) *totem {
	t.Helper()
	keys := newKeyMap()
	for i, e := range entries {
		for j := range len(e) {
			if e[j] != '/' {
				continue
			}
			if e[:j] != "" {
				keys.setText(nodeName(uint32(i), "name"), e[:j])
			}
			if e[j+1:] != "" {
				keys.setText(nodeName(uint32(i), "ring0_addr"), e[j+1:])
			}
		}
	}
	e := referenceHost()
	return newTotem(keys, &e)
}

func TestFindLocal(t *testing.T) {
	eleven := []string{"/x0", "/x1", "/x2", "/x3", "/x4", "/x5", "/x6", "/x7", "/x8", "/x9", "node1/", "node1/"}
	for _, c := range []struct {
		host    string
		entries []string
		want    int64
		found   bool
	}{
		{"node1", []string{"node2/", "node1/"}, 1, true},
		{"node1", []string{"/node2", "/node1"}, 1, true},
		{"a.b.c", []string{"a/", "a.b/"}, 1, true}, // longer names first
		{"a.b.c", []string{"a.b.d/", "x/"}, 0, true},
		{"a", []string{"A/", "a.example/"}, 1, true},
		{"192", []string{"/192.0.2.9", "/192.0.2.1"}, 0, true}, // addresses are cut at the dot, too
		{"other", []string{"/192.0.2.2", "/192.0.2.1"}, 1, true},
		{"other", []string{"node2/", "node1/"}, 1, true},                  // by reverse lookup
		{"other", []string{"/192.0.2.2", "/2001:0db8:1:0::1"}, 1, true},   // by resolved address
		{"other", []string{"/192.0.2.2", "/node1-v6"}, 1, true},           // by hosts file
		{"other", []string{"/192.0.2.2", "/192.0.2.3"}, 1, false},         // the last one looked at
		{"other", []string{"node2/192.0.2.1", "x/198.51.100.1"}, 0, true}, // both are ours: the first
		{"node1", eleven, 10, true},                                       // text order: 10 before 2
		{"node1", nil, -1, false},
		{"", []string{"node2/"}, 0, false},
	} {
		tt := nodesNamed(t, c.entries...)
		tt.env.HostName = c.host
		got, found := tt.findLocal()
		if got != c.want || found != c.found {
			t.Errorf("%s in %v: %d, %v, want %d, %v", c.host, c.entries, got, found, c.want, c.found)
		}
		if _, noted := tt.keys.u32(localPosition); noted != found {
			t.Errorf("%s in %v: noted %v", c.host, c.entries, noted)
		}
	}
}

// TestFindLocalLinkLocal compares addresses without their zones.
func TestFindLocalLinkLocal(t *testing.T) {
	tt := nodesNamed(t, "/192.0.2.2", "/fe80::5")
	tt.env.HostName = "other"
	tt.env.Addrs = []netip.Addr{netip.MustParseAddr("fe80::5%eth0")}
	if got, found := tt.findLocal(); got != 1 || !found {
		t.Errorf("%d, %v", got, found)
	}
}
