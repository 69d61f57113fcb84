package mesh

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/offload"
	"cpgol/wire/wiretest"
)

var records = []struct {
	name, hex string
	want      record
}{
	{"begin", `01 00 00 00` + zeros(52), record{kind: kindBegin}},
	{"key", `02 00 00 00  00 00 00 00  ` + ones(32) + zeros(16), record{kind: kindKey, key: [32]byte(bytes.Repeat([]byte{0x11}, 32))}},
	{"chunk", `03 00 00 00  01 00 00 00  08 00 00 00 00 00 00 00  07 00 00 00 00 00 00 00
		09 00 00 00 00 00 00 00  00 00 10 00  00 00 02 00  00 00 01 00  00 00 00 00  05 00 00 00 00 00 00 00`,
		record{kind: kindChunk, view: view(7), seq: 9, size: 1 << 20, at: 128 << 10, length: 64 << 10, counter: 5}},
	{"hold", `04 00 00 00  01 00 00 00  08 00 00 00 00 00 00 00  07 00 00 00 00 00 00 00
		09 00 00 00 00 00 00 00  00 00 00 01 00 00 00 00` + zeros(16),
		record{kind: kindHold, view: view(7), seq: 9, credit: 16 << 20}},
	{"progress", `05 00 00 00` + zeros(52), record{kind: kindProgress}},
}

func zeros(n int) string { return string(bytes.Repeat([]byte(" 00"), n)) }
func ones(n int) string  { return string(bytes.Repeat([]byte(" 11"), n)) }

// TestRecords: each is what it says, and comes out as it went in; no byte of
// padding may be anything but zero.
func TestRecords(t *testing.T) {
	for _, s := range records {
		b := [recordLen]byte(wiretest.Unhex(t, s.hex))
		var got record
		must(t, got.decode(&b))
		if d := cmp.Diff(s.want, got, cmp.AllowUnexported(record{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, d)
		}
		for i := range b {
			changed := b
			changed[i] ^= 0x80
			var again [recordLen]byte
			if got.decode(&changed) == nil {
				if got.encode(&again); again != changed {
					t.Errorf("%s: byte %d: took %x, made %x", s.name, i, changed, again)
				}
			}
		}
	}
}

func TestHello(t *testing.T) {
	want := hello{from: member(1, 100), to: member(2, 101), view: view(7), way: overUnix}
	b := want.append(nil)
	if d := cmp.Diff(wiretest.Unhex(t, `63 70 67 4d  01 00 00 00  01 00 00 00  64 00 00 00  02 00 00 00  65 00 00 00
		01 00 00 00  08 00 00 00 00 00 00 00  07 00 00 00 00 00 00 00  02 00 00 00`), b); d != "" {
		t.Error(d)
	}
	var got hello
	if err := got.decode((*[helloLen]byte)(b)); err != nil || got != want {
		t.Error(got, err)
	}
	for _, at := range []int{0, 4} {
		b[at] ^= 1
		if got.decode((*[helloLen]byte)(b)) == nil {
			t.Errorf("took another byte %d", at)
		}
		b[at] ^= 1
	}
}

// FuzzIncoming: what a member says, whatever that is, harms nobody: no more is
// kept than its credit, and what arrives does so in order.
func FuzzIncoming(f *testing.F) {
	for _, s := range records {
		f.Add(wiretest.Unhex(f, s.hex))
	}
	body := make([]byte, 400)
	for _, r := range []record{
		{kind: kindChunk, view: view(5), seq: 1, size: 400, length: 400},
		{kind: kindChunk, view: view(5), seq: 2, size: 500, length: 400},
	} {
		var b [recordLen]byte
		r.encode(&b)
		f.Add(append(append(b[:], body[:r.length]...), b[:]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h := &counter{}
		m := &Mesh{opt: Options{Handler: h, MaxMessage: 1000}, view: view(5), last: view(5)}
		p := &peer{mesh: m, hold: hold{view(5), 0, 1000}}
		conn := &stream{r: bytes.NewReader(b)}
		in := &incoming{mesh: m, peer: p, conn: conn, layer: &layer{conn: conn}, wake: make(chan struct{}, 1)}
		in.reader = newReader(in.layer, 100, func() error { return nil })
		p.in = in
		if in.read() == nil {
			t.Error("ended without an error")
		}
		in.letGo()
		if h.bytes > 1000 || !h.ordered() || uint64(h.bytes) != p.taken {
			t.Errorf("%d bytes, %d counted; numbers %v", h.bytes, p.taken, h.seqs)
		}
	})
}

// A stream is a connection that has said all that it will.
type stream struct {
	net.Conn
	r io.Reader
}

func (s *stream) Read(b []byte) (int, error) { return s.r.Read(b) }
func (s *stream) Close() error               { return nil }

type counter struct {
	bytes int
	seqs  []uint64
}

func (c *counter) Arrived(_ offload.Member, _ offload.View, seq uint64, b *Buffer) {
	c.bytes += b.Len()
	c.seqs = append(c.seqs, seq)
	b.Release()
}

func (c *counter) ordered() bool {
	for i := range c.seqs {
		if i > 0 && c.seqs[i] <= c.seqs[i-1] {
			return false
		}
	}
	return true
}

func (c *counter) Held(offload.Member, offload.View, uint64, uint64) {}
func (c *counter) Up(offload.Member, offload.View)                   {}
func (c *counter) Down(offload.Member, offload.View)                 {}
func (c *counter) Progress(offload.Member)                           {}
