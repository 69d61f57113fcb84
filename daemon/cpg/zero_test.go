package cpg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"cpgol/compat/abi"
)

// A fakeBuffer holds its message in memory.
type fakeBuffer struct {
	message string
	size    int
	err     error
	opened  *[]uint64 // addresses that are not closed
	address uint64
}

func (b *fakeBuffer) Size() int { return b.size }

func (b *fakeBuffer) Message(dst []byte) ([]byte, error) { return append(dst, b.message...), b.err }

func (b *fakeBuffer) Close() {
	*b.opened = slices.DeleteFunc(*b.opened, func(a uint64) bool { return a == b.address })
}

// fakeFiles opens paths by what is to become of them.
func fakeFiles(opened *[]uint64) Opener {
	return func(path string, uid uint32, size, address uint64) (Buffer, error) {
		switch path {
		case "missing":
			return nil, fmt.Errorf("open: %w", fs.ErrNotExist)
		case "denied":
			return nil, fmt.Errorf("open: %w", fs.ErrPermission)
		case "odd":
			return nil, errors.New("odd")
		}
		*opened = append(*opened, address)
		b := &fakeBuffer{message: path, size: int(size), opened: opened, address: address}
		if path == "fault" {
			b.err = errors.New("fault")
		}
		return b, nil
	}
}

func (u *user) zeroAlloc(size uint64, path string) (int32, abi.Status) {
	id, _, st, _ := abi.CutResponse(u.Request((&abi.CPGZeroAlloc{MapSize: size, Path: path}).Append(nil)))
	return id, st
}

func (u *user) zeroSend(address uint64) (int32, abi.Status) {
	id, _, st, _ := abi.CutResponse(u.Request((&abi.CPGZeroExecute{Address: address}).Append(nil)))
	return id, st
}

func (u *user) zeroFree(address uint64) abi.Status {
	_, _, st, _ := abi.CutResponse(u.Request((&abi.CPGZeroFree{MapSize: 1, Address: address}).Append(nil)))
	return st
}

func TestZeroCopy(t *testing.T) {
	c := newCluster(t, 1, 2)
	c.form(1, 2)
	var opened []uint64
	c.cpgs[1].SetOpener(fakeFiles(&opened))
	a, other, b := c.user(1, 10), c.user(1, 11), c.user(2, 20)
	check := func(what string, got, want abi.Status) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for path, want := range map[string]abi.Status{
		"missing": abi.NotExist, "denied": abi.Access, "odd": abi.InvalidParam, "hello": abi.OK, "fault": abi.OK,
	} {
		id, st := a.zeroAlloc(100, path)
		check(path, st, want)
		if id != 0 {
			t.Errorf("alloc: answer %d", id)
		}
	}
	hello, fault := opened[0], opened[1]
	if c.cpgs[1].clients[a.Conn].buffers[hello].(*fakeBuffer).message == "fault" {
		hello, fault = fault, hello
	}
	_, st := a.zeroSend(hello)
	check("send when unjoined", st, abi.NotExist)
	a.mustJoin("g")
	b.mustJoin("g")
	c.Run()
	a.heard()
	b.heard()
	id, st := a.zeroSend(hello)
	if check("send", st, abi.OK); id != 2 {
		t.Errorf("send: answer %d", id)
	}
	_, st = a.zeroSend(fault)
	check("send from a file cut short", st, abi.InvalidParam)
	c.cpgs[1].clients[a.Conn].buffers[fault].(*fakeBuffer).err = nil
	c.cpgs[1].clients[a.Conn].buffers[fault].(*fakeBuffer).message = strings.Repeat("x", abi.MaxCPGMessage+1)
	_, st = a.zeroSend(fault)
	check("send too long a message", st, abi.TooBig)
	_, st = a.zeroSend(0)
	check("send from nowhere", st, abi.BadHandle)
	other.mustJoin("h")
	_, st = other.zeroSend(hello)
	check("send from another's buffer", st, abi.BadHandle)
	check("free another's buffer", other.zeroFree(hello), abi.BadHandle)
	c.Node(1).QueueLimit = 0
	_, st = a.zeroSend(hello)
	check("send when the queue is full", st, abi.TryAgain)
	c.Node(1).QueueLimit = 1 << 20
	c.Run()
	a.hears("g: 1.10 says hello")
	b.hears("g: 1.10 says hello")

	check("free", a.zeroFree(hello), abi.OK)
	check("free again", a.zeroFree(hello), abi.BadHandle)
	_, st = a.zeroSend(hello)
	check("send when freed", st, abi.BadHandle)
	a.Close()
	if z := &c.cpgs[1].zero; len(opened) != 0 || z.count != 0 || z.bytes != 0 {
		t.Errorf("still open: %v, %d buffers of %d bytes", opened, z.count, z.bytes)
	}
	if id, st := b.zeroAlloc(100, "x"); id != 14 || st != abi.NotSupported {
		t.Errorf("without files: answer %d, %v", id, st)
	}
}

// TestZeroCopyBounds: nobody makes the daemon map more than it is to.
func TestZeroCopyBounds(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	var opened []uint64
	c.cpgs[1].SetOpener(fakeFiles(&opened))
	fill := func(u *user, size uint64) (n int) {
		for {
			if _, st := u.zeroAlloc(size, "x"); st == abi.NoResources {
				return n
			} else if st != abi.OK {
				t.Fatal(st)
			}
			n++
		}
	}
	if n := fill(c.user(1, 10), 100); n != maxBuffers {
		t.Errorf("%d small buffers, want %d", n, maxBuffers)
	}
	big := 0
	for pid := range uint32(5) {
		n := fill(c.user(1, 20+pid), 1<<20)
		if big += n; n > maxBufferBytes>>20 {
			t.Errorf("%d buffers of a megabyte", n)
		}
	}
	if big != maxAllBufferBytes>>20-1 { // the small ones count as well
		t.Errorf("%d megabytes in all, want %d", big, maxAllBufferBytes>>20-1)
	}
	if len(opened) != maxBuffers+big {
		t.Errorf("%d open, want %d", len(opened), maxBuffers+big)
	}
	for pid := range uint32(60) {
		fill(c.user(1, 100+pid), 1)
	}
	if len(opened) != maxAllBuffers {
		t.Errorf("%d open, want %d", len(opened), maxAllBuffers)
	}
}

// TestZeroCopyMalformed: requests that cannot be read are refused, and that
// is all.
func TestZeroCopyMalformed(t *testing.T) {
	c := newCluster(t, 1)
	c.form(1)
	var opened []uint64
	c.cpgs[1].SetOpener(fakeFiles(&opened))
	a := c.user(1, 10)
	m := abi.AppendRequest(nil, abi.CPGZeroAllocID, abi.CPGZeroAllocLen)
	m = binary.LittleEndian.AppendUint64(m, 100)
	for len(m) < abi.CPGZeroAllocLen {
		m = append(m, 'x')
	}
	if _, _, st, _ := abi.CutResponse(a.Request(m)); st != abi.InvalidParam || len(opened) > 0 {
		t.Errorf("a path without end: %v, %d opened", st, len(opened))
	}
}
