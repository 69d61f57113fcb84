package replay

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"cpgol/wire/totem"
)

func TestReadTransport(t *testing.T) {
	key := "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	key += key + key + key
	tests := []struct {
		name, conf, transport string
		wire                  int // bytes of a ping on the wire
		ports                 []uint16
		fails                 bool
	}{
		{"plain knet", "totem {\n}\n", "knet", 26, []uint16{5405, 5406, 5407, 5408, 5409, 5410, 5411, 5412}, false},
		{"secauth", "totem {\n secauth: on\n}\n", "", 80, []uint16{5405, 5406, 5407, 5408, 5409, 5410, 5411, 5412}, false},
		{"secauth, other hash", "# x\ntotem {\n secauth: on\n\tcrypto_hash:sha1\n}\n", "knet", 68, nil, false},
		{"ports by link", "totem {\n interface {\n  linknumber: 1\n  mcastport: 6000\n }\n interface {\n linknumber: 0\n }\n}", "knet", 26,
			[]uint16{5405, 5407, 5408, 5409, 5410, 5411, 5412, 6000}, false},
		{"udp", "totem {\n transport: udp\n interface {\n  mcastport: 7000\n }\n}", "", 26, []uint16{7000}, false},
		{"bad hash", "totem {\n crypto_hash: crc\n}", "knet", 0, nil, true},
		{"cipher alone", "totem {\n crypto_cipher: aes256\n}", "knet", 0, nil, true},
		{"unbalanced", "}\n}\ntotem {\n crypto_hash: md5\n}\nlogging {", "knet", 42, nil, false},
	}
	for _, tt := range tests {
		c := &capture{conf: parseConf(tt.conf), hosts: make(map[netip.Addr]totem.NodeID)}
		err := c.readTransport(&sidecar{Transport: tt.transport, AuthkeyHex: key})
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		if got := c.crypto.WireLen(26); got != tt.wire {
			t.Errorf("%s: a ping has %d bytes, want %d", tt.name, got, tt.wire)
		}
		if got := slices.Sorted(maps.Keys(c.ports)); tt.ports != nil && !slices.Equal(got, tt.ports) {
			t.Errorf("%s: ports %d, want %d", tt.name, got, tt.ports)
		}
	}
}

func TestNodeOf(t *testing.T) {
	named := &capture{conf: parseConf("nodelist {\n node {\n  name: n1\n  nodeid: 300\n }\n node {\n  name: n2\n  nodeid: 1\n }\n}\n")}
	named.nodes = append(named.nodes, 300, 1)
	byID := &capture{}
	byID.nodes = append(byID.nodes, 3, 2, 1)
	byPlace := &capture{}
	byPlace.nodes = append(byPlace.nodes, 70, 80)
	for _, tt := range []struct {
		c    *capture
		i    int
		want uint32
	}{
		{named, 1, 300}, {named, 2, 1}, {named, 300, 300}, {named, 3, 0},
		{byID, 1, 1}, {byID, 3, 3}, {byID, 4, 0},
		{byPlace, 1, 70}, {byPlace, 2, 80}, {byPlace, 3, 0}, {byPlace, 80, 80},
	} {
		got, ok := tt.c.nodeOf(tt.i)
		if uint32(got) != tt.want || ok != (tt.want != 0) {
			t.Errorf("n%d is node %d, %v, want %d", tt.i, got, ok, tt.want)
		}
	}
}

func TestBefore316(t *testing.T) {
	for version, want := range map[string]bool{
		"3.1.2": true, "3.1.5": true, "3.0.4": true, "3.1.6": false, "3.1.7": false, "3.1.10": false, "": false, "cpgol": false, "3.1": false,
	} {
		if before316(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}
