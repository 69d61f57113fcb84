package knet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"slices"
)

// Limits of a private key in bytes (KNET_MIN_KEY_LEN, KNET_MAX_KEY_LEN).
const (
	MinKeyLen = 128
	MaxKeyLen = 4096
)

const blockLen = aes.BlockSize

// ErrAuthentication tells that a datagram is not from a holder of the key, or
// was damaged.
var ErrAuthentication = errors.New("knet: digest does not match")

// errPadding follows a good digest, so it means a peer's defect and tells an
// attacker nothing.
var errPadding = errors.New("knet: bad padding under a good digest")

// A Crypto seals and opens packets under one configuration: cipher, hash and
// private key. A nil *Crypto is the clear configuration. It keeps working state
// and must not be used from two goroutines at once.
type Crypto struct {
	mac      hash.Hash
	enc, dec cipher.BlockMode // nil without a cipher
	encIV    ivSetter
	decIV    ivSetter
	iv       [blockLen]byte
	tag      []byte // scratch for Open
}

// ivSetter is what CBC modes of the standard library have beyond
// cipher.BlockMode; it saves making one per packet.
type ivSetter interface{ SetIV(iv []byte) }

// NewCrypto takes cipher and hash by their names in corosync.conf: none,
// aes128, aes192 or aes256; none, md5, sha1, sha256, sha384 or sha512. Both none
// is the clear configuration, nil, whatever the key. The cipher's key is the
// start of the private key, the hash's is all of it, as in crypto_openssl.c.
// The key is not kept.
func NewCrypto(cipherName, hashName string, key []byte) (*Crypto, error) {
	keyLen, ok := cipherKeyLen(cipherName)
	if !ok {
		return nil, fmt.Errorf("knet: crypto cipher %q is not one of none, aes128, aes192, aes256", cipherName)
	}
	newHash, ok := hashByName(hashName)
	if !ok {
		return nil, fmt.Errorf("knet: crypto hash %q is not one of none, md5, sha1, sha256, sha384, sha512", hashName)
	}
	if newHash == nil {
		if keyLen != 0 {
			return nil, fmt.Errorf("knet: crypto cipher %s needs a hash", cipherName)
		}
		return nil, nil
	}
	if len(key) < MinKeyLen || len(key) > MaxKeyLen {
		return nil, fmt.Errorf("knet: private key of %d bytes, want %d to %d", len(key), MinKeyLen, MaxKeyLen)
	}
	c := &Crypto{mac: hmac.New(newHash, key)}
	c.tag = make([]byte, 0, c.mac.Size())
	c.mac.Reset() // the second state saves two hash blocks a packet from here on
	if keyLen != 0 {
		block, err := aes.NewCipher(key[:keyLen])
		if err != nil {
			return nil, fmt.Errorf("knet: crypto cipher %s: %w", cipherName, err)
		}
		c.enc = cipher.NewCBCEncrypter(block, c.iv[:])
		c.dec = cipher.NewCBCDecrypter(block, c.iv[:])
		c.encIV = c.enc.(ivSetter)
		c.decIV = c.dec.(ivSetter)
	}
	return c, nil
}

func cipherKeyLen(name string) (int, bool) {
	switch name {
	case "none":
		return 0, true
	case "aes128":
		return 16, true
	case "aes192":
		return 24, true
	case "aes256":
		return 32, true
	}
	return 0, false
}

func hashByName(name string) (func() hash.Hash, bool) {
	switch name {
	case "none":
		return nil, true
	case "md5":
		return md5.New, true
	case "sha1":
		return sha1.New, true
	case "sha256":
		return sha256.New, true
	case "sha384":
		return sha512.New384, true
	case "sha512":
		return sha512.New, true
	}
	return nil, false
}

