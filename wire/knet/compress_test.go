package knet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

// testMessage is part noise, part pattern.
func testMessage(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for k := range b {
		if k%512 < 64 {
			x = (x*1103515245 + 12345) & 0x7fffffff
			b[k] = byte(x >> 16)
		} else {
			b[k] = byte(k*7 + k/300)
		}
	}
	return b
}

var methodNames = []string{"zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"}

// The files are testMessage(4000) compressed by the libraries that libknet
// uses: zlib 1.2.13, lz4 1.9.4, lzo 2.10 (three of its variants), liblzma 5.4.1
// (every integrity check), bzip2 1.0.8, zstd 1.5.4.
func TestDecompressReference(t *testing.T) {
	want := testMessage(4000)
	files, err := filepath.Glob("testdata/compressed/*.bin")
	if err != nil || len(files) != 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".bin"), "-")
		m, ok := MethodByName(name)
		if !ok {
			t.Fatalf("%s: unknown method", file)
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{len(want), len(want) + 1, MaxMessage} {
			got, err := Decompress(m, []byte("kept"), src, limit)
			if err != nil {
				t.Errorf("%s, limit %d: %v", file, limit, err)
			} else if string(got[:4]) != "kept" || !bytes.Equal(got[4:], want) {
				t.Errorf("%s, limit %d: other bytes", file, limit)
			}
		}
		for _, limit := range []int{0, 1, 100, len(want) - 1} {
			if got, err := Decompress(m, []byte("kept"), src, limit); err == nil || string(got) != "kept" {
				t.Errorf("%s, limit %d: %d bytes, %v", file, limit, len(got), err)
			}
		}
		for i := range src {
			// A prefix of an LZ4 block may itself be a block, of less.
			if got, err := Decompress(m, nil, src[:i], MaxMessage); err == nil && bytes.Equal(got, want) {
				t.Errorf("%s: the first %d of %d bytes are enough", file, i, len(src))
			}
		}
	}
}

func TestCompressRoundTrip(t *testing.T) {
	for _, name := range methodNames {
		m, _ := MethodByName(name)
		if m.String() != name {
			t.Errorf("%s is called %v", name, m)
		}
		if !m.CanCompress() {
			continue
		}
		for level := 1; level <= 9; level++ {
			for _, n := range []int{1, 101, 4000, MaxMessage} {
				want := testMessage(n)
				b, err := Compress(m, level, []byte("kept"), want)
				if err != nil || string(b[:4]) != "kept" {
					t.Fatalf("%s level %d: %d bytes: %v", name, level, n, err)
				}
				if n >= 4000 && len(b) >= n {
					t.Errorf("%s level %d: %d bytes grow to %d", name, level, n, len(b)-4)
				}
				got, err := Decompress(m, nil, b[4:], n)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s level %d: %d bytes do not come back: %v", name, level, n, err)
				}
			}
		}
	}
}

// zstd must tell the content size and carry no checksum, xz no integrity check:
// what the reference's compressors make.
func TestCompressForm(t *testing.T) {
	b, err := Compress(Zstd, 0, nil, testMessage(4000))
	if err != nil || b[4]&0xc4 != 0x40 {
		t.Errorf("zstd frame header descriptor %#x, %v, want a two-byte content size and no checksum", b[4], err)
	}
	b, err = Compress(LZMA, 0, nil, testMessage(4000))
	if err != nil || b[7] != 0 {
		t.Errorf("xz check %d, %v, want none", b[7], err)
	}
}

