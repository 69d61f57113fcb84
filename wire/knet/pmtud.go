package knet

import "encoding/binary"

// A PMTUD is a path-MTU probe, or the reply to one.
//
//	header 6 | link 1 | size 2 | fill (none in a reply)
//
// To reply, set Type to TypePMTUDReply, Node to the replying node, drop Fill
// and append.
type PMTUD struct {
	Header
	// Link is the link's number on both nodes.
	Link uint8
	// Size is the length of the IP packet that carries the probe. On the wire
	// it is in the prober's byte order, here read as little-endian; a reply
	// echoes it.
	Size uint16
	// Fill makes a probe as long as it must be: zeros from a sender, anything
	// from a peer. After Decode it aliases the packet.
	Fill []byte
}

// zeros is what probes are filled with. It is never written.
var zeros [MaxMessage]byte

// Fill returns the zeros that make a probe plain bytes long in all (before the
// envelope), none if plain is shorter than a probe. The slice is shared and
// must not be written.
func Fill(plain int) []byte {
	n := min(max(plain-PMTUDLen, 0), len(zeros))
	return zeros[:n:n]
}

// Decode reads a probe or reply. A probe is consumed whole; of a reply nine
// bytes are, whatever follows.
func (p *PMTUD) Decode(b []byte) (n int, err error) {
	h, err := parseHeaderOf("pmtud", b, PMTUDLen, TypePMTUD, TypePMTUDReply)
	if err != nil {
		return 0, err
	}
	n = PMTUDLen
	if h.Type == TypePMTUD {
		n = len(b)
	}
	*p = PMTUD{Header: h, Link: b[6], Size: binary.LittleEndian.Uint16(b[7:]), Fill: b[PMTUDLen:n]}
	return n, nil
}

// Append writes the packet.
func (p *PMTUD) Append(b []byte) []byte {
	b = p.Header.append(b)
	b = append(b, p.Link)
	b = binary.LittleEndian.AppendUint16(b, p.Size)
	return append(b, p.Fill...)
}
