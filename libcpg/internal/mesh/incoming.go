package mesh

import (
	"crypto/cipher"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"cpgol/wire/offload"
)

// Sizes of what connections are read through: that of a sender's words, and
// that of a receiver's.
const (
	wideBuffer   = 64 << 10
	narrowBuffer = 4 << 10
)

// An incoming connection is a member's as long as it lasts: messages come from
// there, and it is told what is held.
type incoming struct {
	mesh  *Mesh
	peer  *peer
	conn  net.Conn
	layer *layer
	wake  chan struct{} // the hold changed
	done  chan struct{} // closed when nothing more arrives from here

	// The mesh's lock's.
	progress bool // a part of a message came
	reading  bool // messages arrived, and what is held is told when no more are here

	telling sync.Mutex // whoever has it tells the member something
	told    hold
	scratch [recordLen + sealLen]byte
	store   [1][]byte
	list    net.Buffers

	// The reader's own.
	reader  *reader
	key     cipher.AEAD // the sender's
	nonce   nonce
	now     record  // what was read last
	message record  // the first record of the message that is being read
	at      int     // bytes of it that are here
	buffer  *Buffer // nil: it is passed over
	unsaid  int     // bytes of whole messages since the member was told of them
	sign    time.Time
}

// run takes messages until the connection breaks.
func (in *incoming) run(tc *tls.Conn) {
	err := in.begin(tc)
	if err == nil {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { in.tell(stop) })
		err = in.read()
		in.conn.Close()
		close(stop)
		wg.Wait()
	}
	in.letGo()
	m, p := in.mesh, in.peer
	m.mu.Lock()
	if p.in == in {
		p.in = nil
	}
	if errors.Is(err, errCut) {
		p.banned = true
		m.counts.cut.Add(1)
	}
	m.mu.Unlock()
	close(in.done)
}

// begin welcomes the dialler, and waits for it to leave TLS behind.
func (in *incoming) begin(tc *tls.Conn) error {
	in.conn.SetDeadline(time.Now().Add(in.mesh.opt.HandshakeTime))
	if _, err := tc.Write(appendWelcome(nil)); err != nil {
		return err
	}
	var err error
	if in.layer, err = in.mesh.layer(tc, in.conn, false); err != nil {
		return err
	}
	in.reader = newReader(in.layer, wideBuffer, in.idle)
	if err := in.reader.next(&in.now); err != nil {
		return err
	}
	if in.now.kind != kindBegin {
		return errCut
	}
	return in.conn.SetDeadline(time.Time{})
}

// tell tells the member what is held when that changed, unless the reader does.
func (in *incoming) tell(stop chan struct{}) {
	for in.say() == nil {
		select {
		case <-in.wake:
		case <-stop:
			return
		}
	}
	in.conn.Close()
}

// say tells the member what is new, the newest of it only.
func (in *incoming) say() error {
	in.telling.Lock()
	defer in.telling.Unlock()
	for {
		in.mesh.mu.Lock()
		h, progress := in.peer.hold, in.progress
		in.progress = false
		in.mesh.mu.Unlock()
		r := record{}
		switch {
		case h != in.told && h.view != (offload.View{}):
			r = record{kind: kindHold, view: h.view, seq: h.seq, credit: h.credit}
		case progress:
			r = record{kind: kindProgress}
		default:
			return nil
		}
		in.told = h
		in.store[0] = in.layer.out.append(in.scratch[:0], &r)
		in.list = in.store[:]
		if err := in.layer.write(&in.list); err != nil {
			return err
		}
	}
}

// idle tells what is held of messages that came together.
func (in *incoming) idle() error {
	in.unsaid = 0
	in.mesh.mu.Lock()
	was := in.reading
	in.reading = false
	in.mesh.mu.Unlock()
	if !was {
		return nil
	}
	return in.say()
}

// errCut is for what no member of ours does.
var errCut = errors.New("mesh: the member broke the protocol")