func TestCompressLevels(t *testing.T) {
	tests := []struct {
		name  string
		level int
		ok    bool
	}{
		{"zlib", 0, true}, {"zlib", -1, true}, {"zlib", -2, false}, {"zlib", 10, false},
		{"lz4", 0, true}, {"lz4", 100, true},
		{"lz4hc", 0, true}, {"lz4hc", 12, true}, {"lz4hc", 13, false},
		{"lzma", 0, true}, {"lzma", 10, false},
		{"bzip2", 0, false}, {"bzip2", 10, false},
		{"zstd", 0, true}, {"zstd", -5, true}, {"zstd", 22, true}, {"zstd", 23, false},
		{"lzo2", 1, false}, {"none", 0, false},
	}
	for _, tt := range tests {
		m, _ := MethodByName(tt.name)
		if _, err := Compress(m, tt.level, nil, testMessage(500)); (err == nil) != tt.ok {
			t.Errorf("%s level %d: %v", tt.name, tt.level, err)
		}
	}
	if _, err := Compress(LZO2, 1, nil, []byte("x")); !errors.Is(err, ErrReceiveOnly) {
		t.Errorf("lzo2: %v", err)
	}
	if _, err := Compress(Method(8), 1, nil, []byte("x")); err == nil {
		t.Error("method 8 accepted")
	}
	if _, err := Decompress(Method(255), nil, []byte("x"), 100); err == nil {
		t.Error("method 255 accepted")
	}
}

// A header that announces gigabytes costs neither them nor the daemon.
func TestDecompressHostile(t *testing.T) {
	zeros := make([]byte, 64<<20)
	hostile := map[Method][]byte{
		// a dictionary of 4 GiB - 1
		LZMA: func() []byte {
			b, err := os.ReadFile("testdata/compressed/lzma.bin")
			if err != nil {
				t.Fatal(err)
			}
			b[12+4] = 40
			return fixCRC(b, 12, 8)
		}(),
		// a content of 2^63 bytes
		Zstd: wiretest.Unhex(t, "28b52ffd e0 0000000000000080 010000"),
	}
	for _, m := range []Method{Zlib, LZ4, Bzip2} { // a bomb
		b, err := Compress(m, 9, nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		hostile[m] = b
	}
	for m, src := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := Decompress(m, nil, src, MaxMessage)
		runtime.ReadMemStats(&after)
		if m == LZMA { // only the dictionary is hostile, the message is good
			if err != nil || len(out) != 4000 {
				t.Errorf("%v: %d bytes, %v", m, len(out), err)
			}
		} else if err == nil {
			t.Errorf("%v: accepted, %d bytes", m, len(out))
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%v: %d bytes allocated", m, used)
		}
	}
}

// FuzzOpen feeds hostile bytes to the envelope and to every decompressor: the
// first byte chooses which. Nothing may panic or exceed the limit, and what
// the envelope accepts seals to the same bytes again.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{0})
	for i, name := range methodNames {
		file, err := os.ReadFile("testdata/compressed/" + name + ".bin")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(i + 1)}, file...))
	}
	var envelopes []*Crypto
	for _, cipher := range cipherNames[:2] {
		for _, hash := range hashNames[1:] {
			c := newCrypto(f, cipher, hash)
			envelopes = append(envelopes, c)
			f.Add(append([]byte{0x80 + byte(len(envelopes)-1)}, c.Seal(nil, []byte("hello"), [16]byte{1})...))
		}
	}
	const limit = 10000
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		kind, b := b[0], b[1:]
		if kind < 0x80 {
			dst := make([]byte, 5, 6)
			out, err := Decompress(Method(kind%9), dst, b, limit)
			if len(out) > 5+limit || err != nil && len(out) != 5 {
				t.Errorf("%d bytes, %v", len(out)-5, err)
			}
			return
		}
		c := envelopes[int(kind)%len(envelopes)]
		// Guessing a digest is hopeless: sign what the fuzzer made as well.
		if c.enc != nil && kind&0x40 != 0 {
			c.mac.Reset()
			c.mac.Write(b)
			b = c.mac.Sum(b[:len(b):len(b)])
		}
		plain, err := c.Open(nil, b)
		if err == nil && !bytes.Equal(c.Seal(nil, plain, c.IV(b)), b) {
			t.Errorf("sealed again, other bytes")
		}
	})
}

// fixCRC makes the checksum at the end of n bytes at offset at right again.
func fixCRC(b []byte, at, n int) []byte {
	binary.LittleEndian.PutUint32(b[at+n:], crc32.ChecksumIEEE(b[at:at+n]))
	return b
}
