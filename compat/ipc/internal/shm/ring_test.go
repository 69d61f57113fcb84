package shm

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// newMemory makes a ring of the given words in ordinary memory.
func newMemory(words int) Memory {
	head := make([]uint64, (HeadSize+7)/8)
	data := make([]uint64, (words+1)/2)
	m := Memory{
		Head: unsafe.Slice((*byte)(unsafe.Pointer(&head[0])), HeadSize),
		Data: unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), words*4),
	}
	m.Format("/dev/shm/x/qb-header", "/dev/shm/x/qb-data")
	return m
}

func TestFormat(t *testing.T) {
	m := newMemory(0x40400)
	want := make([]byte, HeadSize)
	copy(want[8:], []byte{0x00, 0x04, 0x04, 0x00})
	copy(want[12:], "/dev/shm/x/qb-header")
	copy(want[4108:], "/dev/shm/x/qb-data")
	want[8204] = 1
	want[8216] = 128
	if diff := cmp.Diff(want, m.Head); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	m.Attach()
	m.SetFlow(2)
	want[8204], want[8240] = 2, 2
	if diff := cmp.Diff(want, m.Head); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	m.Detach()
	if m.Refs() != 0 || m.Flow() != 2 || m.DataPath() != "/dev/shm/x/qb-data" {
		t.Errorf("refs %d, flow %d, data path %q", m.Refs(), m.Flow(), m.DataPath())
	}
}

func TestDataSize(t *testing.T) {
	for _, c := range []struct{ message, page, want int }{
		{1 << 20, 4 << 10, 1052672},
		{1 << 20, 16 << 10, 1064960},
		{1 << 20, 64 << 10, 1114112},
		{12328, 4 << 10, 16384},
		{4096 - 13, 4 << 10, 4096},
		{4096 - 12, 4 << 10, 8192},
	} {
		if got := DataSize(c.message, c.page); got != c.want {
			t.Errorf("DataSize(%d, %d) = %d, want %d", c.message, c.page, got, c.want)
		}
	}
}

