package knet

import (
	"errors"
	"fmt"
)

// A Method is a way to compress messages; the numbers are on the wire.
type Method uint8

// The methods of libknet (compress.c). LZ4HC is LZ4 with a costlier search and
// decodes the same.
const (
	None  Method = 0
	Zlib  Method = 1 // zlib stream
	LZ4   Method = 2 // bare LZ4 block
	LZ4HC Method = 3
	LZO2  Method = 4 // bare LZO1X stream
	LZMA  Method = 5 // .xz container
	Bzip2 Method = 6
	Zstd  Method = 7
)

// A codec is one row of the table of methods. Both functions append to dst.
// decode appends at most limit bytes and fails if there are more; it may panic,
// which Decompress turns into an error.
type codec struct {
	name   string
	decode func(dst, src []byte, limit int) ([]byte, error)
	encode func(level int, dst, src []byte) ([]byte, error) // nil: receive only
}

var codecs = [...]codec{
	None:  {name: "none"},
	Zlib:  {"zlib", zlibDecode, zlibEncode},
	LZ4:   {"lz4", lz4Decode, lz4Encode},
	LZ4HC: {"lz4hc", lz4Decode, lz4hcEncode},
	LZO2:  {"lzo2", lzoDecode, nil},
	LZMA:  {"lzma", xzDecode, xzEncode},
	Bzip2: {"bzip2", bzip2Decode, bzip2Encode},
	Zstd:  {"zstd", zstdDecode, zstdEncode},
}

// errTooLong tells that a message unfolds to more than the limit.
var errTooLong = errors.New("more bytes than allowed")

// ErrReceiveOnly tells that messages of this method can be read but not
// written, for want of a library; send them uncompressed.
var ErrReceiveOnly = errors.New("knet: no compressor for this method")

// MethodByName finds a method by its name in corosync.conf, "none" too.
func MethodByName(name string) (Method, bool) {
	for m := range codecs {
		if codecs[m].name == name {
			return Method(m), true
		}
	}
	return None, false
}

// String gives the name in corosync.conf.
func (m Method) String() string {
	if int(m) < len(codecs) {
		return codecs[m].name
	}
	return fmt.Sprintf("method %d", uint8(m))
}

// CanCompress reports whether Compress knows the method.
func (m Method) CanCompress() bool { return int(m) < len(codecs) && codecs[m].encode != nil }

// Decompress appends the message that src unfolds to, at most limit bytes; if
// there are more it fails. Whatever src holds, it neither panics nor uses memory
// beyond a small multiple of the limit (some methods: a megabyte). On error it
// returns dst as it was. It is safe for concurrent use.
func Decompress(m Method, dst, src []byte, limit int) (out []byte, err error) {
	if m == None || int(m) >= len(codecs) {
		return dst, fmt.Errorf("knet: decompress: %v is unknown", m)
	}
	defer func() {
		// The libraries are robust, but a peer must not be able to stop the
		// daemon by what they overlook.
		if p := recover(); p != nil {
			out, err = dst, fmt.Errorf("knet: decompress %v: %d bytes: %v", m, len(src), p)
		}
	}()
	out, err = codecs[m].decode(dst, src, limit)
	if err != nil {
		return dst, fmt.Errorf("knet: decompress %v: %d bytes: %w", m, len(src), err)
	}
	return out, nil
}

// Compress appends src compressed. The level's meaning is the method's, 0 being
// its default (but an error for bzip2, as in the reference); levels out of range
// are an error. The result may be longer than src: the caller then sends src
// itself. On error it returns dst as it was. It is safe for concurrent use.
func Compress(m Method, level int, dst, src []byte) ([]byte, error) {
	if !m.CanCompress() {
		return dst, fmt.Errorf("%w: %v", ErrReceiveOnly, m)
	}
	out, err := codecs[m].encode(level, dst, src)
	if err != nil {
		return dst, fmt.Errorf("knet: compress %v: %w", m, err)
	}
	return out, nil
}
