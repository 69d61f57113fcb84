package totem

import "testing"

func TestMergeDetect(t *testing.T) {
	want := &MergeDetect{
		Header: Header{Type: TypeMergeDetect, Node: 1},
		From:   1, Ring: RingID{Rep: 1, Seq: 8},
	}
	checkCodec(t, `
		70 c0 03 02 00  01 00 00 00  00 00 00 00
		01 00 00 00   01 00 00 00 08 00 00 00 00 00 00 00`, want)
	want.BigEndian = true
	checkCodec(t, `
		c0 70 03 02 00  00 00 00 01  00 00 00 00
		00 00 00 01   00 00 00 01 00 00 00 00 00 00 00 08`, want)
}

func TestHoldCancel(t *testing.T) {
	want := &HoldCancel{
		Header: Header{Type: TypeHoldCancel, Node: 2},
		Ring:   RingID{Rep: 1, Seq: 8},
	}
	checkCodec(t, `
		70 c0 03 05 00  02 00 00 00  00 00 00 00   01 00 00 00 08 00 00 00 00 00 00 00`, want)
	want.BigEndian = true
	checkCodec(t, `
		c0 70 03 05 00  00 00 00 02  00 00 00 00   00 00 00 01 00 00 00 00 00 00 00 08`, want)
}
