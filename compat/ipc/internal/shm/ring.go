package shm

import (
	"errors"
	"fmt"
	"math/bits"
)

// What may be said of a ring. ErrEmpty and ErrFull pass; a ring that is corrupt
// or faults was spoilt by the other end and must be given up.
var (
	ErrEmpty   = errors.New("ring empty")
	ErrFull    = errors.New("ring full")
	ErrCorrupt = errors.New("ring corrupt")
	// ErrSmall says that the next chunk is longer than the reader takes. The
	// chunk stays.
	ErrSmall = errors.New("chunk larger than the buffer")
)

// States of a chunk (libqb lib/ringbuffer.c: QB_RB_CHUNK_MAGIC…).
const (
	magicValid = 0xA1A1A1A1
	magicAlloc = 0xA110CED0
	magicDead  = 0xD0D0D0D0
)

// chunkWords is the room that a payload of n bytes takes with its header
// (qb_rb_chunk_step).
func chunkWords(n int) int { return 2 + (n+3)/4 }

// A Reader takes chunks out of a ring. It is the ring's only reader.
type Reader struct {
	mem   Memory
	words int
	at    int // our read_pt: the shared one is only ever written
	max   int
}

// NewReader reads a ring from its start. No chunk of more than maxChunk bytes
// is accepted.
func NewReader(m Memory, maxChunk int) *Reader {
	return &Reader{mem: m, words: m.words(), max: maxChunk}
}

// Memory is the ring's.
func (r *Reader) Memory() Memory { return r.mem }

// Take moves the oldest chunk into dst's array, which grows when it must, and
// returns it. It gives ErrEmpty, or ErrCorrupt with a cause if what the writer
// stored cannot be a chunk (qb_rb_chunk_peek, qb_rb_chunk_reclaim).
func (r *Reader) Take(dst []byte) ([]byte, error) { return r.take(dst, r.max) }

// TakeInto is Take into a buffer that does not grow. A chunk that does not fit
// stays, and the error is ErrSmall (qb_rb_chunk_read: ENOBUFS).
func (r *Reader) TakeInto(dst []byte) ([]byte, error) { return r.take(dst[:0:len(dst)], len(dst)) }

func (r *Reader) take(dst []byte, limit int) ([]byte, error) {
	sem := r.mem.semaphore()
	if sem.value() == 0 {
		return nil, ErrEmpty
	}
	// Pairs with the release store that ends qb_rb_chunk_commit.
	if magic := r.mem.data((r.at + 1) % r.words).Load(); magic != magicValid {
		return nil, fmt.Errorf("chunk at word %d has magic %08x: %w", r.at, magic, ErrCorrupt)
	}
	size := int(r.mem.data(r.at).Load()) // once: the writer may change it under us
	if size > r.max || chunkWords(size) >= r.words {
		return nil, fmt.Errorf("chunk at word %d of %d bytes, at most %d: %w", r.at, size, r.max, ErrCorrupt)
	}
	if size > limit {
		return nil, ErrSmall
	}
	sem.take()
	dst = r.copyOut(grow(dst, size))
	r.reclaim(size)
	return dst, nil
}

// copyOut fills dst from the payload at the cursor, which may wrap.
func (r *Reader) copyOut(dst []byte) []byte {
	from := (r.at + 2) % r.words * 4
	n := copy(dst, r.mem.Data[from:])
	copy(dst[n:], r.mem.Data)
	return dst
}

// reclaim frees the chunk at the cursor. The header dies before read_pt moves,
// or a fast writer's new header could be the one that is killed
// (_rb_chunk_reclaim).
func (r *Reader) reclaim(size int) {
	r.mem.data(r.at).Store(0)
	r.mem.data((r.at + 1) % r.words).Store(magicDead)
	r.at = (r.at + chunkWords(size)) % r.words
	r.mem.head(readAt).Store(uint32(r.at))
}

// A Writer puts chunks into a ring. It is the ring's only writer.
type Writer struct {
	mem   Memory
	words int
	at    int // our write_pt: the shared one is only ever written
}

// NewWriter writes a ring from its start.
func NewWriter(m Memory) *Writer { return &Writer{mem: m, words: m.words()} }

// Memory is the ring's.
func (w *Writer) Memory() Memory { return w.mem }

// Write commits head followed by body as one chunk and reports whether a waiter
// must be woken ([Memory.Wake]). It gives ErrFull if there is no room now, and
// ErrCorrupt if the reader's cursor cannot be one (qb_rb_chunk_alloc,
// qb_rb_chunk_commit).
func (w *Writer) Write(head, body []byte) (wake bool, err error) {
	size := len(head) + len(body)
	free, err := w.free()
	if err != nil {
		return false, err
	}
	if free*4 < size+chunkMargin {
		return false, ErrFull
	}
	magic := w.mem.data((w.at + 1) % w.words)
	w.mem.data(w.at).Store(0)
	magic.Store(magicAlloc)
	to := w.copyIn((w.at+2)%w.words*4, head)
	w.copyIn(to, body)
	w.mem.data(w.at).Store(uint32(size))
	w.at = (w.at + chunkWords(size)) % w.words
	w.mem.head(writeAt).Store(uint32(w.at))
	magic.Store(magicValid) // pairs with the acquire load of qb_rb_chunk_read
	return w.mem.semaphore().post(), nil
}

// copyIn stores p from byte to on, wrapping, and returns where it ended.
func (w *Writer) copyIn(to int, p []byte) int {
	n := copy(w.mem.Data[to:], p)
	if n == len(p) {
		return to + n
	}
	return copy(w.mem.Data, p[n:])
}

// free counts free words. Cursors that meet mean an empty ring if nothing is
// queued, and else a full one (qb_rb_space_free).
func (w *Writer) free() (int, error) {
	read := int(w.mem.head(readAt).Load()) // once
	switch {
	case read >= w.words:
		return 0, fmt.Errorf("read_pt is %d of %d words: %w", read, w.words, ErrCorrupt)
	case w.at > read:
		return read - w.at + w.words - 1, nil
	case w.at < read:
		return read - w.at - 1, nil
	case w.mem.Queued() == 0:
		return w.words, nil
	}
	return 0, nil
}

// grow returns dst with length n, from a new array of the next power of two if
// its own is too short.
func grow(dst []byte, n int) []byte {
	if n <= cap(dst) {
		return dst[:n]
	}
	return make([]byte, n, 1<<bits.Len(uint(n-1)))
}
