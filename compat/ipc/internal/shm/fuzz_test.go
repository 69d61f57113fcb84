package shm

import (
	"encoding/binary"
	"errors"
	"testing"
)

// FuzzRing lets the other end write anything anywhere between our calls. The
// first byte selects what is fuzzed: the rings, or a message of the handshake.
// In the ring's script each step is an opcode and its operands; whatever
// they do, a call returns one of the documented errors, gives no more bytes
// than the limit, and moves our cursor only within the ring.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 0, 10, 1, 2, 0, 1, 3, 4, 0, 2, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0, 0, 10, 3, 0, 0, 0x40, 0, 0, 0, 1, 0, 200, 0, 200, 0, 200, 1, 1, 1})
	f.Add([]byte{0, 4, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0, 1, 1})
	f.Add((&ConnectRequest{MaxMessage: 1 << 20}).Append([]byte{1}))
	f.Add(append([]byte{2}, (&ConnectResponse{Transport: TypeSHM, MaxMessage: 12328, Connection: 7, Request: "/dev/shm/r"}).Append(nil)[:60]...))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		switch in[0] % 3 {
		case 0:
			fuzzRing(t, in[1:])
		case 1:
			fuzzConnectRequest(t, in[1:])
		case 2:
			fuzzConnectResponse(t, in[1:])
		}
	})
}

func fuzzRing(t *testing.T, script []byte) {
	const words, limit = 64, 100
	m := newMemory(words)
	// Ours are the reader of one ring and the writer of the same: what the
	// other end of either could do, the spoiling steps do.
	w, r := NewWriter(m), NewReader(m, limit)
	operand := func(n int) uint32 {
		var b [4]byte
		n = copy(b[:n], script)
		script = script[n:]
		return binary.LittleEndian.Uint32(b[:])
	}
	var buf []byte
	for len(script) > 0 {
		op := script[0]
		script = script[1:]
		switch op % 6 {
		case 0:
			_, err := w.Write(make([]byte, operand(1)), nil)
			if err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("Write: %v", err)
			}
		case 1:
			got, err := r.Take(buf)
			if err != nil && !errors.Is(err, ErrEmpty) && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("Take: %v", err)
			}
			if len(got) > limit {
				t.Fatalf("Take: %d bytes, limit %d", len(got), limit)
			}
		case 2: // cursors
			m.head(int(operand(1) % 3 * 4)).Store(operand(4))
		case 3: // data
			m.data(int(operand(1) % words)).Store(operand(4))
		case 4: // semaphore
			m.semaphore().word.Store(uint64(operand(4))<<32 | uint64(operand(4)))
		case 5: // where our reader looks
			m.data(r.at).Store(operand(1))
			m.data((r.at + 1) % words).Store(magicValid)
			m.semaphore().post()
		}
		if w.at < 0 || w.at >= words || r.at < 0 || r.at >= words {
			t.Fatalf("cursors %d %d", w.at, r.at)
		}
	}
}

func fuzzConnectRequest(t *testing.T, b []byte) {
	var req, again ConnectRequest
	n, err := req.Decode(b)
	if err != nil {
		return
	}
	if n != RequestLen {
		t.Fatalf("consumed %d bytes", n)
	}
	if _, err := again.Decode(req.Append(nil)); err != nil || again != req {
		t.Fatalf("decoded again: %+v, %v; want %+v", again, err, req)
	}
}

// fuzzConnectResponse takes the fixed fields and the paths' bytes from in. The
// whole message would be mostly zeros.
func fuzzConnectResponse(t *testing.T, in []byte) {
	b := make([]byte, ResponseLen)
	in = in[copy(b[:requestPathAt], in):]
	for i, at := range []int{requestPathAt, responsePathAt, eventPathAt} {
		copy(b[at:], in[len(in)*i/3:len(in)*(i+1)/3])
	}
	var res, again ConnectResponse
	n, err := res.Decode(b)
	if err != nil {
		return
	}
	if n != ResponseLen {
		t.Fatalf("consumed %d bytes", n)
	}
	if len(res.Request) == pathLen || len(res.Response) == pathLen || len(res.Event) == pathLen {
		return // not terminated: cut when written
	}
	if _, err := again.Decode(res.Append(nil)); err != nil || again != res {
		t.Fatalf("decoded again: %+v, %v; want %+v", again, err, res)
	}
}
