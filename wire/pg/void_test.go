package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

// A void frame ends an open message for those who hold its beginning and
// changes nothing for those who do not.
func TestVoid(t *testing.T) {
	for _, frames := range [][]string{nil, {"a b>1"}, {"a>1", "1>b>2"}, {"1>b>2"}, {"1>b c"}} {
		var a Assembler
		got, emit := collect()
		last := uint8(7)
		for _, f := range frames {
			b := frame(f)
			last = b[FragmentedAt]
			if err := a.Frame(1, false, b, emit); err != nil {
				t.Fatal(err)
			}
		}
		*got = nil
		if err := a.Frame(1, false, AppendVoid(nil, last), emit); err != nil {
			t.Fatal(err)
		}
		if len(*got) != 0 || len(a.open) != 0 {
			t.Errorf("after %v: delivered %q, %d open", frames, *got, len(a.open))
		}
		for _, f := range []string{"x y>1", "1>z"} {
			if err := a.Frame(1, false, frame(f), emit); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"x", "yz"}, *got); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", frames, diff)
		}
	}
	want := wiretest.Unhex(t, "00 00 00 00 00 03 01 00  00 00")
	if diff := cmp.Diff(want, AppendVoid(nil, 1)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOpenAndMiddle(t *testing.T) {
	for s, want := range map[string][2]bool{
		"a": {false, false}, "a>1": {true, false}, "1>a": {false, false},
		"1>a>2": {true, true}, "1>a b>1": {true, false},
	} {
		b := frame(s)
		if got := [2]bool{IsOpen(b), IsMiddle(b)}; got != want {
			t.Errorf("%q: open, middle %v, want %v", s, got, want)
		}
	}
	if IsOpen(nil) || IsMiddle([]byte{1}) {
		t.Error("a short frame is open")
	}
}
