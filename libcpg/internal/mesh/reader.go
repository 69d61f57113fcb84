package mesh

import "io"

// A reader reads a connection's records through a buffer, and long bytes past it,
// where they belong.
type reader struct {
	conn   io.Reader
	layer  *layer
	buf    []byte
	r, w   int
	narrow bool // long bytes came last: more of them follow the next record
}

func newReader(l *layer, size int) *reader {
	return &reader{conn: l.conn, layer: l, buf: make([]byte, size)}
}

// direct is from how many bytes on they are not buffered.
const direct = 32 << 10

// next reads a record.
func (r *reader) next(rec *record) error {
	n := r.layer.recordLen()
	if err := r.fill(n); err != nil {
		return err
	}
	b := r.buf[r.r : r.r+n]
	r.r += n
	return r.layer.in.open(b, rec)
}

// fill sees to it that n bytes are in the buffer.
func (r *reader) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	if r.r+n > len(r.buf) || r.r == r.w {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	end := len(r.buf)
	if r.narrow {
		end = r.r + n
	}
	m, err := io.ReadAtLeast(r.conn, r.buf[r.w:end], r.r+n-r.w)
	r.w += m
	return err
}

// full reads len(b) bytes that follow a record.
func (r *reader) full(b []byte) error {
	r.narrow = len(b) >= direct
	for len(b) > 0 {
		n := copy(b, r.buf[r.r:r.w])
		r.r += n
		b = b[n:]
		if len(b) >= direct {
			_, err := io.ReadFull(r.conn, b)
			return err
		}
		if err := r.fill(min(len(b), 1)); err != nil {
			return err
		}
	}
	return nil
}

// skip passes over n bytes that follow a record.
func (r *reader) skip(n int) error {
	r.narrow = false
	for n > 0 {
		m := min(n, r.w-r.r)
		r.r += m
		n -= m
		if err := r.fill(min(n, 1)); err != nil {
			return err
		}
	}
	return nil
}
