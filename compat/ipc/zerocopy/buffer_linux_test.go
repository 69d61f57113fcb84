package zerocopy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

const name = "corosync_zerocopy-AbCx12"

// place is a directory of the test's own, and a file in it.
func place(t *testing.T, size int) (p Places, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "cpgol-zero-")
	if err != nil {
		t.Skipf("no shared memory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return Places{dir}, path
}

func self() uint32 { return uint32(os.Getuid()) }

// put writes a message as libcpg does.
func put(t *testing.T, f *os.File, length uint32, message []byte) {
	t.Helper()
	head := binary.NativeEndian.AppendUint32(nil, length)
	if _, err := f.WriteAt(head, lengthAt); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(message, messageAt); err != nil {
		t.Fatal(err)
	}
}

func TestBuffer(t *testing.T) {
	p, path := place(t, messageAt+1000)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := p.Open(path, self(), messageAt+1000, 0x0102030405060708)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name is still there: %v", err)
	}
	var word [8]byte
	f.ReadAt(word[:], addressAt)
	if binary.NativeEndian.Uint64(word[:]) != 0x0102030405060708 {
		t.Errorf("address % x", word)
	}
	for _, want := range []string{"", "hello", string(bytes.Repeat([]byte{'z'}, 1000))} {
		put(t, f, uint32(len(want)), []byte(want))
		if got, err := b.Message([]byte(">")); err != nil || string(got) != ">"+want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, length := range []uint32{1001, 1 << 31, 1<<32 - 1} {
		put(t, f, length, nil)
		if got, err := b.Message(nil); !errors.Is(err, ErrLength) {
			t.Errorf("length %d: %d bytes, %v", length, len(got), err)
		}
	}
	put(t, f, 1000, nil)
	f.Truncate(0)
	if _, err := b.Message(nil); !errors.Is(err, ErrFault) {
		t.Errorf("cut short: %v", err)
	}
}

// TestLargeBuffer: of a file that is larger than any message only the beginning
// is mapped.
func TestLargeBuffer(t *testing.T) {
	p, path := place(t, 0)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Truncate(1 << 40)
	b, err := p.Open(path, self(), 1<<40, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	put(t, f, MaxMessage, bytes.Repeat([]byte{'m'}, MaxMessage))
	if got, err := b.Message(nil); err != nil || len(got) != MaxMessage || b.Size() != messageAt+MaxMessage {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	put(t, f, MaxMessage+1, nil)
	if _, err := b.Message(nil); !errors.Is(err, ErrLength) {
		t.Errorf("one byte more: %v", err)
	}
}

// TestOwner: a client without privileges has its own files taken, and nobody
// else's, root's neither.
func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	p, path := place(t, 4096)
	os.Chmod(filepath.Dir(path), 0o1777)
	if _, err := p.Open(path, 65534, 4096, 1); !errors.Is(err, ErrFile) {
		t.Errorf("root's file: %v", err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(path, 0, 4096, 1); !errors.Is(err, ErrFile) {
		t.Errorf("another's file, for root: %v", err)
	}
	b, err := p.Open(path, 65534, 4096, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// TestRefused: nothing but a client's own file is opened, and nothing is
// removed.
func TestRefused(t *testing.T) {
	p, path := place(t, 4096)
	dir := filepath.Dir(path)
	at := func(s string) string { return filepath.Join(dir, "corosync_zerocopy-"+s) }
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "other"), make([]byte, 4096), 0o600),
		os.Symlink(path, at("symlin")),
		unix.Mkfifo(at("fifofi"), 0o600),
		os.Mkdir(at("direct"), 0o700),
		os.WriteFile(at("twice1"), make([]byte, 4096), 0o600),
		os.Link(at("twice1"), at("twice2")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.ReadDir(dir)
	for _, c := range []struct {
		path string
		uid  uint32
		size uint64
		want error
	}{
		{filepath.Join(dir, "other"), self(), 4096, ErrName},
		{dir + "//" + name, self(), 4096, ErrName},
		{dir + "/./" + name, self(), 4096, ErrName},
		{dir + "/../" + filepath.Base(dir) + "/" + name, self(), 4096, ErrName},
		{name, self(), 4096, ErrName},
		{"", self(), 4096, ErrName},
		{path + "3", self(), 4096, ErrName},
		{path + "\n", self(), 4096, ErrName},
		{"/etc/passwd", self(), 4096, ErrName},
		{at("gone00"), self(), 4096, fs.ErrNotExist},
		{at("symlin"), self(), 4096, unix.ELOOP},
		{at("fifofi"), self(), 56, ErrFile},
		{at("direct"), self(), 56, unix.EISDIR},
		{at("twice2"), self(), 4096, ErrFile},
		{path, self() + 1, 4096, ErrFile},
		{path, self(), 4097, ErrLength},
		{path, self(), 1<<64 - 1, ErrLength},
		{path, self(), 55, ErrLength},
	} {
		b, err := p.Open(c.path, c.uid, c.size, 1)
		if !errors.Is(err, c.want) {
			t.Errorf("%q of user %d, %d bytes: %v, want %v", c.path, c.uid, c.size, err, c.want)
		}
		if b != nil {
			b.Close()
		}
	}
	if after, _ := os.ReadDir(dir); len(after) != len(before) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}
