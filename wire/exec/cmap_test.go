package exec

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

// TestCmapVersionBytes holds the two messages that daemons send against what
// the reference sends (services.md 7.1: 336 bytes, 328 without a version).
func TestCmapVersionBytes(t *testing.T) {
	fixed := " 01 00000000000000  01 00000000000000" + strings.Repeat("00", 16) +
		"1400 000000000000  746f74656d2e636f6e6669675f76657273696f6e" + strings.Repeat("00", 236)
	for _, c := range []struct {
		name string
		msg  *CmapItems
		want string
	}{
		{"version 7", NewCmapVersion(CmapNewVersion, 7, true),
			"00000000 00000000 50010000 00000000" + fixed + "08 00000000000000  0800000000000000  0700000000000000"},
		{"none", NewCmapVersion(CmapNewVersion, 0, false),
			"00000000 00000000 48010000 00000000" + fixed + "00 00000000000000  0000000000000000"},
	} {
		want := wiretest.Unhex(t, c.want)
		if got := c.msg.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, got, want)
		}
		var back CmapItems
		if n, err := back.Decode(want); err != nil || n != len(want) {
			t.Errorf("%s: Decode = %d, %v", c.name, n, err)
		}
	}
	if v := NewCmapVersion(CmapSync, 7, true).Version(); v != 7 {
		t.Errorf("version %d, want 7", v)
	}
	if v := NewCmapVersion(CmapSync, 7, false).Version(); v != 0 {
		t.Errorf("version %d, want 0", v)
	}
}

// TestCmapHostile: the reference copies a config_version of any length into 8
// bytes of its stack, and walks past the message by the lengths it holds.
func TestCmapHostile(t *testing.T) {
	valid := NewCmapVersion(CmapSync, 7, true).Append(nil)
	const item = cmapItemsLen
	for name, spoil := range map[string]func(b []byte) []byte{
		"version of 4096 bytes": func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[item+272:], 4096)
			b = append(b, make([]byte, 4088)...)
			binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
			return b
		},
		"version of 4 bytes": func(b []byte) []byte { b[item+272] = 4; return b },
		"length past the message": func(b []byte) []byte {
			b[item+264] = 12
			binary.LittleEndian.PutUint64(b[item+272:], 16)
			return b
		},
		"length beyond int": func(b []byte) []byte {
			b[item+264] = 12
			binary.LittleEndian.PutUint64(b[item+272:], 1<<63+8)
			return b
		},
		"value above the limit": func(b []byte) []byte {
			b[item+264] = 12
			binary.LittleEndian.PutUint64(b[item+272:], cmapMaxValue+1)
			return append(b, make([]byte, cmapMaxValue+8)...)
		},
		"absent key with a value": func(b []byte) []byte { b[item+264] = 0; return b },
		"key without an end":      func(b []byte) []byte { b[item+8+20] = 'x'; return b },
		"key of 256 bytes":        func(b []byte) []byte { b[item], b[item+1] = 0, 1; return b },
		"more items than bytes":   func(b []byte) []byte { b[24] = 2; return b },
		"fewer items than bytes":  func(b []byte) []byte { b[24] = 0; return b },
		"size below the header":   func(b []byte) []byte { b[8], b[9] = 15, 0; return b },
		"negative size":           func(b []byte) []byte { b[11] = 0x80; return b },
		"another service":         func(b []byte) []byte { b[2] = 1; return b },
	} {
		if n, err := new(CmapItems).Decode(spoil(bytes.Clone(valid))); err == nil {
			t.Errorf("%s: accepted %d bytes", name, n)
		}
	}
}
