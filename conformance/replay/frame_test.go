package replay

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"cpgol/wire/wiretest"
)

const ether = "020000000002 020000000001 "

var frameTests = []struct {
	name, hex string
	src, dst  string
	payload   string // of the IP packet
	offset    int
	more      bool
}{
	{"IPv4", ether + "0800 4510 001d 1234 4000 40 11 abcd 0a4d0001 0a4d0002 151d151d0009000041", "10.77.0.1", "10.77.0.2", "151d151d0009000041", 0, false},
	{"IPv4 with options and trailer", ether + "0800 4600 0019 0000 0000 01 02 ffff 0a4d0001 e0000001 94040000 41 000000", "10.77.0.1", "224.0.0.1", "41", 0, false},
	{"IPv4 fragment", ether + "0800 4500 001c 1234 20b9 40 11 abcd 0a4d0001 0a4d0002 4142434445464748", "10.77.0.1", "10.77.0.2", "4142434445464748", 1480, true},
	{"VLAN", ether + "8100 0007 0800 4500 0015 0000 8000 40 11 0000 0a4d0001 0a4d0002 41", "10.77.0.1", "10.77.0.2", "41", 0, false},
	{
		"IPv6", ether + "86dd 60012345 0009 11 40 fd770000000000000000000000000001 fd770000000000000000000000000002 151d151d0009000041",
		"fd77::1", "fd77::2", "151d151d0009000041", 0, false,
	},
	{
		"IPv6, hop by hop, last fragment", ether + "86dd 60000000 0011 00 40 fd770000000000000000000000000001 fd770000000000000000000000000002" +
			"2c00 010400000000 1107 05a8 deadbeef 41",
		"fd77::1", "fd77::2", "41", 1448, false,
	},
}

func TestFrames(t *testing.T) {
	for _, tt := range frameTests {
		b := wiretest.Unhex(t, tt.hex)
		p, err := decodeEthernet(b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if p.src != netip.MustParseAddr(tt.src) || p.dst != netip.MustParseAddr(tt.dst) ||
			!bytes.Equal(p.payload, wiretest.Unhex(t, tt.payload)) || p.offset != tt.offset || p.more != tt.more {
			t.Errorf("%s: %+v", tt.name, p)
		}
		if got := p.append(nil); !bytes.Equal(got, b) {
			t.Errorf("%s: encoded\n%x, want\n%x", tt.name, got, b)
		}
		for i := range len(b) - len(p.trailer) {
			if _, err := decodeEthernet(b[:i:i]); err == nil {
				t.Errorf("%s: the first %d bytes are accepted", tt.name, i)
			}
		}
	}
	for _, s := range []string{ether + "0806 0001", ether + "0800 6500", ""} {
		if _, err := decodeEthernet(wiretest.Unhex(t, s)); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestReassembler(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	part := func(id uint32, offset int, more bool, text string) ipPacket {
		return ipPacket{src: a, dst: b, proto: protoUDP, id: id, offset: offset, more: more, payload: []byte(text)}
	}
	r := make(reassembler)
	for i, tt := range []struct {
		now  time.Duration
		p    ipPacket
		want string
	}{
		{0, part(1, 8, true, "bbbbbbbb"), ""},
		{0, part(2, 0, true, "xxxxxxxx"), ""},
		{0, part(1, 16, false, "c"), ""},
		{0, part(1, 16, false, "c"), ""}, // recorded twice
		{0, part(1, 0, true, "aaaaaaaa"), "aaaaaaaabbbbbbbbc"},
		{0, part(2, 8, false, "y"), "xxxxxxxxy"},
		{0, part(3, 0, true, "old old "), ""},
		{time.Minute, part(3, 8, false, "new"), ""}, // the number came round
		{time.Minute, part(3, 0, true, "brand___"), "brand___new"},
	} {
		got, parts := r.add(tt.now, tt.p)
		if string(got) != tt.want || (parts != nil) != (tt.want != "") {
			t.Errorf("fragment %d: %q from %d parts, want %q", i, got, len(parts), tt.want)
		}
	}
	if len(r) != 0 {
		t.Errorf("%d packets left open", len(r))
	}
}

func TestDefragmenter(t *testing.T) {
	d := make(defragmenter)
	from, to := netip.MustParseAddrPort("10.0.0.1:5405"), netip.MustParseAddrPort("10.0.0.2:5405")
	for i, tt := range []struct {
		seq       uint16
		part, num uint8
		text      string
		want      string
	}{
		{1, 3, 3, "c", ""},
		{1, 1, 3, "aa", ""},
		{1, 1, 3, "aa", ""}, // recorded twice
		{2, 1, 2, "xx", ""},
		{1, 2, 3, "bb", "aabbc"},
		{1, 2, 3, "bb", ""}, // and again
		{2, 2, 2, "y", "xxy"},
		{2, 1, 2, "zz", ""}, // the numbers came round
		{2, 2, 2, "z", "zzz"},
		{3, 1, 3, "old", ""},
		{3, 1, 2, "new", ""}, // another length: another message
		{3, 2, 2, "er", "newer"},
	} {
		data := fragment(tt.seq, tt.part, tt.num, tt.text)
		got, err := d.add(from, to, data)
		if err != nil || string(got) != tt.want {
			t.Errorf("fragment %d: %q, %v, want %q", i, got, err, tt.want)
		}
	}
	d.add(from, to, fragment(9, 1, 3, "aa"))
	d.add(from, to, fragment(9, 2, 3, "b"))
	if _, err := d.add(from, to, fragment(9, 3, 3, "c")); err == nil {
		t.Error("fragments of different lengths are accepted")
	}
}
