package abi

import (
	"encoding/binary"
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

// TestHostileRequests: lengths beyond the request and texts without an end,
// which the daemon of the reference follows.
func TestHostileRequests(t *testing.T) {
	full := strings.Repeat("78", 256)
	for name, c := range map[string]struct {
		m   codec
		msg string
	}{
		"cmap set, value beyond the request": {new(CmapSetRequest),
			h16(0, 300) + keyAB + "0500000000000000 0b00000000000000 61616161"},
		"cmap set, value of 2^64-1": {new(CmapSetRequest),
			h16(0, 300) + keyAB + "ffffffffffffffff 0b00000000000000 61616161"},
		"cmap get, key without an end": {new(CmapGetRequest),
			h16(2, 288) + "0300000000000000" + full + "0000000000000000"},
		"cfg kill node, reason of 257": {new(CfgKillNodeRequest),
			h16(2, 288) + "0300000000000000 0101" + repeat("00", 262)},
		"votequorum register, name without an end": {&VoteDeviceRequest{ID: VoteDeviceRegisterID},
			h16(5, 272) + full},
		"votequorum update, new name without an end": {new(VoteDeviceUpdateRequest),
			h16(7, 528) + repeat("00", 255) + full + "00"},
		"votequorum poll, name without an end": {new(VoteDevicePollRequest),
			h16(8, 296) + full + repeat("00", 24)},
		"votequorum master wins, name without an end": {new(VoteMasterWinsRequest),
			h16(9, 280) + full + repeat("00", 8)},
	} {
		if n, err := c.m.Decode(wiretest.Unhex(t, c.msg)); err == nil {
			t.Errorf("%s: accepted %d bytes", name, n)
		}
	}
}

// TestNarrowFields: what is too long for a field is cut, and a NUL remains.
func TestNarrowFields(t *testing.T) {
	long := strings.Repeat("x", 1000)
	ring := CfgRingStatus{Status: OK}
	for range 20 {
		ring.Interfaces = append(ring.Interfaces, CfgInterface{Name: long, Status: long})
	}
	var got CfgRingStatus
	if _, err := got.Decode(ring.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Interfaces); n != 16 || len(got.Interfaces[15].Name) != 127 || len(got.Interfaces[15].Status) != 511 {
		t.Errorf("%d interfaces, the last %v", n, got.Interfaces[n-1])
	}
	info := VoteInfo{DeviceName: long}
	if info.Decode(info.Append(nil)); len(info.DeviceName) != 254 {
		t.Errorf("device name of %d bytes", len(info.DeviceName))
	}
	kill := CfgKillNodeRequest{Reason: []byte(long)}
	if b := kill.Append(nil); binary.LittleEndian.Uint16(b[24:]) != 256 || len(b) != CfgKillNodeLen {
		t.Errorf("kill reason: %x", b[24:26])
	}
}