// read takes messages. It returns why it can't any more.
func (in *incoming) read() error {
	for {
		if err := in.reader.next(&in.now); err != nil {
			if errors.Is(err, errRecord) {
				return errCut
			}
			return err // on the network it is not the member's doing
		}
		var err error
		switch in.now.kind {
		case kindKey:
			in.key = newAEAD(in.now.key[:])
		case kindChunk:
			err = in.chunk()
		default:
			err = errCut
		}
		if err != nil {
			return err
		}
	}
}

// sayBytes is how much may come at once before the member is told what is held of
// it, much less than what it may have on its way.
const sayBytes = 512 << 10

// maxChunk is the longest chunk that is taken; ours are shorter.
const maxChunk = 1 << 20

// chunk takes a part of a message. One at the beginning of a message ends the one
// before it, whole or not.
func (in *incoming) chunk() error {
	r, seal := &in.now, 0
	if in.layer.sealed {
		seal = sealLen
	}
	if r.length > maxChunk || r.at+r.length > r.size || r.length == 0 && r.size > 0 || seal > 0 && in.key == nil {
		return errCut
	}
	if r.at == 0 {
		in.letGo()
		if err := in.open(); err != nil {
			return err
		}
	} else if first := &in.message; r.view != first.view || r.seq != first.seq || r.size != first.size || r.at != in.at {
		return errCut
	}
	if in.buffer == nil {
		if err := in.reader.skip(r.length + seal); err != nil {
			return err
		}
	} else if err := in.take(in.buffer.data[r.at : r.at+r.length+seal]); err != nil {
		return err
	}
	if in.at += r.length; in.at == r.size {
		in.arrived()
		if in.unsaid += r.size; in.unsaid >= sayBytes {
			return in.idle()
		}
		return nil
	}
	if now := time.Now(); now.Sub(in.sign) > progressPause {
		in.sign = now
		in.mesh.mu.Lock()
		in.progress, in.reading = true, true
		in.mesh.mu.Unlock()
	}
	return nil
}

// progressPause is how often at most a sender is told that parts of a message come.
const progressPause = 200 * time.Millisecond

// open begins a message. Of a view that is over, or again, it is passed over. A
// view that was not told a hold can't be: so neither one that this process has not
// come to.
func (in *incoming) open() error {
	r, m, p := &in.now, in.mesh, in.peer
	in.message, in.at, in.sign = *r, 0, time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case r.size > m.opt.MaxMessage || r.seq == 0 || later(r.view, m.last):
		return errCut
	case r.view != m.view || r.seq <= p.got:
		m.counts.stale.Add(1)
		return nil
	case p.hold.view != r.view || p.taken+uint64(r.size+m.opt.Overhead) > p.hold.credit:
		return errCut
	}
	in.buffer = Get(r.size)
	return nil
}

// take reads a chunk to where it belongs and opens its seal there.
func (in *incoming) take(b []byte) error {
	if err := in.reader.full(b); err != nil {
		return err
	}
	if !in.layer.sealed {
		return nil
	}
	_, err := in.key.Open(b[:0], in.nonce.of(in.now.counter), b, in.layer.in.plain[:])
	return err
}

// arrived hands a whole message over.
func (in *incoming) arrived() {
	m, p, r := in.mesh, in.peer, &in.message
	b := in.buffer
	if in.buffer = nil; b == nil {
		return
	}
	m.mu.Lock()
	ok := r.view == m.view && p.in == in
	if ok {
		in.reading = true
		p.got = r.seq
		p.taken += uint64(r.size + m.opt.Overhead)
	}
	m.mu.Unlock()
	if !ok {
		b.Release()
		return
	}
	m.opt.Handler.Arrived(p.Member, r.view, r.seq, b)
}

// letGo ends a message that is not whole.
func (in *incoming) letGo() {
	if in.buffer != nil {
		in.buffer.Release()
		in.buffer = nil
	}
	in.message = record{}
}
