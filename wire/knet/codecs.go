package knet

import (
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/anchore/go-lzo"
	dsbzip2 "github.com/dsnet/compress/bzip2"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// readAll appends what r gives, at most limit bytes.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, limit)
	n, err := io.ReadFull(r, dst[start:start+limit])
	switch err {
	case nil: // full: the next read must find the end
		var one [1]byte
		if k, err := io.ReadFull(r, one[:]); k != 0 {
			return nil, errTooLong
		} else if err != io.EOF {
			return nil, err
		}
	case io.EOF, io.ErrUnexpectedEOF:
		// Readers that find their input cut short say the same as ReadFull does
		// when the stream ends early, so ask once more.
		if _, err := r.Read(dst[start+n : start+n+1]); err != io.EOF {
			return nil, io.ErrUnexpectedEOF
		}
	default:
		return nil, err
	}
	return dst[:start+n], nil
}

// appender is an io.Writer onto the end of a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// checkLevel refuses a level outside [low, high].
func checkLevel(level, low, high int) error {
	if level < low || level > high {
		return fmt.Errorf("level %d, want %d to %d", level, low, high)
	}
	return nil
}

// Writers keep a good part of a megabyte each, so they are used again.
var (
	zlibWriters  [10]sync.Pool // of *zlib.Writer, by level; -1 is in slot 0
	zlibReaders  sync.Pool     // of zlib.Resetter
	zstdEncoders [5]sync.Pool  // of *zstd.Encoder, by zstd.EncoderLevel
	zstdDecoder  = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	})
)

func zlibDecode(dst, src []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(src)
	r, ok := zlibReaders.Get().(io.Reader)
	if ok {
		if err := r.(zlib.Resetter).Reset(in, nil); err != nil {
			return nil, err
		}
	} else {
		var err error
		if r, err = zlib.NewReader(in); err != nil {
			return nil, err
		}
	}
	out, err := readAll(dst, r, limit)
	if err == nil {
		zlibReaders.Put(r)
	}
	return out, err
}

func zlibEncode(level int, dst, src []byte) ([]byte, error) {
	if level == 0 {
		level = zlib.DefaultCompression // level 0 never shrinks: the reference falls back
	}
	if err := checkLevel(level, -1, 9); err != nil {
		return nil, err
	}
	out := &appender{dst}
	pool := &zlibWriters[max(level, 0)]
	w, ok := pool.Get().(*zlib.Writer)
	if ok {
		w.Reset(out)
	} else {
		var err error
		if w, err = zlib.NewWriterLevel(out, level); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	pool.Put(w)
	return out.b, nil
}

func lz4Decode(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, limit)
	n, err := lz4.UncompressBlock(src, dst[start:start+limit])
	if err != nil {
		return nil, err
	}
	return dst[:start+n], nil
}

// lz4Encode ignores the level: it is the reference's acceleration, which trades
// size for time only.
func lz4Encode(_ int, dst, src []byte) ([]byte, error) {
	return lz4Block(dst, len(src), func(b []byte) (int, error) { return lz4.CompressBlock(src, b, nil) })
}

func lz4hcEncode(level int, dst, src []byte) ([]byte, error) {
	if level == 0 {
		level = 9
	}
	if err := checkLevel(level, 1, 12); err != nil {
		return nil, err
	}
	depth := lz4.CompressionLevel(1 << (8 + min(level, 9))) // the library ends at 9
	return lz4Block(dst, len(src), func(b []byte) (int, error) { return lz4.CompressBlockHC(src, b, depth, nil, nil) })
}

func lz4Block(dst []byte, n int, compress func([]byte) (int, error)) ([]byte, error) {
	start, room := len(dst), lz4.CompressBlockBound(n)
	dst = slices.Grow(dst, room)
	k, err := compress(dst[start : start+room])
	if err != nil {
		return nil, err
	}
	return dst[:start+k], nil
}

func lzoDecode(dst, src []byte, limit int) ([]byte, error) {
	start := len(dst)
	dst = slices.Grow(dst, limit)
	n, err := lzo.Decompress(src, dst[start:start+limit])
	if err != nil {
		return nil, err
	}
	return dst[:start+n], nil
}

func bzip2Decode(dst, src []byte, limit int) ([]byte, error) {
	return readAll(dst, bzip2.NewReader(bytes.NewReader(src)), limit)
}

func bzip2Encode(level int, dst, src []byte) ([]byte, error) {
	if err := checkLevel(level, 1, 9); err != nil {
		return nil, err
	}
	out := &appender{dst}
	w, err := dsbzip2.NewWriter(out, &dsbzip2.WriterConfig{Level: level})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.b, nil
}

func zstdDecode(dst, src []byte, limit int) ([]byte, error) {
	d, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	start := len(dst)
	dst = slices.Grow(dst, limit)
	return d.DecodeAll(src, dst[:start:start+limit])
}

func zstdEncode(level int, dst, src []byte) ([]byte, error) {
	if level == 0 {
		level = 3
	}
	if err := checkLevel(level, -131072, 22); err != nil {
		return nil, err
	}
	speed := zstd.EncoderLevelFromZstd(level)
	pool := &zstdEncoders[speed]
	e, ok := pool.Get().(*zstd.Encoder)
	if !ok {
		var err error
		e, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithEncoderLevel(speed), zstd.WithSingleSegment(true))
		if err != nil {
			return nil, err
		}
	}
	out := e.EncodeAll(src, dst)
	pool.Put(e)
	return out, nil
}
