package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

func TestFrame(t *testing.T) {
	tests := []struct {
		name, hex string
		want      Frame
	}{
		{"one message", "00 00 00 00 00 00 01 00  03 00  61 62 63",
			Frame{Lengths: []uint16{3}, Data: []byte("abc")}},
		{"tail, message, beginning", "00 00 00 00 07 ff 03 00  01 00 00 00 02 00  61 62 63",
			Frame{Fragmented: 7, Continuation: 255, Lengths: []uint16{1, 0, 2}, Data: []byte("abc")}},
		{"big-endian, unknown version and type", "01 02 03 04 00 00 00 01  00 03  61 62 63",
			Frame{BigEndian: true, Version: 0x0102, Type: 0x0304, Lengths: []uint16{3}, Data: []byte("abc")}},
	}
	for _, tt := range tests {
		b := wiretest.Unhex(t, tt.hex)
		got := Frame{BigEndian: tt.want.BigEndian}
		if n, err := got.Decode(b); n != len(b) || err != nil {
			t.Errorf("%s: took %d of %d, %v", tt.name, n, len(b), err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(b, got.Append(nil)); diff != "" {
			t.Errorf("%s: encoded (-want +got):\n%s", tt.name, diff)
		}
		for i := range b {
			if n, err := got.Decode(b[:i]); err == nil {
				t.Errorf("%s: prefix of %d bytes: took %d", tt.name, i, n)
			}
		}
		if _, err := got.Decode(append(b[:len(b):len(b)], 0)); err == nil {
			t.Errorf("%s: accepted with a byte behind it", tt.name)
		}
	}
}

func TestFrameRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"65535 lengths, none present":    "00 00 00 00 00 00 ff ff",
		"continued without a message":    "00 00 00 00 01 00 00 00",
		"lengths beyond the data":        "00 00 00 00 00 00 02 00  ff ff ff ff  61",
		"data beyond the lengths":        "00 00 00 00 00 00 01 00  01 00  61 62",
		"count of the other byte order":  "00 00 00 00 00 00 00 01  00 03  61 62 63",
		"length of the other byte order": "00 00 00 00 00 00 01 00  00 03  61 62 63",
	} {
		var f Frame
		if _, err := f.Decode(wiretest.Unhex(t, s)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
