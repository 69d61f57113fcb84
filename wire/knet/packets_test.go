package knet

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

// A packet is what every packet type can do.
type packet interface {
	Decode(b []byte) (int, error)
	Append(b []byte) []byte
}

var pingTime = [16]byte{0x39, 0x30, 0, 0, 0, 0, 0, 0, 0xf2, 0x35, 0x77, 0x28}

// The reference's examples (appendix A.1), field by field, and packets with
// every spare byte set.
var packetTests = []struct {
	name string
	hex  string
	want packet
	min  int // shortest prefix that is still accepted
}{
	{
		"ping", "01 81 0001 0000  00 3930000000000000 f235772800000000 0000 01",
		&Ping{Header: Header{Type: TypePing, Node: 1}, Time: pingTime, Timed: 1}, PingLen,
	},
	{
		"pong", "01 82 0002 0000  00 3930000000000000 f235772800000000 0000 01",
		&Ping{Header: Header{Type: TypePong, Node: 2}, Time: pingTime, Timed: 1}, PingLen,
	},
	{
		"forced ping, spare bytes set", "01 81 012c 0102  07 3930000000000000 f235772800000000 1fff 00",
		&Ping{Header: Header{Type: TypePing, Node: 300, pad: [2]byte{1, 2}}, Link: 7, Time: pingTime, Seq: 8191}, PingLen,
	},
	{
		"data", "01 00 0002 0000  0005 00 00 01 01 00 00  68656c6c6f",
		&Data{Header: Header{Node: 2}, Seq: 5, Broadcast: 1, FragNum: 1, Payload: []byte("hello")}, DataLen + 1,
	},
	{
		"fragment, spare bytes set", "01 00 0002 0102  0006 02 09 00 03 02 1f  ff",
		&Data{
			Header: Header{Node: 2, pad: [2]byte{1, 2}}, Seq: 6, Method: LZ4, pad2: 9,
			FragNum: 3, FragSeq: 2, Channel: 31, Payload: []byte{0xff},
		}, DataLen + 1,
	},
	{
		"probe", "01 83 0001 0000  00 dc05 000000",
		&PMTUD{Header: Header{Type: TypePMTUD, Node: 1}, Size: 1500, Fill: []byte{0, 0, 0}}, PMTUDLen,
	},
	{
		"probe reply", "01 84 0002 0000  01 dc05",
		&PMTUD{Header: Header{Type: TypePMTUDReply, Node: 2}, Link: 1, Size: 1500, Fill: []byte{}}, PMTUDLen,
	},
}

var exported = cmp.AllowUnexported(Header{}, Data{}, Ping{}, PMTUD{})

func TestPackets(t *testing.T) {
	for _, tt := range packetTests {
		t.Run(tt.name, func(t *testing.T) {
			b := wiretest.Unhex(t, tt.hex)
			got := blank(tt.want)
			n, err := got.Decode(b)
			if err != nil || n != len(b) {
				t.Fatalf("Decode: %d of %d bytes, %v", n, len(b), err)
			}
			if diff := cmp.Diff(tt.want, got, exported); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(b, got.Append(nil)); diff != "" {
				t.Errorf("encoded (-want +got):\n%s", diff)
			}
			for i := range tt.min {
				if _, err := got.Decode(b[:i:i]); err == nil {
					t.Errorf("the first %d bytes are accepted", i)
				}
			}
		})
	}
}

func blank(p packet) packet {
	switch p.(type) {
	case *Data:
		return new(Data)
	case *Ping:
		return new(Ping)
	}
	return new(PMTUD)
}

func TestPacketsRefused(t *testing.T) {
	tests := []struct {
		name string
		hex  string
		into packet
	}{
		{"version 2", "02 81 0001 0000 00 3930000000000000 f235772800000000 0000 01", new(Ping)},
		{"version 0", "00 00 0001 0000 0001 00 00 01 01 00 00 61", new(Data)},
		{"data read as ping", "01 00 0002 0000 0005 00 00 01 01 00 00 68656c6c6f6c6c6c6c6c6c6c6c6c", new(Ping)},
		{"ping read as probe", "01 81 0001 0000 00 3930000000000000 f235772800000000 0000 01", new(PMTUD)},
		{"no fragment at all", "01 00 0002 0000 0005 00 00 01 00 00 00 61", new(Data)},
		{"255 fragments", "01 00 0002 0000 0005 00 00 01 ff 01 00 61", new(Data)},
		{"fragment 3 of 2", "01 00 0002 0000 0005 00 00 01 02 03 00 61", new(Data)},
		{"fragment 0 of 2", "01 00 0002 0000 0005 00 00 01 02 00 00 61", new(Data)},
		{"channel 32", "01 00 0002 0000 0005 00 00 01 01 00 20 61", new(Data)},
		{"channel -1", "01 00 0002 0000 0005 00 00 01 01 00 ff 61", new(Data)},
		{"empty fragment", "01 00 0002 0000 0005 00 00 01 01 00 00", new(Data)},
	}
	for _, tt := range tests {
		if _, err := tt.into.Decode(wiretest.Unhex(t, tt.hex)); err == nil {
			t.Errorf("%s: accepted", tt.name)
		}
	}
}

func TestPongIsEcho(t *testing.T) {
	var p Ping
	if _, err := p.Decode(wiretest.Unhex(t, "01 81 0001 0102  03 3930000000000000 f235772800000000 0007 01  aabb")); err != nil {
		t.Fatal(err)
	}
	p.Type, p.Node = TypePong, 2
	want := wiretest.Unhex(t, "01 82 0002 0102  03 3930000000000000 f235772800000000 0007 01")
	if diff := cmp.Diff(want, p.Append(nil)); diff != "" {
		t.Errorf("pong (-want +got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	for _, plain := range []int{-1, 0, 8, 9, 10, 1472, MaxMessage, MaxMessage + 100} {
		want := min(max(plain-9, 0), MaxMessage)
		if got := len(Fill(plain)); got != want {
			t.Errorf("Fill(%d): %d zeros, want %d", plain, got, want)
		}
	}
}

func TestPacketsDoNotAllocate(t *testing.T) {
	data := wiretest.Unhex(t, packetTests[3].hex)
	ping := wiretest.Unhex(t, packetTests[0].hex)
	buf := make([]byte, 0, 256)
	var d Data
	var p Ping
	n := testing.AllocsPerRun(100, func() {
		d.Decode(data)
		buf = d.Append(buf[:0])
		p.Decode(ping)
		buf = p.Append(buf[:0])
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzPackets checks that what is accepted re-encodes to the bytes consumed.
func FuzzPackets(f *testing.F) {
	for _, tt := range packetTests {
		f.Add(wiretest.Unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []packet{new(Data), new(Ping), new(PMTUD)} {
			n, err := p.Decode(b)
			if err != nil {
				continue
			}
			if diff := cmp.Diff(b[:n], p.Append(nil)); diff != "" {
				t.Errorf("%T (-consumed +encoded):\n%s", p, diff)
			}
		}
	})
}
