package pg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

// frames renders what a packer emitted: "continuation>piece piece>fragmented".
func frames(t *testing.T, emitted []string) []string {
	t.Helper()
	var out []string
	for _, s := range emitted {
		var f Frame
		if _, err := f.Decode([]byte(s)); err != nil {
			t.Fatalf("packer made a bad frame: %v", err)
		}
		var b strings.Builder
		if f.Continuation != 0 {
			b.WriteByte('0' + f.Continuation)
			b.WriteByte('>')
		}
		data := f.Data
		for i, n := range f.Lengths {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.Write(data[:n])
			data = data[n:]
		}
		if f.Fragmented != 0 {
			b.WriteByte('>')
			b.WriteByte('0' + f.Fragmented)
		}
		out = append(out, b.String())
	}
	return out
}

func TestPacker(t *testing.T) {
	tests := []struct {
		name     string
		messages []string
		want     []string // frames of at most 12 bytes behind the header
	}{
		{"nothing", nil, nil},
		{"empty message", []string{""}, nil},
		{"one waits for the flush", []string{"abc"}, []string{"abc"}},
		{"two are packed", []string{"abc", "def"}, []string{"abc def"}},
		{"one fills the frame", []string{"0123456789"}, []string{"0123456789"}},
		{"no room for another length", []string{"01234567", "a"}, []string{"01234567", "a"}},
		{"room for one byte", []string{"0123456", "ab"}, []string{"0123456 a>1", "1>b"}},
		{"cut in two, the rest packed", []string{"0123456789abc", "d"}, []string{"0123456789>1", "1>abc d"}},
		{"cut in three", []string{"0123456789abcdefghijk"}, []string{"0123456789>1", "1>abcdefghij>2", "2>k"}},
		{"numbers start again with each message", []string{"0123456789abcdefghijk", "0123456789"},
			[]string{"0123456789>1", "1>abcdefghij>2", "2>k 0123456>1", "1>789"}},
	}
	for _, tt := range tests {
		p := NewPacker(12)
		got, emit := collect()
		for _, m := range tt.messages {
			p.Add(emit, []byte(m[:len(m)/2]), nil, []byte(m[len(m)/2:]))
		}
		waiting := len(*got)
		pending := p.Pending()
		p.Flush(emit)
		if pending != (len(*got) > waiting) {
			t.Errorf("%s: Pending = %v, Flush emitted %d", tt.name, pending, len(*got)-waiting)
		}
		if diff := cmp.Diff(tt.want, frames(t, *got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// The service message of the protocol reference's worked example.
func TestPackerBytes(t *testing.T) {
	p := NewPacker(1402)
	got, emit := collect()
	p.Add(emit, AppendGroup(nil, GroupSync), wiretest.Unhex(t, "00 00 00 00 00 00 00 00  20 00 00 00 00 00 00 00"),
		wiretest.Unhex(t, "01 00 00 00 08 00 00 00 00 00 00 00  00 00 00 00"))
	p.Flush(emit)
	want := wiretest.Unhex(t, `00 00 00 00 00 00 01 00  28 00
		01 00 04 00 73 79 6e 63
		00 00 00 00 00 00 00 00  20 00 00 00 00 00 00 00
		01 00 00 00 08 00 00 00 00 00 00 00  00 00 00 00`)
	if diff := cmp.Diff([]string{string(want)}, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Numbers of a message with more than 255 fragments go round without a zero.
func TestPackerFragmentNumbers(t *testing.T) {
	p := NewPacker(3)
	var numbers []uint8
	p.Add(func(b []byte) { numbers = append(numbers, b[4]) }, make([]byte, 258))
	for i, n := range numbers {
		want := uint8(i%255 + 1)
		if i == len(numbers)-1 {
			want = 0
		}
		if n != want {
			t.Fatalf("fragment %d is numbered %d, want %d", i, n, want)
		}
	}
	if len(numbers) != 258 {
		t.Errorf("%d fragments", len(numbers))
	}
}

// Capacities out of range are moved into it.
func TestPackerCapacity(t *testing.T) {
	for _, packet := range []int{-1, 0, 2, 3, 1 << 20} {
		p := NewPacker(packet)
		got, emit := collect()
		msg := strings.Repeat("x", 70000)
		p.Add(emit, []byte(msg))
		p.Flush(emit)
		if len(*got) > p.Frames(len(msg)) {
			t.Errorf("capacity %d: %d frames, promised at most %d", packet, len(*got), p.Frames(len(msg)))
		}
		var a Assembler
		msgs, deliver := collect()
		for _, f := range *got {
			if err := a.Frame(1, false, []byte(f), deliver); err != nil {
				t.Fatal(err)
			}
		}
		if len(*msgs) != 1 || (*msgs)[0] != msg {
			t.Errorf("capacity %d: %d messages", packet, len(*msgs))
		}
	}
}
