package knet

import "testing"

// CVE-2026-15813: releases of kronosnet up to 1.34 use the numbers of a fragment
// as they come as indices into 255 places and into a buffer, so that fragment 0
// is written before it, and fragment 255 or one beyond the message's last behind
// (pckt_defrag). The four packets are those of the reference's own test.
func TestCVE_2026_15813(t *testing.T) {
	fragment := func(num, seq uint8) []byte {
		d := Data{Header: Header{Node: 1}, Seq: 1, FragNum: num, FragSeq: seq, Payload: make([]byte, 50)}
		return d.Append(nil)
	}
	for _, tt := range []struct {
		num, seq uint8
		accepted bool
	}{
		{2, 0, false},
		{2, 5, false},
		{255, 255, false},
		{254, 1, true},
		{255, 1, false},
		{0, 0, false},
		{0, 1, false},
		{254, 255, false},
		{254, 254, true},
		{1, 1, true}, // a whole message; the reference numbers it 0
		{1, 0, true},
		{1, 2, false},
	} {
		_, err := new(Data).Decode(fragment(tt.num, tt.seq))
		if (err == nil) != tt.accepted {
			t.Errorf("fragment %d of %d: %v", tt.seq, tt.num, err)
		}
	}
	// Every pair of numbers that is accepted is one of the places there are.
	for num := range 256 {
		for seq := range 256 {
			var d Data
			if _, err := d.Decode(fragment(uint8(num), uint8(seq))); err == nil && (d.FragNum > MaxFragments || d.FragSeq > d.FragNum || d.FragNum > 1 && d.FragSeq == 0) {
				t.Fatalf("fragment %d of %d is accepted", seq, num)
			}
		}
	}
}
