package conf

import (
	"net/netip"
	"testing"
)

func TestParseNumeric(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.513": "192.0.2.1", "192.513": "192.0.2.1", "3221225985": "192.0.2.1",
		"0xc0.0.02.1": "192.0.2.1", "0": "0.0.0.0", "10": "0.0.0.10", "2001:db8::1": "2001:db8::1",
		"fe80::1%eth0": "fe80::1%eth0", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "0300.0.2.1": "192.0.2.1",
		"": "", "192.0.2.300": "", "192.0.2.1.": "", "192.0.2.1.1": "", "1..2": "", "4294967296": "", "08": "",
		"+1": "", "0x": "", "1_0": "", "node1": "", "::g": "", "256.1": "", "1.16777216": "",
	} {
		a, ok := parseNumeric(text)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, a, ok, want)
		}
	}
}

// TestResolve prefers the family that ip_version says, and asks once.
func TestResolve(t *testing.T) {
	asked := 0
	e := Env{Resolve: func(name string) ([]netip.Addr, error) {
		asked++
		if name == "both" {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
				netip.MustParseAddr("2001:db8::2")}, nil
		}
		return nil, nil
	}}
	r := newResolver(&e)
	for _, c := range []struct {
		text string
		f    family
		want string
	}{
		{"both", onlyV4, "192.0.2.1"}, {"both", onlyV6, "2001:db8::1"}, {"both", preferV4, "192.0.2.1"},
		{"both", preferV6, "2001:db8::1"}, {"192.0.2.7", preferV6, "192.0.2.7"}, {"192.0.2.7", onlyV6, ""},
		{"2001:db8::7", preferV4, "2001:db8::7"}, {"2001:db8::7", onlyV4, ""}, {"none", preferV6, ""}, {"", preferV6, ""},
		{"::ffff:192.0.2.7", onlyV4, "192.0.2.7"},
	} {
		a, ok := r.parse(c.text, c.f)
		if ok != (c.want != "") || ok && a.String() != c.want {
			t.Errorf("%q %s: %v, %v, want %s", c.text, c.f, a, ok, c.want)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

func TestIsMulticast(t *testing.T) {
	for text, want := range map[string]bool{"239.192.1.2": true, "224.0.0.0": true, "223.255.255.255": false,
		"240.0.0.0": false, "2001:db8::1": true} {
		if got := isMulticast(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestClusterGroup checks the groups that a running corosync was seen to use.
func TestClusterGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		link uint32
		v6   bool
		want string
	}{
		{"debian", 0, false, "239.192.24.204"}, {"ExampleCluster", 0, false, "239.192.134.59"},
		{"hacluster", 0, false, "239.192.204.129"}, {"clé", 0, false, "239.192.3.250"},
		{"debian", 0, true, "ff15::18b4"}, {"debian", 1, true, "ff15::18b5"}, {"", 0, false, "239.192.0.0"},
	} {
		if got := clusterGroup(c.name, c.link, c.v6).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
