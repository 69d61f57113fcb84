package knet

// Overhead is what the envelope adds whatever the packet: IV and digest, not
// the padding (the reference's sec_salt_size + sec_hash_size).
func (c *Crypto) Overhead() int {
	if c == nil {
		return 0
	}
	if c.enc == nil {
		return c.mac.Size()
	}
	return blockLen + c.mac.Size()
}

// WireLen is the length of the datagram that carries a packet of n bytes. A
// packet that fills its last cipher block grows by a whole one
// (calc_data_outlen).
func (c *Crypto) WireLen(n int) int {
	if c != nil && c.enc != nil {
		n += blockLen - n%blockLen
	}
	return n + c.Overhead()
}

// DataMTU is the longest fragment for links whose datagrams may have p bytes
// of UDP payload. It reserves the largest header, not the data packet's own
// (calc_max_data_outlen). It may be negative for a p that no link has.
func (c *Crypto) DataMTU(p int) int {
	p -= c.Overhead()
	if c != nil && c.enc != nil {
		p = p - p%blockLen - 1
	}
	return p - HeaderAllLen
}
