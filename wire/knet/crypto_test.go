package knet

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

// testKey is the key of the reference vectors: byte i is 7i+3.
func testKey(n int) []byte {
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(7*i + 3)
	}
	return key
}

var (
	cipherNames = []string{"none", "aes128", "aes192", "aes256"}
	hashNames   = []string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}
)

func newCrypto(t testing.TB, cipher, hash string) *Crypto {
	t.Helper()
	c, err := NewCrypto(cipher, hash, testKey(128))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Vectors made by libknet 1.25 (appendix A.2).
func TestCryptoVectors(t *testing.T) {
	plain := wiretest.Unhex(t, "018100020000060708090a0b0c0d0e0f10111213141516171819")
	tests := []struct{ cipher, hash, datagram string }{
		{"none", "sha256", "018100020000060708090a0b0c0d0e0f10111213141516171819" +
			"0a30ac617fea614e8e1fb3e988a079f4a9c6e44a6e40eae7fedb4d38c07f0e68"},
		{"aes128", "sha1", "f41fcdd165eb5c42e39fc64a896ec411" +
			"f2d85b477965266337606e5cd9abac32796f20733a823e670c91e10bd2202b26a6c6ba140d852d9341ce927cdbc92cd2c28e2bd8"},
		{"aes256", "sha256", "0e60cc8e9ea795a634c9c3873d337120" +
			"dd0b0dd333fc6f563d9470188439309660afb91758feb4b4d7045044cc0c0313020c91a3ab36c17d326ed6733ea6e8ff" +
			"d9c4f6b4f4425fff6dfb3b3be8b37860"},
	}
	for _, tt := range tests {
		t.Run(tt.cipher+"/"+tt.hash, func(t *testing.T) {
			c := newCrypto(t, tt.cipher, tt.hash)
			datagram := wiretest.Unhex(t, tt.datagram)
			got, err := c.Open(nil, datagram)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plain, got); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(datagram, c.Seal(nil, plain, c.IV(datagram))); diff != "" {
				t.Errorf("sealed again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCryptoRoundTrip(t *testing.T) {
	for _, keyLen := range []int{128, 129, 256, 1024, 4096} {
		for _, cipher := range cipherNames {
			for _, hash := range hashNames {
				if cipher != "none" && hash == "none" {
					continue
				}
				c, err := NewCrypto(cipher, hash, testKey(keyLen))
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range []int{7, 15, 16, 17, 1460, 65000} {
					name := fmt.Sprintf("%s/%s, key %d, packet %d", cipher, hash, keyLen, n)
					plain := bytes.Repeat([]byte{1, 2, 3}, n)[:n]
					datagram := c.Seal([]byte("before"), plain, [16]byte{9, 8, 7})
					if got, want := len(datagram)-6, c.WireLen(n); got != want {
						t.Errorf("%s: %d bytes on the wire, WireLen %d", name, got, want)
					}
					got, err := c.Open([]byte("here"), datagram[6:])
					if err != nil || string(got[:4]) != "here" || !bytes.Equal(got[4:], plain) {
						t.Fatalf("%s: opened wrong, %v", name, err)
					}
					got, err = c.OpenInPlace(datagram[6:])
					if err != nil || !bytes.Equal(got, plain) {
						t.Fatalf("%s: opened in place wrong, %v", name, err)
					}
				}
			}
		}
	}
}

func TestNewCryptoRefuses(t *testing.T) {
	tests := []struct {
		cipher, hash string
		keyLen       int
	}{
		{"aes256", "none", 128},
		{"aes255", "sha256", 128},
		{"3des", "sha1", 128},
		{"aes256", "sha224", 128},
		{"", "", 128},
		{"aes256", "sha256", 127},
		{"none", "sha256", 4097},
		{"none", "md5", 0},
	}
	for _, tt := range tests {
		if _, err := NewCrypto(tt.cipher, tt.hash, testKey(tt.keyLen)); err == nil {
			t.Errorf("%s/%s with a key of %d bytes: accepted", tt.cipher, tt.hash, tt.keyLen)
		}
	}
	if c, err := NewCrypto("none", "none", nil); c != nil || err != nil {
		t.Errorf("none/none: %v, %v, want nil, nil", c, err)
	}
}

// Every prefix, every flipped bit and every other configuration fails.
func TestOpenRefuses(t *testing.T) {
	plain := wiretest.Unhex(t, packetTests[0].hex)
	for _, cipher := range cipherNames {
		for _, hash := range hashNames[1:] {
			c := newCrypto(t, cipher, hash)
			datagram := c.Seal(nil, plain, [16]byte{1})
			dst := []byte("kept")
			for i := range datagram {
				if out, err := c.Open(dst, datagram[:i]); err == nil || string(out) != "kept" {
					t.Errorf("%s/%s: the first %d bytes: %q, %v", cipher, hash, i, out, err)
				}
			}
			for i := range 8 * len(datagram) {
				datagram[i/8] ^= 1 << (i % 8)
				if _, err := c.Open(nil, datagram); !errors.Is(err, ErrAuthentication) {
					t.Errorf("%s/%s: bit %d flipped: %v", cipher, hash, i, err)
				}
				datagram[i/8] ^= 1 << (i % 8)
			}
			other, err := NewCrypto(cipher, hash, testKey(129))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Open(nil, datagram); !errors.Is(err, ErrAuthentication) {
				t.Errorf("%s/%s: another key: %v", cipher, hash, err)
			}
			if _, err := c.Open(nil, make([]byte, MaxMessage+c.Overhead()+17)); err == nil {
				t.Errorf("%s/%s: over-long datagram accepted", cipher, hash)
			}
		}
	}
}

// A holder of the key can still send nonsense under a good digest.
func TestOpenRefusesUnderGoodDigest(t *testing.T) {
	c := newCrypto(t, "aes128", "sha1")
	sign := func(body []byte) []byte {
		c.mac.Reset()
		c.mac.Write(body)
		return c.mac.Sum(bytes.Clone(body))
	}
	for _, n := range []int{1, 15, 16, 17, 31, 33, 47} {
		if _, err := c.Open(nil, sign(make([]byte, n))); err == nil {
			t.Errorf("IV and ciphertext of %d bytes: accepted", n)
		}
	}
	for _, pad := range [][]byte{{0}, {17}, {255}, {1, 2}, {3, 2, 3}, bytes.Repeat([]byte{16}, 15)} {
		text := make([]byte, 32)
		copy(text[32-len(pad):], pad)
		body := append(make([]byte, 16), text...)
		c.encIV.SetIV(body[:16])
		c.enc.CryptBlocks(body[16:], body[16:])
		if _, err := c.Open(nil, sign(body)); !errors.Is(err, errPadding) {
			t.Errorf("padding %v: %v", pad, err)
		}
	}
}

func TestCryptoDoesNotAllocate(t *testing.T) {
	plain := make([]byte, 1460)
	sealed := make([]byte, 0, 2048)
	opened := make([]byte, 0, 2048)
	for _, cipher := range []string{"none", "aes256"} {
		for _, hash := range hashNames[1:] {
			c := newCrypto(t, cipher, hash)
			n := testing.AllocsPerRun(100, func() {
				sealed = c.Seal(sealed[:0], plain, [16]byte{1})
				var err error
				if opened, err = c.Open(opened[:0], sealed); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%s/%s: %v allocations", cipher, hash, n)
			}
		}
	}
}

func benchmarkCrypto(b *testing.B, run func(c *Crypto, sealed, plain, out []byte)) {
	for _, name := range [][2]string{{"none", "none"}, {"none", "sha256"}, {"aes128", "sha1"}, {"aes256", "sha256"}, {"aes256", "sha512"}} {
		for _, n := range []int{78, 1411, 60000} {
			b.Run(fmt.Sprintf("%s-%s/%d", name[0], name[1], n), func(b *testing.B) {
				c := newCrypto(b, name[0], name[1])
				plain := make([]byte, n)
				sealed := c.Seal(nil, plain, [16]byte{1})
				out := make([]byte, 0, len(sealed)+64)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					run(c, sealed, plain, out)
				}
			})
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	benchmarkCrypto(b, func(c *Crypto, _, plain, out []byte) { c.Seal(out, plain, [16]byte{1}) })
}

func BenchmarkOpen(b *testing.B) {
	benchmarkCrypto(b, func(c *Crypto, sealed, _, out []byte) { c.Open(out, sealed) })
}
