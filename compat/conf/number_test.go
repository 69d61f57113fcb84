package conf

import (
	"math"
	"testing"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int64
		ok   bool
	}{
		{"0", 0, true}, {"007", 7, true}, {"+7", 7, true}, {"-0", 0, true}, {"\v\f7", 7, true},
		{"255", 255, true}, {"256", 256, false}, {"-1", -1, false},
		{"", 0, false}, {"+", 0, false}, {"-", 0, false}, {"x", 0, false}, {"1x", 0, false}, {"1 ", 0, false},
		{"0x10", 0, false}, {"1.0", 0, false}, {"--1", 0, false},
		{"9223372036854775808", 0, false}, {"99999999999999999999", 0, false}, {"-9223372036854775809", 0, false},
	} {
		if n, ok := parseRange(c.text, 0, 255); ok != c.ok || ok && n != c.n {
			t.Errorf("%q: %d, %v", c.text, n, ok)
		}
	}
	if n, ok := parseRange("-9223372036854775808", math.MinInt64, 0); n != math.MinInt64 || !ok {
		t.Errorf("smallest: %d, %v", n, ok)
	}
}

func TestParseU64(t *testing.T) {
	for _, c := range []struct {
		text string
		n    uint64
		ok   bool
	}{
		{"0", 0, true}, {"18446744073709551615", math.MaxUint64, true}, {"-1", math.MaxUint64, true},
		{"-18446744073709551615", 1, true}, {"18446744073709551616", 0, false}, {"", 0, false}, {"3s", 0, false},
	} {
		if n, ok := parseU64(c.text); ok != c.ok || ok && n != c.n {
			t.Errorf("%q: %d, %v", c.text, n, ok)
		}
	}
}

func TestCutU32(t *testing.T) {
	for _, c := range []struct {
		text, rest string
		n          uint32
		ok         bool
	}{
		{"0.name", ".name", 0, true}, {"01.", ".", 1, true}, {"+1.x", ".x", 1, true}, {"-1.x", ".x", math.MaxUint32, true},
		{"4294967296.x", ".x", 0, true}, {"99999999999999999999.x", ".x", math.MaxUint32, true}, {"x", "x", 0, false},
		{"-99999999999999999999.x", ".x", math.MaxUint32, true},
	} {
		if n, rest, ok := cutU32(c.text); ok != c.ok || rest != c.rest || n != c.n {
			t.Errorf("%q: %d, %q, %v", c.text, n, rest, ok)
		}
	}
}

func TestAtoi(t *testing.T) {
	for text, want := range map[string]int32{"": 0, "x": 0, "7": 7, "7x": 7, "-1": -1, "2147483648": math.MinInt32,
		"99999999999999999999": -1, "-99999999999999999999": 0} {
		if got := atoi(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestCInt(t *testing.T) {
	for f, want := range map[float64]uint32{1.9: 1, -1.9: math.MaxUint32, 0: 0, 2147483647: math.MaxInt32,
		2147483648: 1 << 31, 4e9: 1 << 31, -3e9: 1 << 31} {
		if got := cInt(f); got != want {
			t.Errorf("%v: %d, want %d", f, got, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "10": true, "255": true, "256": false, "007": false, "+1": false,
		"-1": false, " 1": false, "": false, "1x": false, "00": false} {
		if _, ok := canonical(text, 255); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}
