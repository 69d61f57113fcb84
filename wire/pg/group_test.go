package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

func TestGroupHeader(t *testing.T) {
	tests := []struct {
		name, hex string
		bigEndian bool
		groups    []string
		payload   string
	}{
		{"services", "01 00 01 00 61  78 79", false, []string{"a"}, "xy"},
		{"sync", "01 00 04 00 73 79 6e 63", false, []string{"sync"}, ""},
		{"two, big-endian", "00 02 00 01 00 04 61 73 79 6e 63  7a", true, []string{"a", "sync"}, "z"},
		{"none", "00 00 7a", false, nil, "z"},
		{"empty name", "01 00 00 00 7a", false, []string{""}, "z"},
	}
	for _, tt := range tests {
		msg := wiretest.Unhex(t, tt.hex)
		names, payload, err := CutGroup(msg, tt.bigEndian)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		for n := range names.All() {
			got = append(got, string(n))
			if !names.Has(string(n)) {
				t.Errorf("%s: Has(%q) = false", tt.name, n)
			}
		}
		if names.Len() != len(tt.groups) || names.Has("other") {
			t.Errorf("%s: Len = %d, Has(other) = %v", tt.name, names.Len(), names.Has("other"))
		}
		if diff := cmp.Diff(tt.groups, got); diff != "" {
			t.Errorf("%s: groups (-want +got):\n%s", tt.name, diff)
		}
		if string(payload) != tt.payload {
			t.Errorf("%s: payload %q, want %q", tt.name, payload, tt.payload)
		}
		for i := range len(msg) - len(payload) {
			if _, _, err := CutGroup(msg[:i], tt.bigEndian); err == nil {
				t.Errorf("%s: prefix of %d bytes accepted", tt.name, i)
			}
		}
	}
	if diff := cmp.Diff(wiretest.Unhex(t, "01 00 01 00 61"), AppendGroup(nil, GroupServices)); diff != "" {
		t.Errorf("AppendGroup (-want +got):\n%s", diff)
	}
	if _, _, err := CutGroup(append([]byte{33, 0}, make([]byte, 66)...), false); err == nil {
		t.Error("33 groups accepted")
	}
}
