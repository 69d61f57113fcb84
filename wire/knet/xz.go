package knet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// The .xz container is read here and not by the library because the library
// makes a dictionary as large as the header asks, up to 4 GiB, and a message
// never needs more than its own length.
//
//	magic 6 | flags 2 | CRC32 4                                   stream header
//	size 1 | flags 1 | [sizes] | 21 01 dict | padding | CRC32 4   block header
//	LZMA2 | padding to 4 | check                                  block
//	00 | 01 | unpadded size | size | padding to 4 | CRC32 4       index
//	CRC32 4 | index size 4 | flags 2 | "YZ"                       footer

const (
	xzMagic     = "\xfd7zXZ\x00"
	xzHeaderLen = 12
	xzFooterLen = 12
	lzma2ID     = 0x21
)

var errXZ = errors.New("not a single-block .xz stream")

// xzDecode reads a stream of one block, which is what one-shot compressors
// make (lzma_easy_buffer_encode).
func xzDecode(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < xzHeaderLen+xzFooterLen || string(src[:6]) != xzMagic ||
		src[6] != 0 || !crcAt(src[6:], 2) {
		return nil, errXZ
	}
	check, ok := xzChecks[src[7]]
	if !ok {
		return nil, errXZ
	}
	head, sizes, err := xzBlockHeader(src[xzHeaderLen:])
	if err != nil {
		return nil, err
	}
	in := bytes.NewReader(src[xzHeaderLen+head:])
	text := in.Len()
	r, err := lzma.Reader2Config{DictCap: max(limit, lzma.MinDictCap)}.NewReader2(in)
	if err != nil {
		return nil, err
	}
	out, err := readAll(dst, r, limit)
	if err != nil {
		return nil, err
	}
	text -= in.Len()
	message := out[len(dst):]
	if sizes[0] >= 0 && sizes[0] != int64(text) || sizes[1] >= 0 && sizes[1] != int64(len(message)) {
		return nil, errXZ
	}
	rest := src[xzHeaderLen+head+text:]
	if rest, ok = cutZeros(rest, -text&3); !ok {
		return nil, errXZ
	}
	if check != nil {
		h := check()
		h.Write(message)
		sum := h.Sum(nil)
		if h.Size() != sha256.Size {
			reverse(sum) // CRCs are little-endian in the file, big-endian from Sum
		}
		if !bytes.HasPrefix(rest, sum) {
			return nil, errors.New("integrity check failed")
		}
		rest = rest[len(sum):]
		text += len(sum)
	}
	if !xzTail(rest, [2]byte(src[6:8]), head+text, len(message)) {
		return nil, errXZ
	}
	return out, nil
}

// xzChecks are the integrity checks by number; nil for none.
var xzChecks = map[byte]func() hash.Hash{
	0:  nil,
	1:  func() hash.Hash { return crc32.NewIEEE() },
	4:  func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) },
	10: sha256.New,
}

// xzBlockHeader checks a block header with one LZMA2 filter and returns its
// length and the announced compressed and uncompressed sizes, -1 if not told.
func xzBlockHeader(b []byte) (n int, sizes [2]int64, err error) {
	n = (int(b[0]) + 1) * 4
	if b[0] == 0 || n > len(b) || !crcAt(b, n-4) || b[1]&^0xc0 != 0 {
		return 0, sizes, errXZ
	}
	rest := b[2 : n-4]
	for i := range sizes {
		sizes[i] = -1
		if b[1]&(0x40<<i) == 0 {
			continue
		}
		v, k := binary.Uvarint(rest)
		if k <= 0 || v > 1<<62 {
			return 0, sizes, errXZ
		}
		sizes[i], rest = int64(v), rest[k:]
	}
	if len(rest) < 3 || rest[0] != lzma2ID || rest[1] != 1 || rest[2] > 40 {
		return 0, sizes, errXZ
	}
	if _, ok := cutZeros(rest[3:], len(rest)-3); !ok {
		return 0, sizes, errXZ
	}
	return n, sizes, nil
}

// xzTail checks index and footer of a stream of one block.
func xzTail(b []byte, flags [2]byte, unpadded, size int) bool {
	want := []byte{0, 1}
	want = binary.AppendUvarint(want, uint64(unpadded))
	want = binary.AppendUvarint(want, uint64(size))
	for len(want)%4 != 0 {
		want = append(want, 0)
	}
	n := len(want)
	if !bytes.HasPrefix(b, want) || !crcAt(b, n) {
		return false
	}
	foot := b[n+4:]
	return len(foot) >= xzFooterLen && string(foot[10:12]) == "YZ" && [2]byte(foot[8:10]) == flags &&
		int(binary.LittleEndian.Uint32(foot[4:])) == n/4 &&
		binary.LittleEndian.Uint32(foot) == crc32.ChecksumIEEE(foot[4:10])
}

// crcAt reports whether b holds n bytes followed by their CRC32.
func crcAt(b []byte, n int) bool {
	return len(b) >= n+4 && binary.LittleEndian.Uint32(b[n:]) == crc32.ChecksumIEEE(b[:n])
}

// cutZeros cuts n bytes, all of which must be there and zero.
func cutZeros(b []byte, n int) ([]byte, bool) {
	if len(b) < n {
		return nil, false
	}
	for _, c := range b[:n] {
		if c != 0 {
			return nil, false
		}
	}
	return b[n:], true
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// xzEncode writes one block without integrity check. The level is checked and
// otherwise unused: the reference's presets mostly choose dictionary sizes
// far beyond a message's length.
func xzEncode(level int, dst, src []byte) ([]byte, error) {
	if err := checkLevel(level, 0, 9); err != nil {
		return nil, err
	}
	out := &appender{dst}
	w, err := xz.WriterConfig{NoCheckSum: true, DictCap: max(len(src), lzma.MinDictCap)}.NewWriter(out)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, bytes.NewReader(src)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.b, nil
}
