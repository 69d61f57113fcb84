package shm

import (
	"sync/atomic"
	"unsafe"
)

// Offsets in a header file (libqb lib/ringbuffer_int.h: struct
// qb_ringbuffer_shared_s).
const (
	writeAt    = 0
	readAt     = 4
	wordsAt    = 8
	headPathAt = 12
	dataPathAt = 4108
	pathLen    = 4096
	refsAt     = 8204
	semAt      = 8208
	selectorAt = 8216
	flowAt     = 8240
)

// Sizes of a header file: what its maker allocates, with room for the
// flow-control word, and what a client that asks for no such word sees.
const (
	HeadSize      = 8252
	PlainHeadSize = 8248
)

// selectorShared makes glibc use shared futexes on the semaphore. With 0 it
// would wait on a private one, where no other process can wake it.
const selectorShared = 128

// chunkMargin is what must be free beside a chunk's payload: two header words
// and one for the padding (QB_RB_CHUNK_MARGIN).
const chunkMargin = 12

// DataSize is the size of the data file for messages of up to maxMessage
// bytes: both ends compute it, and must agree (qb_rb_open_2).
func DataSize(maxMessage, page int) int {
	return (maxMessage + chunkMargin + 1 + page - 1) / page * page
}

// Memory is one ring's two files in memory. Both slices must be 8-aligned, Head
// at least PlainHeadSize long and Data a whole number of words, at least four.
type Memory struct {
	Head, Data []byte
}

// Format writes the header of a new, empty ring. All of Head must be zero.
func (m Memory) Format(headPath, dataPath string) {
	m.head(wordsAt).Store(uint32(m.words()))
	copy(m.Head[headPathAt:headPathAt+pathLen-1], headPath)
	copy(m.Head[dataPathAt:dataPathAt+pathLen-1], dataPath)
	m.head(selectorAt).Store(selectorShared)
	m.head(refsAt).Store(1)
}

// Attach counts this end in, as a client does when it has mapped the ring
// (qb_rb_open_2).
func (m Memory) Attach() { m.head(refsAt).Add(1) }

// Refs is the count of attached ends: 2 while both are there.
func (m Memory) Refs() int32 { return int32(m.head(refsAt).Load()) }

// Detach marks the ring closed, after which a client's sends fail. The
// reference sets the count to one and takes one away (qb_rb_lastref_and_ret,
// qb_rb_close).
func (m Memory) Detach() { m.head(refsAt).Store(0) }

// Flow is the flow-control word, which only a request ring has
// (qb_ipc_shm_fc_get).
func (m Memory) Flow() int32 { return int32(m.head(flowAt).Load()) }

// SetFlow sets the flow-control word (qb_ipc_shm_fc_set). Head must be HeadSize
// long.
func (m Memory) SetFlow(word int32) { m.head(flowAt).Store(uint32(word)) }

// DataPath is where the header says that the data file is.
func (m Memory) DataPath() string { return cString(m.Head[dataPathAt : dataPathAt+pathLen]) }

func (m Memory) words() int { return len(m.Data) / 4 }

func (m Memory) head(off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&m.Head[off]))
}

func (m Memory) data(word int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&m.Data[word*4]))
}

func (m Memory) semaphore() semaphore {
	return semaphore{(*atomic.Uint64)(unsafe.Pointer(&m.Head[semAt]))}
}

// Queued is the semaphore's value: committed chunks that nobody took yet, if
// the other end is honest (qb_rb_chunks_used).
func (m Memory) Queued() uint32 { return m.semaphore().value() }
