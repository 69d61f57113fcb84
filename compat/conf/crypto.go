package conf

import (
	"slices"
	"syscall"
)

// Bounds of a key's length in bytes (libknet.h).
const (
	minKey = 128  // KNET_MIN_KEY_LEN
	maxKey = 4096 // KNET_MAX_KEY_LEN
)

// A crypto is the packets' protection. Both names are "none" for none.
type crypto struct {
	cipher, hash string
	key          []byte
}

func (c *crypto) none() bool { return c.cipher == "none" && c.hash == "none" }

// readCrypto finds cipher, hash and key
// (exec/totemconfig.c:totem_get_crypto, totem_config_keyread).
func (t *totem) readCrypto() *Error {
	c := crypto{cipher: "none", hash: "none"}
	blame := "totem.crypto_cipher"
	if on, _ := t.keys.text("totem.secauth"); on == "on" { // no other word means on
		c = crypto{cipher: "aes256", hash: "sha256"}
	}
	if text, ok := t.keys.text("totem.crypto_cipher"); ok && slices.Contains(ciphers, text) {
		c.cipher = text
	}
	if text, ok := t.keys.text("totem.crypto_hash"); ok && slices.Contains(hashes, text) {
		c.hash = text
		blame = "totem.crypto_hash"
	}
	if c.cipher != "none" && c.hash == "none" {
		return refuse(roundTotem, blame, "crypto_cipher requires crypto_hash with value other than none")
	}
	if model, _ := t.keys.text("totem.crypto_model"); model == "none" {
		return refuse(roundTotem, "totem.crypto_model", "invalid crypto_model")
	}
	t.crypto = c
	if c.none() {
		return nil
	}
	return t.readKey()
}

// readKey takes the key from the named file, from the configuration itself, or
// from the usual file, in this order of preference.
func (t *totem) readKey() *Error {
	if file, ok := t.keys.text("totem.keyfile"); ok {
		return t.readKeyFile(file, "totem.keyfile")
	}
	text, ok := t.keys.text("totem.key")
	if !ok {
		return t.readKeyFile(t.env.keyFile(), "")
	}
	key := append([]byte(text), 0) // C's end of the text is part of the secret
	switch {
	case len(key) > maxKey:
		return refuse(roundTotem, "totem.key", "key is too long")
	case len(key) < minKey:
		return refuse(roundTotem, "totem.key", "key is too short")
	}
	t.crypto.key = key
	return nil
}

// readKeyFile reads the key's bytes as they are; what is beyond maxKey is not
// looked at (exec/totemconfig.c:read_keyfile).
func (t *totem) readKeyFile(file, blame string) *Error {
	data, err := t.env.readFile(file, maxKey)
	switch {
	case err != nil && errnoOf(err) == syscall.EISDIR:
		return refuse(roundTotem, blame, "Could not read %s: %s", file, strerror(err))
	case err != nil:
		return refuse(roundTotem, blame, "Could not open %s: %s", file, strerror(err))
	}
	data = data[:min(len(data), maxKey)]
	if len(data) < minKey {
		return refuse(roundTotem, blame, "Could only read %d bits of minimum %d bits from %s.",
			8*len(data), 8*minKey, file)
	}
	t.crypto.key = data
	return nil
}
