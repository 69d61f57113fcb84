package totem

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name, packet string
		want         Header
	}{
		{"little-endian", "70 c0 03 01 02  01 02 03 04  05 06 07 08",
			Header{Type: TypeMcast, Encapsulated: 2, Node: 0x04030201, Target: 0x08070605}},
		{"big-endian", "c0 70 03 05 00  01 02 03 04  05 06 07 08",
			Header{BigEndian: true, Type: TypeHoldCancel, Node: 0x01020304, Target: 0x05060708}},
	}
	for _, tt := range tests {
		b := wiretest.Unhex(t, tt.packet)
		got, err := ParseHeader(b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(b, got.append(nil, got.Type)); diff != "" {
			t.Errorf("%s: encoded (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	tests := []struct {
		name, packet string
		want         Cause
	}{
		{"empty", "", CauseShort},
		{"one byte missing", "70 c0 03 01 02  01 00 00 00  00 00 00", CauseShort},
		{"corosync 2.3", "fe fe 00 00 00  01 00 00 00  00 00 00 00", CauseMagic},
		{"corosync 2.4 in the clear", "00 00 22 ff 01  00 00 00 00  00 00 00 00", CauseMagic},
		{"version 2", "70 c0 02 01 02  01 00 00 00  00 00 00 00", CauseVersion},
		{"type 6", "70 c0 03 06 02  01 00 00 00  00 00 00 00", CauseType},
		{"type -1", "70 c0 03 ff 02  01 00 00 00  00 00 00 00", CauseType},
	}
	for _, tt := range tests {
		_, err := ParseHeader(wiretest.Unhex(t, tt.packet))
		if err == nil {
			t.Errorf("%s: accepted", tt.name)
			continue
		}
		if got := causeOf(t, err); got != tt.want {
			t.Errorf("%s: %v: cause %v, want %v", tt.name, err, got, tt.want)
		}
	}
}

func TestTarget(t *testing.T) {
	for _, bigEndian := range []bool{false, true} {
		m := HoldCancel{Header: Header{BigEndian: bigEndian, Node: 1}}
		b := m.Append(nil)
		SetTarget(b, 0x01020304)
		if _, err := m.Decode(b); err != nil || m.Target != 0x01020304 {
			t.Errorf("big-endian %v: target %#x, %v", bigEndian, m.Target, err)
		}
		want := NodeID(0x01020304)
		if bigEndian {
			want = 0x04030201 // the filter reads raw
		}
		if got, ok := Target(b); got != want || !ok {
			t.Errorf("big-endian %v: Target = %#x, %v; want %#x", bigEndian, got, ok, want)
		}
	}
	short := make([]byte, HeaderLen-1)
	SetTarget(short, 1)
	if _, ok := Target(short); ok {
		t.Error("Target of 12 bytes: ok")
	}
}

// A message of one type is no message of another.
func TestTypesAreNotMixed(t *testing.T) {
	long := make([]byte, 200)
	for typ := range Type(numTypes) {
		b := append((&Header{Node: 1}).append(nil, typ), long...)
		for other := range Type(numTypes) {
			if other == typ {
				continue
			}
			checkRefused(t, typ.String()+" read as "+other.String(), New(other), b, CauseType)
		}
	}
	if New(numTypes) != nil {
		t.Error("New of an unknown type: not nil")
	}
}

func TestSeqOrder(t *testing.T) {
	tests := []struct {
		a, b   Seq
		before bool
	}{
		{1, 2, true}, {2, 1, false}, {2, 2, false},
		{0, 0xFFFFFFFF, false}, {0xFFFFFFFF, 0, true}, // the first token beats "none yet"
		{0xFFFFFFF0, 5, true}, {5, 0xFFFFFFF0, false},
		{0x7FFFFFFF, 0x80000001, true}, {0x80000001, 0x7FFFFFFF, false},
		{0x80000000, 0x80000001, true},
	}
	for _, tt := range tests {
		if got := tt.a.Before(tt.b); got != tt.before {
			t.Errorf("%#x.Before(%#x) = %v", tt.a, tt.b, got)
		}
		if got, want := tt.a.AtMost(tt.b), tt.before || tt.a == tt.b; got != want {
			t.Errorf("%#x.AtMost(%#x) = %v", tt.a, tt.b, got)
		}
	}
}
