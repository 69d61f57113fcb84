package mesh

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"net"
)

// A layer is how records and messages' bytes go over a connection whose two ends
// know each other. This file is the choice between the ways; doc.go has what
// each measured.
//
//	unix  as they are: both ends are in one kernel's memory
//	tcp   records under two keys of the connection's own, bytes under the
//	      sender's key, so that they are sealed once for all receivers
//
// TLS is left behind after the handshake, as in DTLS-SRTP (RFC 5764): its
// records are short, have to be made for each receiver anew, and are copied twice.
// The connection's keys are exported from it (RFC 8446, 7.5), so they are as secret
// and as bound to the two certificates as TLS's own.
type layer struct {
	conn   net.Conn
	out    half
	in     half
	sealed bool                     // messages' bytes too
	write  func(*net.Buffers) error // all of them, and consumes them
}

// newLayer makes the layer of a connection after its handshake. raw is what is
// beneath tc.
func newLayer(tc *tls.Conn, raw net.Conn, dialled bool) (*layer, error) {
	l := &layer{conn: raw, write: func(b *net.Buffers) error { _, err := b.WriteTo(raw); return err }}
	if _, ok := raw.(*net.UnixConn); ok {
		return l, nil
	}
	state := tc.ConnectionState()
	keys, err := state.ExportKeyingMaterial("EXPORTER-cpgol-mesh-1", nil, 2*keyLen)
	if err != nil {
		return nil, err
	}
	there, back := newAEAD(keys[:keyLen]), newAEAD(keys[keyLen:])
	l.sealed = true
	if dialled {
		l.out.aead, l.in.aead = there, back
	} else {
		l.out.aead, l.in.aead = back, there
	}
	return l, nil
}

// newAEAD makes AES-256-GCM of a key of keyLen bytes.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// recordLen is a record's length on the connection.
func (l *layer) recordLen() int {
	if l.in.aead == nil {
		return recordLen
	}
	return recordLen + sealLen
}

// A half is one direction of a layer. The n-th record is sealed with number n, so
// none can be left out, repeated or moved.
type half struct {
	aead  cipher.AEAD // nil: as it is
	count uint64
	nonce nonce
	plain [recordLen]byte
}

// append appends a record to dst.
func (h *half) append(dst []byte, r *record) []byte {
	r.encode(&h.plain)
	if h.aead == nil {
		return append(dst, h.plain[:]...)
	}
	h.count++
	return h.aead.Seal(dst, h.nonce.of(h.count), h.plain[:], nil)
}

// open reads a record; h.plain is it as it was before it was sealed.
func (h *half) open(b []byte, r *record) error {
	if h.aead == nil {
		copy(h.plain[:], b)
		return r.decode(&h.plain)
	}
	h.count++
	if _, err := h.aead.Open(h.plain[:0], h.nonce.of(h.count), b, nil); err != nil {
		return err
	}
	return r.decode(&h.plain)
}

// A nonce is where the nonces of a key are made: a counter, as no number is used
// twice under one key.
type nonce [12]byte

func (n *nonce) of(counter uint64) []byte {
	le.PutUint64(n[4:], counter)
	return n[:]
}
