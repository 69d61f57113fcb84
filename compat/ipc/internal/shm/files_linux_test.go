package shm

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// create makes a ring in a directory of the test's own.
func create(t *testing.T, maxMessage int) (m Memory, base string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "cpgol-shm-")
	if err != nil {
		t.Skipf("no shared memory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	base = filepath.Join(dir, "ring")
	m, err = Create(fd, "ring", base, maxMessage, Owner{os.Getuid(), os.Getgid()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Unmap)
	return m, base
}

func TestFiles(t *testing.T) {
	m, base := create(t, 1<<20)
	for name, size := range map[string]int{
		base + HeadSuffix: HeadSize,
		base + DataSuffix: DataSize(1<<20, os.Getpagesize()),
	} {
		st, err := os.Stat(name)
		if err != nil || st.Size() != int64(size) || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
		// All pages are there already: a full file system is no later surprise.
		if blocks := st.Sys().(*syscall.Stat_t).Blocks; blocks*512 < int64(size) {
			t.Errorf("%s: %d blocks for %d bytes", name, blocks, size)
		}
	}
	client, err := Open(base, HeadSize, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Unmap()
	if m.Refs() != 2 {
		t.Errorf("refs %d, want 2", m.Refs())
	}
	NewWriter(client).Write([]byte("through"), []byte(" the file"))
	if got, err := NewReader(m, 1<<20).Take(nil); err != nil || string(got) != "through the file" {
		t.Errorf("Take = %q, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	m, base := create(t, 20000)
	copy(m.Head[dataPathAt:], "/etc/shadow\x00")
	if _, err := Open(base, HeadSize, 20000); !errors.Is(err, ErrCorrupt) {
		t.Errorf("foreign data path: %v", err)
	}
	copy(m.Head[dataPathAt:], base+DataSuffix+"\x00")
	m.head(wordsAt).Add(1)
	if _, err := Open(base, HeadSize, 20000); !errors.Is(err, ErrCorrupt) {
		t.Errorf("foreign word count: %v", err)
	}
	m.head(wordsAt).Add(^uint32(0))
	os.Truncate(base+DataSuffix, 100)
	if _, err := Open(base, HeadSize, 20000); !errors.Is(err, ErrCorrupt) {
		t.Errorf("short data file: %v", err)
	}
	if m.Refs() != 1 {
		t.Errorf("refs %d, want 1", m.Refs())
	}
}

// TestGuard cuts the files under both ends: every access ends in ErrFault, and
// the process lives.
func TestGuard(t *testing.T) {
	for _, suffix := range []string{HeadSuffix, DataSuffix} {
		m, base := create(t, 20000)
		w, r := NewWriter(m), NewReader(m, 20000)
		if _, err := w.Write(make([]byte, 9000), nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(base+suffix, 0); err != nil {
			t.Fatal(err)
		}
		for name, access := range map[string]func() error{
			"write":  func() error { _, err := w.Write(make([]byte, 5000), nil); return err },
			"take":   func() error { _, err := r.Take(nil); return err },
			"sleep":  func() error { m.Sleep(time.Millisecond); _, err := r.Take(nil); return err },
			"detach": func() error { m.Detach(); m.data(0).Load(); return nil },
		} {
			if err := m.Guard(access); !errors.Is(err, ErrFault) {
				t.Errorf("%s after %s was cut: %v, want ErrFault", name, suffix, err)
			}
		}
		m.Wake()
	}
	// A payload whose middle is gone: the fault is in the copy.
	m, base := create(t, 20000)
	NewWriter(m).Write(make([]byte, 9000), nil)
	os.Truncate(base+DataSuffix, 4096)
	if err := m.Guard(func() error { _, err := NewReader(m, 20000).Take(nil); return err }); !errors.Is(err, ErrFault) {
		t.Errorf("copy over the end: %v, want ErrFault", err)
	}
	if debug.SetPanicOnFault(false) {
		t.Error("Guard left panic-on-fault set")
	}
}

// TestGuardPasses: what is not a fault of this memory is not Guard's.
func TestGuardPasses(t *testing.T) {
	m := newMemory(8)
	for name, access := range map[string]func() error{
		"panic":       func() error { panic("other") },
		"index":       func() error { var s []int; return errors.New(string(rune(s[0]))) },
		"nil pointer": func() error { var p *Memory; return errors.New(string(p.Head)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Guard swallowed it", name)
				}
			}()
			m.Guard(access)
		}()
	}
}

func TestSleep(t *testing.T) {
	m, _ := create(t, 20000)
	start := time.Now()
	m.Sleep(5 * time.Millisecond)
	if d := time.Since(start); d < 4*time.Millisecond {
		t.Errorf("slept %v, want 5 ms", d)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Sleep(time.Minute)
	}()
	for m.semaphore().word.Load() < oneWaiter {
		time.Sleep(time.Millisecond)
	}
	if wake, err := NewWriter(m).Write([]byte("x"), nil); !wake || err != nil {
		t.Fatalf("Write = %v, %v; want a wake-up", wake, err)
	}
	m.Wake()
	<-done
}
