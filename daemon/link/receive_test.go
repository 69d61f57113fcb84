package link

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/knet"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// upNode is node 2 of three, as configured in simConfig, with all links up.
func upNode(t testing.TB, links int, change func(*Config)) *Links {
	cfg := simConfig(2, 3, links)
	if change != nil {
		change(&cfg)
	}
	l := New(cfg)
	var out Output
	l.nextCycle = 10 * time.Second
	l.eachLink(func(k *link) { l.linkUp(0, k, &out) })
	l.eachLink(func(k *link) { k.probe.down() })
	return l
}

const testNow = 5 * time.Second

// TestExamples are the packets of knet.md A.1.
func TestExamples(t *testing.T) {
	l := New(Config{Node: 1, Hosts: []Host{{ID: 2, Links: []Link{{Remote: simAddr(0, 2, false)}}}}})
	var out Output
	now := 12345*time.Second + 678901234
	l.Tick(now, &out)
	ping := fromHex(t, "01 81 00 01 00 00 00 39 30 00 00 00 00 00 00 f2 35 77 28 00 00 00 00 00 00 01")
	want := Effect{Kind: Send, Host: 2, Type: knet.TypePing, To: simAddr(0, 2, false), Bytes: ping, Segment: 26}
	if d := cmp.Diff([]Effect{want}, out.Effects, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("ping of node 1 (-want +got)\n%s", d)
	}

	two := upNode(t, 1, nil)
	for _, tt := range []struct{ name, in, out string }{
		{"ping", hex.EncodeToString(ping), "01 82 00 02 00 00 00 39 30 00 00 00 00 00 00 f2 35 77 28 00 00 00 00 00 00 01"},
		{"ping of 2.x, longer", "01 81 00 01 01 07 00 39 30 00 00 00 00 00 00 f2 35 77 28 00 00 00 00 00 00 01 aa bb",
			"01 82 00 02 01 07 00 39 30 00 00 00 00 00 00 f2 35 77 28 00 00 00 00 00 00 01"},
		{"probe", "01 83 00 01 00 00 00 dc 05" + strings.Repeat("00", 1463), "01 84 00 02 00 00 00 dc 05"},
		{"probe, any size", "01 83 00 01 00 00 00 01 02", "01 84 00 02 00 00 00 01 02"},
	} {
		out.Reset()
		two.Receive(testNow, 0, simAddr(0, 1, false), fromHex(t, tt.in), &out)
		if len(out.Effects) != 1 || !bytes.Equal(out.Effects[0].Bytes, fromHex(t, tt.out)) || out.Effects[0].To != simAddr(0, 1, false) {
			t.Errorf("%s: %+v, want an answer of %s", tt.name, out.Effects, tt.out)
		}
	}

	one := New(simConfig(1, 3, 1))
	one.Tick(0, &out)
	one.eachLink(func(k *link) { one.linkUp(0, k, &out) })
	one.txSeq = 4
	out.Reset()
	m := message(0, 13, 0)
	one.Send(0, 0, m, &out)
	data := append(fromHex(t, "01 00 00 01 00 00 00 05 00 00 01 01 00 00"), m...)
	if len(out.Effects) != 2 || !bytes.Equal(out.Effects[0].Bytes, data) || &out.Effects[0].Bytes[0] != &out.Effects[1].Bytes[0] {
		t.Errorf("data to two hosts: %+v", out.Effects)
	}
}

