package pg

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"cpgol/wire/totem"

	"github.com/google/go-cmp/cmp"
)

// frame builds one: "1>abc def>2" continues fragment 1 with "abc" and ends in
// the first piece, "def", of fragment 2.
func frame(s string) []byte {
	var f Frame
	if len(s) > 1 && s[1] == '>' && s[0] <= '9' {
		f.Continuation = s[0] - '0'
		s = s[2:]
	}
	if n := len(s); n > 1 && s[n-2] == '>' {
		f.Fragmented = s[n-1] - '0'
		s = s[:n-2]
	}
	for piece := range strings.SplitSeq(s, " ") {
		f.Lengths = append(f.Lengths, uint16(len(piece)))
		f.Data = append(f.Data, piece...)
	}
	return f.Append(nil)
}

func TestAssembler(t *testing.T) {
	tests := []struct {
		name      string
		frames    []string
		want      []string
		discarded uint64
	}{
		{"whole messages", []string{"a b", "c"}, []string{"a", "b", "c"}, 0},
		{"two fragments", []string{"a b>1", "1>c d"}, []string{"a", "bc", "d"}, 0},
		{"four fragments", []string{"a>1", "1>b>2", "2>c>3", "3>d"}, []string{"abcd"}, 0},
		{"tail and beginning in one frame", []string{"a>1", "1>b c>1", "1>d"}, []string{"ab", "cd"}, 0},
		{"came in the middle", []string{"1>b>2", "2>c>3", "3>d e"}, []string{"e"}, 3},
		{"came in the middle, next one cut too", []string{"2>b c>1", "1>d"}, []string{"cd"}, 1},
		{"wrong number", []string{"a>1", "2>b", "c"}, []string{"c"}, 2},
		{"wrong number, still continued", []string{"a>1", "2>b>3", "3>c d", "e"}, []string{"d", "e"}, 3},
		{"the rest never comes", []string{"a>1", "b", "c"}, []string{"b", "c"}, 1},
		{"the rest never comes, next one cut", []string{"a>1", "b>1", "1>c"}, []string{"bc"}, 1},
	}
	for _, tt := range tests {
		var a Assembler
		got, emit := collect()
		for _, f := range tt.frames {
			if err := a.Frame(7, false, frame(f), emit); err != nil {
				t.Errorf("%s: %s: %v", tt.name, f, err)
			}
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if a.Discarded != tt.discarded {
			t.Errorf("%s: discarded %d, want %d", tt.name, a.Discarded, tt.discarded)
		}
		if len(a.open) != 0 {
			t.Errorf("%s: holds %d messages at the end", tt.name, len(a.open))
		}
	}
}

func TestAssemblerForget(t *testing.T) {
	var a Assembler
	got, emit := collect()
	for _, n := range []totem.NodeID{1, 2} {
		if err := a.Frame(n, false, frame("a>1"), emit); err != nil {
			t.Fatal(err)
		}
	}
	a.Forget(1)
	a.Forget(3)
	for _, n := range []totem.NodeID{1, 2} {
		if err := a.Frame(n, false, frame("1>b c"), emit); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"c", "ab", "c"}, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A message without end is dropped at the limit, and memory stays bounded
// however many nodes claim to be in the middle of one.
func TestAssemblerLimits(t *testing.T) {
	var a Assembler
	got, emit := collect()
	piece := strings.Repeat("x", 65000)
	if err := a.Frame(1, false, frame(piece+">1"), emit); err != nil {
		t.Fatal(err)
	}
	var err error
	for held := len(piece); held <= MaxAssembly; held += len(piece) {
		if err != nil {
			t.Fatalf("refused with %d bytes held: %v", held, err)
		}
		err = a.Frame(1, false, frame("1>"+piece+">1"), emit)
	}
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("beyond the limit: %v", err)
	}
	if err := a.Frame(1, false, frame("1>"+piece+" y"), emit); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"y"}, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	err = nil
	for n := range totem.NodeID(totem.MaxNodes + 1) {
		if err != nil {
			t.Fatalf("node %d: %v", n, err)
		}
		err = a.Frame(n, false, frame("a>1"), emit)
	}
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("one node too many: %v", err)
	}
	for n := range totem.NodeID(totem.MaxNodes) {
		a.Forget(n)
	}
	if len(a.open) != 0 || len(a.free) > maxFree {
		t.Errorf("holds %d open, %d free", len(a.open), len(a.free))
	}
}

// The longest message that may be sent fits, in the smallest and largest frames.
func TestAssemblerLongestMessage(t *testing.T) {
	msg := make([]byte, MaxMessage)
	for i := range msg {
		msg[i] = byte(i * 7)
	}
	for _, packet := range []int{1402, 65438} {
		var a Assembler
		p := NewPacker(packet)
		delivered := 0
		p.Add(func(f []byte) {
			if err := a.Frame(1, false, f, func([]byte) { t.Error("delivered early") }); err != nil {
				t.Fatal(err)
			}
		}, msg)
		p.Flush(func(f []byte) {
			if err := a.Frame(1, false, f, func(got []byte) {
				delivered++
				if diff := cmp.Diff(msg, got); diff != "" {
					t.Errorf("packet %d (-want +got):\n%s", packet, diff)
				}
			}); err != nil {
				t.Fatal(err)
			}
		})
		if delivered != 1 {
			t.Errorf("packet %d: delivered %d times", packet, delivered)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for _, size := range []int{64, 5000} {
		p := NewPacker(1402)
		var a Assembler
		msg := make([]byte, size)
		header := AppendGroup(nil, GroupServices)
		deliver := func(m []byte) {
			if _, _, err := CutGroup(m, false); err != nil {
				t.Fatal(err)
			}
		}
		emit := func(f []byte) {
			if err := a.Frame(1, false, f, deliver); err != nil {
				t.Fatal(err)
			}
		}
		if allocs := testing.AllocsPerRun(100, func() {
			p.Add(emit, header, msg)
			p.Add(emit, header, msg)
			p.Flush(emit)
		}); allocs != 0 {
			t.Errorf("messages of %d bytes: %v allocations", size, allocs)
		}
	}
}

func BenchmarkPackAndAssemble(b *testing.B) {
	for _, size := range []int{64, 8 << 10, 200 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			p := NewPacker(65438)
			var a Assembler
			msg := make([]byte, size)
			deliver := func([]byte) {}
			emit := func(f []byte) { a.Frame(1, false, f, deliver) }
			b.SetBytes(int64(size))
			for b.Loop() {
				p.Add(emit, msg)
			}
		})
	}
}