// TestLayout shows one chunk of five bytes, written and read, byte for byte.
func TestLayout(t *testing.T) {
	m := newMemory(8)
	w, r := NewWriter(m), NewReader(m, 16)
	if wake, err := w.Write([]byte("he"), []byte("llo")); err != nil || wake {
		t.Fatalf("Write = %v, %v", wake, err)
	}
	words := []byte{5, 0, 0, 0, 0xa1, 0xa1, 0xa1, 0xa1, 'h', 'e', 'l', 'l', 'o', 0, 0, 0}
	if diff := cmp.Diff(words, m.Data[:16]); diff != "" {
		t.Errorf("chunk (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]byte{4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0}, m.Head[:12]); diff != "" {
		t.Errorf("write_pt, read_pt, word_size (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]byte{1, 0, 0, 0, 0, 0, 0, 0, 128}, m.Head[semAt:semAt+9]); diff != "" {
		t.Errorf("semaphore (-want +got):\n%s", diff)
	}
	got, err := r.Take(nil)
	if err != nil || string(got) != "hello" {
		t.Fatalf("Take = %q, %v", got, err)
	}
	if diff := cmp.Diff([]byte{0, 0, 0, 0, 0xd0, 0xd0, 0xd0, 0xd0}, m.Data[:8]); diff != "" {
		t.Errorf("taken chunk (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]byte{4, 0, 0, 0, 4, 0, 0, 0}, m.Head[:8]); diff != "" {
		t.Errorf("write_pt, read_pt (-want +got):\n%s", diff)
	}
	if _, err := r.Take(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("Take from empty ring: %v", err)
	}
}

func TestWaiterIsWoken(t *testing.T) {
	m := newMemory(64)
	m.semaphore().enter()
	if wake, err := NewWriter(m).Write([]byte("x"), nil); err != nil || !wake {
		t.Errorf("Write with a waiter = %v, %v; want a wake-up", wake, err)
	}
	m.semaphore().leave()
	if n := m.Queued(); n != 1 {
		t.Errorf("%d queued, want 1", n)
	}
}

func TestTakeInto(t *testing.T) {
	m := newMemory(64)
	w, r := NewWriter(m), NewReader(m, 100)
	w.Write([]byte("twelve bytes"), nil)
	if _, err := r.TakeInto(make([]byte, 11)); !errors.Is(err, ErrSmall) {
		t.Errorf("into 11 bytes: %v, want ErrSmall", err)
	}
	if m.Queued() != 1 {
		t.Errorf("the chunk did not stay")
	}
	if got, err := r.TakeInto(make([]byte, 12)); err != nil || string(got) != "twelve bytes" {
		t.Errorf("into 12 bytes: %q, %v", got, err)
	}
}

// TestCorrupt has one row per word that the other end may spoil.
func TestCorrupt(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(m Memory)
	}{
		{"magic", func(m Memory) { m.data(1).Store(magicAlloc) }},
		{"size over the limit", func(m Memory) { m.data(0).Store(101) }},
		{"size over the ring", func(m Memory) { m.data(0).Store(62*4 + 1) }},
		{"size negative", func(m Memory) { m.data(0).Store(0xffffffff) }},
		{"semaphore without chunk", func(m Memory) { m.data(1).Store(0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemory(64)
			NewWriter(m).Write([]byte("sixteen bytes..."), nil)
			c.spoil(m)
			if got, err := NewReader(m, 100).Take(nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Take = %q, %v; want ErrCorrupt", got, err)
			}
		})
	}
	for _, read := range []uint32{64, 65, 1 << 31, 0xffffffff} {
		m := newMemory(64)
		m.head(readAt).Store(read)
		if _, err := NewWriter(m).Write([]byte("x"), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Write with read_pt %d: %v, want ErrCorrupt", read, err)
		}
	}
}

// A model is what a ring is: a queue with a limit of words.
type model struct {
	mem    Memory
	w      *Writer
	r      *Reader
	words  int
	queue  [][]byte
	used   int
	serial byte
}

// fits is the room rule of the reference, said without cursors: an empty ring
// offers all its words, another one word less than are unused; a chunk needs
// its bytes and 12.
func (m *model) fits(n int) bool {
	free := m.words
	if len(m.queue) > 0 {
		free = m.words - m.used - 1
	}
	return free*4 >= n+12
}

func (m *model) write(t *rapid.T) {
	head := rapid.IntRange(0, m.words*4).Draw(t, "head")
	body := rapid.IntRange(0, m.words).Draw(t, "body")
	m.serial++
	msg := bytes.Repeat([]byte{m.serial}, head+body)
	_, err := m.w.Write(msg[:head], msg[head:])
	if want := m.fits(len(msg)); want != (err == nil) || err != nil && !errors.Is(err, ErrFull) {
		t.Fatalf("Write of %d bytes with %d of %d words used: %v, fits %v", len(msg), m.used, m.words, err, want)
	}
	if err == nil {
		m.queue = append(m.queue, msg)
		m.used += chunkWords(len(msg))
	}
}

func (m *model) take(t *rapid.T) {
	got, err := m.r.Take(nil)
	if len(m.queue) == 0 {
		if !errors.Is(err, ErrEmpty) {
			t.Fatalf("Take from an empty ring: %v", err)
		}
		return
	}
	if err != nil || !bytes.Equal(got, m.queue[0]) {
		t.Fatalf("Take = %d bytes, %v; want %d bytes", len(got), err, len(m.queue[0]))
	}
	m.used -= chunkWords(len(got))
	m.queue = m.queue[1:]
}

// TestModel plays random writes and reads against a queue.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.IntRange(4, 80).Draw(t, "words")
		mem := newMemory(words)
		m := &model{mem: mem, w: NewWriter(mem), r: NewReader(mem, words*4), words: words}
		t.Repeat(map[string]func(*rapid.T){
			"write": m.write,
			"take":  m.take,
			"": func(t *rapid.T) {
				if got := int(mem.Queued()); got != len(m.queue) {
					t.Fatalf("semaphore %d, want %d", got, len(m.queue))
				}
				if w, r := mem.head(writeAt).Load(), mem.head(readAt).Load(); int(w) != m.w.at || int(r) != m.r.at {
					t.Fatalf("shared cursors %d %d, own %d %d", w, r, m.w.at, m.r.at)
				}
			},
		})
	})
}

// TestAllocations: moving messages costs none.
func TestAllocations(t *testing.T) {
	m := newMemory(1 << 10)
	w, r := NewWriter(m), NewReader(m, 1000)
	head, body, buf := make([]byte, 24), make([]byte, 900), make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(1000, func() {
		err := m.Guard(func() error {
			if _, err := w.Write(head, body); err != nil {
				return err
			}
			_, err := r.Take(buf)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a message, want 0", n)
	}
}

// TestConcurrent runs both ends at once; the race detector sees the payloads'
// order.
func TestConcurrent(t *testing.T) {
	m := newMemory(100)
	const messages = 20000
	go func() {
		w := NewWriter(m)
		for i := 0; i < messages; {
			if _, err := w.Write(fmt.Appendf(nil, "%d", i), make([]byte, i%77)); err == nil {
				i++
			}
		}
	}()
	r := NewReader(m, 400)
	var buf []byte
	for i := 0; i < messages; {
		got, err := r.Take(buf)
		if errors.Is(err, ErrEmpty) {
			continue
		}
		want := fmt.Appendf(nil, "%d", i)
		if err != nil || !bytes.HasPrefix(got, want) || len(got) != len(want)+i%77 {
			t.Fatalf("message %d: %q, %v", i, got, err)
		}
		buf = got
		i++
	}
}