// TestFragmentArithmetic is knet.md A.4.
func TestFragmentArithmetic(t *testing.T) {
	l := upNode(t, 1, nil)
	l.eachLink(func(k *link) { k.probe.path = 1500 })
	var out Output
	l.adjustMTU(&out)
	out.Reset()
	l.Send(testNow, 1, message(1, 65536, 0), &out)
	e := out.Effects[0]
	if l.MTU() != 1446 || e.Segment != 1460 || len(e.Bytes) != 45*1460+480 {
		t.Errorf("data MTU %d: %d bytes by %d, want 45 × 1460 + 480", l.MTU(), len(e.Bytes), e.Segment)
	}
	var d knet.Data
	for i := range 46 {
		d.Decode(e.Bytes[i*e.Segment : min((i+1)*e.Segment, len(e.Bytes))])
		if d.FragNum != 46 || d.FragSeq != uint8(i+1) || d.Seq != 1 || d.Broadcast != 0 {
			t.Errorf("fragment %d: %+v", i, d.Header)
		}
	}
}

// TestRefusals goes through every check on what is received.
func TestRefusals(t *testing.T) {
	m := message(0, 20, 0)
	data := func(change func(d *knet.Data)) []byte {
		d := knet.Data{Header: knet.Header{Node: 1}, Seq: 1, FragNum: 1, Payload: m}
		if change != nil {
			change(&d)
		}
		return d.Append(nil)
	}
	raw := func(at int, v byte) []byte {
		b := data(nil)
		b[at] = v
		return b
	}
	ping := func(k LinkID) []byte {
		p := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 1}, Link: k, Timed: 1}
		return p.Append(nil)
	}
	pong := func(at time.Duration) []byte {
		p := knet.Ping{Header: knet.Header{Type: knet.TypePong, Node: 1}, Time: stamp(at)}
		return p.Append(nil)
	}
	home := simAddr(0, 1, false)
	away := netip.MustParseAddrPort("10.0.0.77:5405")
	// 100 KiB of zeros in 100-odd bytes.
	bomb, err := knet.Compress(knet.Zlib, 9, nil, make([]byte, 100<<10))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		from netip.AddrPort
		in   []byte
		want Cause
	}{
		{"one byte", home, []byte{1}, Short},
		{"six bytes", home, data(nil)[:6], Short},
		{"version 0", home, raw(0, 0), Version},
		{"version 2", home, raw(0, 2), Version},
		{"unknown host", home, raw(3, 9), UnknownHost},
		{"our own number", home, raw(3, 2), OwnNumber},
		{"host info of old", home, raw(1, 1), UnknownType},
		{"unknown control", home, raw(1, 0x99), UnknownType},
		{"data from elsewhere", away, data(nil), Unlisted},
		{"data without payload", home, data(nil)[:14], Malformed},
		{"half a data header", home, data(nil)[:10], Malformed},
		{"sequence number 0", home, data(func(d *knet.Data) { d.Seq = 0 }), Malformed},
		{"no fragments", home, raw(11, 0), Malformed},
		{"255 fragments", home, raw(11, 255), Malformed},
		{"fragment 0 of 2 (CVE-2026-15813)", home, raw(11, 2), Malformed},
		{"fragment 5 of 2 (CVE-2026-15813)", home, data(func(d *knet.Data) { d.FragNum, d.FragSeq = 2, 5 }), Malformed},
		{"channel 32", home, raw(13, 32), Malformed},
		{"channel -1", home, raw(13, 255), Malformed},
		{"channel 1", home, raw(13, 1), NoChannel},
		{"shorter than totem's header", home, data(func(d *knet.Data) { d.Payload = m[:12] }), NotTotem},
		{"to another node", home, data(func(d *knet.Data) { d.Payload = message(3, 20, 0) }), NotForUs},
		{"compressed by nobody", home, raw(8, 99), Undecompressable},
		{"garbage for each method", home, raw(8, 7), Undecompressable},
		{"bomb", home, data(func(d *knet.Data) { d.Method, d.Payload = knet.Zlib, bomb }), Undecompressable},
		{"ping cut short", home, ping(0)[:25], Malformed},
		{"ping on link 1", home, ping(1), UnknownLink},
		{"ping on link 8", home, ping(8), UnknownLink}, // 1.25 takes it for link 0
		{"ping on link 255", home, ping(255), UnknownLink},
		{"ping from elsewhere", away, ping(0), Unlisted},
		{"pong cut short", home, pong(0)[:25], Malformed},
		{"pong of the future", home, pong(testNow + 1), AlienPong},
		{"pong of the end of time", home, pong(1<<63 - 1), AlienPong},
		{"pong to no ping", home, pong(testNow - time.Second), AlienPong},
		{"probe cut short", home, fromHex(t, "01 83 00 01 00 00 00 01"), Malformed},
		{"stray reply", home, fromHex(t, "01 84 00 01 00 00 00 dc 05"), StrayReply},
	} {
		l := upNode(t, 1, nil)
		l.byID[1].links[0].beat.pinged = true // long ago
		var out Output
		l.Receive(testNow, 0, tt.from, tt.in, &out)
		want := Stats{}
		want.Dropped[tt.want] = 1
		if d := cmp.Diff(want, l.Stats()); d != "" {
			t.Errorf("%s: counters (-want +got)\n%s", tt.name, d)
		}
		for _, e := range out.Effects {
			if e.Kind != Dropped || e.Cause != tt.want {
				t.Errorf("%s: effect %+v", tt.name, e)
			}
		}
		if len(out.Effects) == 0 != tt.want.Everyday() {
			t.Errorf("%s: %d effects for cause %v", tt.name, len(out.Effects), tt.want)
		}
	}
	// And what passes.
	l := upNode(t, 1, func(c *Config) { c.BlockUnlisted = false })
	var out Output
	l.Receive(testNow, 0, netip.MustParseAddrPort("10.0.0.1:999"), data(nil), &out)
	l.Receive(testNow, 0, netip.MustParseAddrPort("[::ffff:10.0.0.1]:999"), ping(0), &out)
	l.Receive(testNow, 0, away, ping(0), &out)
	if len(out.Effects) != 3 || out.Effects[2].To != home {
		t.Errorf("effects %+v, want data, and pongs to the configured address", out.Effects)
	}
}

