package mesh

import (
	"crypto/cipher"
	"crypto/rand"
	"sync"
	"sync/atomic"

	"cpgol/wire/offload"
)

// chunkLen is how many bytes of a message are sealed at once: long enough that a
// chunk's cost is its bytes', and short enough to stay in a core's cache from being
// sealed until it is written.
const chunkLen = 128 << 10

// A senderKey seals what this process sends. Every receiver is given it.
type senderKey struct {
	secret [keyLen]byte
	aead   cipher.AEAD
	count  atomic.Uint64 // numbers used
}

// keyLife is how many chunks are sealed under one key: far from where AES-GCM
// gets weak.
const keyLife = 1 << 32

func newSenderKey() *senderKey {
	k := &senderKey{}
	rand.Read(k.secret[:])
	k.aead = newAEAD(k.secret[:])
	return k
}

// A message is on its way to its receivers. A chunk of it is sealed when the
// first of them comes to it and freed when the last has been written it.
type message struct {
	view      offload.View
	seq       uint64
	buffer    *Buffer
	receivers int
	keys      *atomic.Pointer[senderKey] // the mesh's

	mu     sync.Mutex
	key    *senderKey // nil: nothing sealed yet
	first  uint64     // number of the first chunk
	chunks []chunk
	done   int // receivers that are done with all chunks
	nonce  nonce
	plain  [recordLen]byte
}

type chunk struct {
	sealed *Buffer
	done   int // receivers that are
}

var messages = sync.Pool{New: func() any { return new(message) }}

// newMessage makes a message for so many receivers, each of which must call drop
// once.
func newMessage(v offload.View, seq uint64, b *Buffer, receivers int, keys *atomic.Pointer[senderKey]) *message {
	m := messages.Get().(*message)
	m.view, m.seq, m.buffer, m.receivers, m.keys = v, seq, b, receivers, keys
	m.key, m.done = nil, 0
	n := max(1, (b.Len()+chunkLen-1)/chunkLen)
	if cap(m.chunks) < n {
		m.chunks = make([]chunk, n)
	}
	m.chunks = m.chunks[:n]
	clear(m.chunks)
	b.Retain()
	return m
}

// record describes chunk i.
func (m *message) record(i int, r *record) {
	at := i * chunkLen
	*r = record{kind: kindChunk, view: m.view, seq: m.seq, size: m.buffer.Len(), at: at, length: min(chunkLen, m.buffer.Len()-at)}
}

// bytes are those of chunk i as they are.
func (m *message) bytes(i int) []byte {
	return m.buffer.Bytes()[i*chunkLen : min((i+1)*chunkLen, m.buffer.Len())]
}

// seal returns chunk i sealed, r, which describes it, and the key. The bytes are
// there until the receiver calls wrote or drop.
func (m *message) seal(i int, r *record) (b []byte, key *senderKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.key == nil {
		m.key = m.keys.Load()
		m.first = m.key.count.Add(uint64(len(m.chunks))) - uint64(len(m.chunks)) + 1
		if m.first > keyLife {
			m.keys.CompareAndSwap(m.key, newSenderKey())
		}
	}
	m.record(i, r)
	r.counter = m.first + uint64(i)
	c := &m.chunks[i]
	if c.sealed == nil {
		c.sealed = Get(r.length)
		r.encode(&m.plain)
		m.key.aead.Seal(c.sealed.data[:0], m.nonce.of(r.counter), m.bytes(i), m.plain[:])
	}
	return c.sealed.data[:r.length+sealLen], m.key
}

// wrote says that a receiver is done with chunk i.
func (m *message) wrote(i int) {
	m.mu.Lock()
	m.passed(i)
	m.mu.Unlock()
}

func (m *message) passed(i int) {
	c := &m.chunks[i]
	if c.done++; c.done == m.receivers && c.sealed != nil {
		c.sealed.Release()
		c.sealed = nil
	}
}

// drop says that a receiver is done with all chunks from i on, and with the
// message. The message may be another one then.
func (m *message) drop(i int) {
	m.mu.Lock()
	for ; i < len(m.chunks); i++ {
		m.passed(i)
	}
	m.done++
	last := m.done == m.receivers
	m.mu.Unlock()
	if last {
		m.buffer.Release()
		m.buffer, m.key = nil, nil
		messages.Put(m)
	}
}
