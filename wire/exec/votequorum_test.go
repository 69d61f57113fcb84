package exec

import (
	"bytes"
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

func TestVoteMade(t *testing.T) {
	pad := func(text string, size int) string {
		return strings.Repeat("61", len(text)) + strings.Repeat("00", size-len(text))
	}
	for name, c := range map[string]struct {
		m    codec
		want string
	}{
		// services.md, appendix A
		"node info": {&VoteNodeInfo{Node: 1, Votes: 1, Expected: 3, Flags: VoteQuorate},
			"00000500 00000000 20000000 00000000 01000000 01000000 03000000 01000000"},
		"reconfigure": {&VoteReconfigure{Node: 2, Value: 5, Param: VoteParamVotes},
			"01000500 00000000 20000000 00000000 02000000 05000000 02 00000000000000"},
		"device": {&VoteDevice{Operation: VoteDeviceRegister, Name: "aaa"},
			"02000500 00000000 18010000 00000000 01000000" + pad("aaa", 260)},
		"longest device name": {&VoteDevice{Name: strings.Repeat("a", 300)},
			"02000500 00000000 18010000 00000000 00000000" + pad(strings.Repeat("a", 254), 260)},
		"rename": {&VoteDeviceRename{Old: "aa", New: "aaa"},
			"03000500 00000000 10020000 00000000" + pad("aa", 255) + pad("aaa", 257)},
		"extra info": {&VoteExtraInfo{Node: 4, Data: []byte{9}},
			"04000500 00000000 19000000 00000000 04000000 01000000 09"},
	} {
		if got, want := c.m.Append(nil), wiretest.Unhex(t, c.want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
	}
}

// TestVoteHostile: the reference's receivers copy device names up to a NUL,
// into 255 bytes, wherever the NUL is.
func TestVoteHostile(t *testing.T) {
	name := strings.Repeat("61", 255)
	for what, c := range map[string]struct {
		m   codec
		msg string
	}{
		"register without an end": {new(VoteDevice),
			"02000500 00000000 18010000 00000000 01000000" + name + "0000000000"},
		"rename, old without an end": {new(VoteDeviceRename),
			"03000500 00000000 10020000 00000000" + name + strings.Repeat("00", 257)},
		"rename, new without an end": {new(VoteDeviceRename),
			"03000500 00000000 10020000 00000000" + strings.Repeat("00", 255) + name + "0000"},
		"extra info of 4097 bytes": {new(VoteExtraInfo),
			"04000500 00000000 19100000 00000000 01000000 01100000" + strings.Repeat("00", 4097)},
		"extra info beyond its message": {new(VoteExtraInfo),
			"04000500 00000000 19000000 00000000 01000000 02000000 0900"},
		"extra info of 4 GiB": {new(VoteExtraInfo),
			"04000500 00000000 18000000 00000000 01000000 ffffffff"},
		"node info with a larger size": {new(VoteNodeInfo),
			"00000500 00000000 24000000 00000000 01000000 01000000 03000000 01000000 00000000"},
		"node info with another function": {new(VoteNodeInfo),
			"01000500 00000000 20000000 00000000 01000000 01000000 03000000 01000000"},
	} {
		if n, err := c.m.Decode(wiretest.Unhex(t, c.msg)); err == nil {
			t.Errorf("%s: accepted %d bytes", what, n)
		}
	}
}