// Seal appends to dst the datagram that carries packet plain. Every packet
// needs a fresh random iv; it is unused without a cipher. dst's spare capacity
// must not overlap plain. It does not allocate when dst has room for WireLen
// more bytes.
func (c *Crypto) Seal(dst, plain []byte, iv [16]byte) []byte {
	if c == nil {
		return append(dst, plain...)
	}
	start := len(dst)
	dst = slices.Grow(dst, c.WireLen(len(plain)))
	if c.enc == nil {
		dst = append(dst, plain...)
	} else {
		c.iv = iv
		dst = append(dst, iv[:]...)
		body := len(dst)
		dst = append(dst, plain...)
		pad := blockLen - len(plain)%blockLen
		for range pad {
			dst = append(dst, byte(pad))
		}
		c.encIV.SetIV(c.iv[:])
		c.enc.CryptBlocks(dst[body:], dst[body:])
	}
	c.mac.Reset()
	c.mac.Write(dst[start:])
	return c.mac.Sum(dst)
}

// Open appends to dst the packet that the datagram carries. dst's spare
// capacity must not overlap the datagram. It does not allocate when dst has
// room for the datagram's length. On error it returns dst as it was.
func (c *Crypto) Open(dst, datagram []byte) ([]byte, error) {
	if c == nil {
		return append(dst, datagram...), nil
	}
	body, err := c.authenticate(datagram)
	if err != nil {
		return dst, err
	}
	if c.dec == nil {
		return append(dst, body...), nil
	}
	start, text := len(dst), len(body)-blockLen
	out := slices.Grow(dst, text)[:start+text]
	n, err := c.decrypt(out[start:], body)
	if err != nil {
		return dst, err
	}
	return out[:start+n], nil
}

// OpenInPlace is Open that overwrites the datagram with the packet and returns
// the part of it that holds the packet.
func (c *Crypto) OpenInPlace(datagram []byte) ([]byte, error) {
	if c == nil {
		return datagram, nil
	}
	body, err := c.authenticate(datagram)
	if err != nil || c.dec == nil {
		return body, err
	}
	out := body[blockLen:]
	n, err := c.decrypt(out, body)
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}

// IV returns the datagram's initialisation vector, zero without a cipher. With
// it, Seal makes the same datagram again.
func (c *Crypto) IV(datagram []byte) (iv [16]byte) {
	if c != nil && c.enc != nil {
		copy(iv[:], datagram)
	}
	return iv
}

// authenticate checks the digest, which covers every byte before it, and
// returns those: with a cipher, an IV and at least one whole block
// (opensslcrypto_authenticate_and_decrypt).
func (c *Crypto) authenticate(datagram []byte) ([]byte, error) {
	n := len(datagram) - c.mac.Size()
	if n <= 0 || n > MaxMessage {
		return nil, fmt.Errorf("knet: sealed packet: %d bytes, want %d to %d", len(datagram), c.mac.Size()+1, c.mac.Size()+MaxMessage)
	}
	c.mac.Reset()
	c.mac.Write(datagram[:n])
	c.tag = c.mac.Sum(c.tag[:0])
	if subtle.ConstantTimeCompare(c.tag, datagram[n:]) != 1 {
		return nil, ErrAuthentication
	}
	if c.dec != nil && (n < 2*blockLen || n%blockLen != 0) {
		return nil, fmt.Errorf("knet: sealed packet: IV and ciphertext of %d bytes", n)
	}
	return datagram[:n], nil
}

// decrypt decrypts IV and ciphertext into out, which is as long as the
// ciphertext, and returns the length without padding.
func (c *Crypto) decrypt(out, body []byte) (int, error) {
	text := len(out)
	copy(c.iv[:], body)
	c.decIV.SetIV(c.iv[:])
	c.dec.CryptBlocks(out, body[blockLen:])
	pad := int(out[text-1])
	if pad < 1 || pad > blockLen {
		return 0, errPadding
	}
	for _, b := range out[text-pad:] {
		if int(b) != pad {
			return 0, errPadding
		}
	}
	return text - pad, nil
}
