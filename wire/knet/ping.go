package knet

import "encoding/binary"

// A Ping asks a link's other end for a sign of life, or is the answer (a pong):
// the same packet with the type and the node changed. Exactly 26 bytes.
//
//	header 6 | link 1 | time 16 | seq 2 | timed 1
//
// To answer, set Type to TypePong and Node to the answering node and append.
// Everything else, the header's spare bytes too, comes back unchanged.
type Ping struct {
	Header
	// Link is the link's number on both nodes.
	Link uint8
	// Time is the pinger's clock in its own form (struct timespec); only the
	// pinger may look inside.
	Time [16]byte
	// Seq is the pinger's last message number, 0 if it sent none yet.
	Seq uint16
	// Timed is 1 in a periodic ping, 0 in one forced by the message count.
	Timed uint8
}

// Decode reads a ping or pong; n is 26. Trailing bytes are ignored, as the
// reference ignores them (_parse_recv_from_links).
func (p *Ping) Decode(b []byte) (n int, err error) {
	h, err := parseHeaderOf("ping", b, PingLen, TypePing, TypePong)
	if err != nil {
		return 0, err
	}
	*p = Ping{
		Header: h,
		Link:   b[6],
		Time:   [16]byte(b[7:23]),
		Seq:    binary.BigEndian.Uint16(b[23:]),
		Timed:  b[25],
	}
	return PingLen, nil
}

// Append writes the packet.
func (p *Ping) Append(b []byte) []byte {
	b = p.Header.append(b)
	b = append(b, p.Link)
	b = append(b, p.Time[:]...)
	b = binary.BigEndian.AppendUint16(b, p.Seq)
	return append(b, p.Timed)
}