// TestUnsealed checks what a node with a key does with other packets.
func TestUnsealed(t *testing.T) {
	l := upNode(t, 1, func(c *Config) { c.Crypto = testCrypto(t, "aes256", "sha256") })
	c := testCrypto(t, "aes256", "sha256")
	d := knet.Data{Header: knet.Header{Node: 1}, Seq: 1, FragNum: 1, Payload: message(0, 20, 0)}
	plain := d.Append(nil)
	sealed := c.Seal(nil, plain, [16]byte{1})
	var out Output
	from := simAddr(0, 1, false)
	l.Receive(testNow, 0, from, plain, &out)
	for i := range sealed {
		bad := slices.Clone(sealed)
		bad[i] ^= 1
		l.Receive(testNow, 0, from, bad, &out)
		l.Receive(testNow, 0, from, sealed[:i], &out)
	}
	n := uint64(2 * len(sealed)) // the empty one does not count, the clear one does
	if l.Stats().Dropped[Unsealed] != n || len(out.Effects) != int(n) {
		t.Errorf("%d dropped, %d effects, want %d", l.Stats().Dropped[Unsealed], len(out.Effects), n)
	}
	out.Reset()
	l.Receive(testNow, 0, from, sealed, &out)
	if len(out.Effects) != 1 || out.Effects[0].Kind != Deliver || !bytes.Equal(out.Effects[0].Bytes, d.Payload) {
		t.Errorf("the good packet: %+v", out.Effects)
	}
	// Without any key, and clear packets not allowed, nothing passes.
	l = upNode(t, 1, nil)
	l.AllowClear(false)
	l.Receive(testNow, 0, from, plain, &out)
	if l.Stats().Dropped[Unsealed] != 1 {
		t.Error("clear packet passed")
	}
}

