package totem

// Layout of a hold cancel (struct token_hold_cancel), 25 bytes:
//
//	header 13 | ring_id 12
const holdCancelLen = 25

// A HoldCancel asks the representative to let go of a token it holds (struct
// token_hold_cancel). The reference never converts its byte order, so one from
// a node of the other order matches no ring there.
type HoldCancel struct {
	Header
	Ring RingID
}

// Decode reads a hold cancel from the front of b and returns how many bytes it
// took; bytes behind it are tolerated.
func (h *HoldCancel) Decode(b []byte) (int, error) {
	if err := h.parse(b, TypeHoldCancel, holdCancelLen); err != nil {
		return 0, err
	}
	h.Ring = loadRingID(b[13:], h.BigEndian)
	return holdCancelLen, nil
}

// Append encodes the hold cancel behind b.
func (h *HoldCancel) Append(b []byte) []byte {
	return appendRingID(h.append(b, TypeHoldCancel), h.Ring, h.BigEndian)
}
