package mesh

import (
	"io"
	"syscall"
)

// A reader reads a connection's records through a buffer, and long bytes past it,
// where they belong.
type reader struct {
	layer  *layer
	buf    []byte
	r, w   int
	narrow bool         // long bytes came last: more of them follow the next record
	idle   func() error // called when nothing is here and it is to be waited for

	conn io.Reader
	raw  syscall.RawConn // conn's, nil if it has none
	try  func(fd uintptr) bool

	// Of the present read.
	into []byte
	n    int
	err  error
	wait bool // for the connection; otherwise it is only looked at
}

// newReader makes a reader. What idle is called for is best said then: it costs as
// much as to read, and while more is here, there will be more to say.
func newReader(l *layer, size int, idle func() error) *reader {
	r := &reader{conn: l.conn, layer: l, buf: make([]byte, size), idle: idle}
	if c, ok := l.conn.(syscall.Conn); ok {
		r.raw, _ = c.SyscallConn()
		r.try = r.tryRead
	}
	return r
}

// Read reads what there is, at least a byte.
func (r *reader) Read(b []byte) (int, error) {
	if r.raw == nil {
		if err := r.idle(); err != nil {
			return 0, err
		}
		return r.conn.Read(b)
	}
	r.into, r.wait = b, false
	err := r.raw.Read(r.try)
	if err == nil && r.err == syscall.EAGAIN {
		if err = r.idle(); err == nil {
			r.wait = true
			err = r.raw.Read(r.try)
		}
	}
	if r.into = nil; err != nil {
		return 0, err
	}
	return r.n, r.err
}

// tryRead reports whether the read is done; if not, the connection is waited for.
// It must not wait for anything itself: Close waits for it.
func (r *reader) tryRead(fd uintptr) bool {
	r.n, r.err = syscall.Read(int(fd), r.into)
	for r.err == syscall.EINTR {
		r.n, r.err = syscall.Read(int(fd), r.into)
	}
	switch {
	case r.err == syscall.EAGAIN:
		return !r.wait
	case r.err == nil && r.n == 0:
		r.err = io.EOF
	}
	return true
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
	m, err := io.ReadAtLeast(r, r.buf[r.w:end], r.r+n-r.w)
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
			_, err := io.ReadFull(r, b)
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