// TestOutputOwnsBytes receives many packets into one Output and only then looks.
func TestOutputOwnsBytes(t *testing.T) {
	for _, crypto := range [][2]string{{"none", "none"}, {"none", "sha1"}, {"aes256", "sha256"}} {
		l := upNode(t, 1, func(c *Config) { c.Crypto = testCrypto(t, crypto[0], crypto[1]) })
		sender := New(func() Config {
			c := simConfig(1, 3, 1)
			c.Crypto = testCrypto(t, crypto[0], crypto[1])
			return c
		}())
		var out, sent Output
		sender.eachLink(func(k *link) { sender.linkUp(0, k, &sent) })
		for round := range 3 {
			var want [][]byte
			out.Reset()
			sent.Reset()
			for i := range 40 {
				m := message(0, 20+i*997, i+round)
				want = append(want, m)
				sender.Send(0, 2, m, &sent)
				e := sent.Effects[len(sent.Effects)-1]
				datagram := make([]byte, e.Segment)
				for b := e.Bytes; len(b) > 0; b = b[min(e.Segment, len(b)):] {
					n := copy(datagram, b)
					l.Receive(testNow, 0, simAddr(0, 1, false), datagram[:n], &out)
					clear(datagram)
				}
				ping := knet.Ping{Header: knet.Header{Type: knet.TypePing, Node: 1}, Seq: uint16(i), Timed: 1}
				l.Receive(testNow, 0, simAddr(0, 1, false), sender.keys.seal(nil, ping.Append(nil)), &out)
			}
			var got [][]byte
			for _, e := range out.Effects {
				if e.Kind == Deliver {
					got = append(got, e.Bytes)
				}
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%v: %d messages, want %d the same", crypto, len(got), len(want))
			}
		}
	}
}

// TestMemoryBound opens as many reassemblies as anyone can.
func TestMemoryBound(t *testing.T) {
	l := upNode(t, 1, nil)
	var out Output
	for seq := uint16(1); seq < 60000; seq++ {
		for _, node := range []HostID{1, 3, 4, 5, 6} { // 4 to 6 do not exist
			d := knet.Data{Header: knet.Header{Node: node}, Seq: seq, FragNum: 254, FragSeq: uint8(seq%254 + 1), Payload: pattern(100, 0)}
			l.Receive(testNow, 0, simAddr(0, node, false), d.Append(nil), &out)
		}
		out.Reset()
	}
	buffers := len(l.pool.free)
	for _, h := range l.hosts {
		buffers += len(h.defrag.parts)
	}
	if buffers > 2*maxPartial+1 {
		t.Errorf("%d buffers of 64 KiB for two hosts", buffers)
	}
	// All of it goes with the hosts.
	l.eachLink(func(k *link) { l.linkDown(k, &out) })
	for _, h := range l.hosts {
		if len(h.defrag.parts) != 0 {
			t.Errorf("host %d: %d messages left", h.id, len(h.defrag.parts))
		}
	}
}

// TestSharedAddress has two links with one address and two sockets: data counts
// for the link of its socket, and for the lowest if the socket says nothing.
func TestSharedAddress(t *testing.T) {
	l := upNode(t, 3, func(c *Config) {
		for i := range c.Hosts {
			c.Hosts[i].Links[2].Remote = netip.AddrPortFrom(c.Hosts[i].Links[1].Remote.Addr(), 6000)
		}
	})
	var out Output
	for seq, via := range []LinkID{2, 1, 0} {
		d := knet.Data{Header: knet.Header{Node: 1}, Seq: uint16(seq + 1), FragNum: 1, Payload: message(0, 20, 0)}
		l.Receive(testNow, via, simAddr(1, 1, false), d.Append(nil), &out)
	}
	one, _ := l.Status(1, 1)
	two, _ := l.Status(1, 2)
	if one.RxDataPackets != 2 || two.RxDataPackets != 1 {
		t.Errorf("%d and %d packets, want 2 and 1", one.RxDataPackets, two.RxDataPackets)
	}
}
