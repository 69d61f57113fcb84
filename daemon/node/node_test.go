package node

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/daemon/engine"
)

func TestTimers(t *testing.T) {
	var ts timers
	var ran []string
	note := func(s string) func() { return func() { ran = append(ran, s) } }
	ts.after(30, note("c"))
	cancel := ts.after(20, note("never"))
	ts.after(10, func() {
		note("a")()
		cancel()
		cancel() // harmless
		ts.after(10, note("b"))
	})
	if d := ts.deadline(); d != 10 {
		t.Errorf("deadline %v", d)
	}
	ts.run(25)
	if d := cmp.Diff([]string{"a", "b"}, ran); d != "" {
		t.Error(d)
	}
	ts.run(30)
	if ts.deadline() != engine.Never || len(ran) != 3 {
		t.Errorf("left: %v, ran %v", ts.deadline(), ran)
	}
}

// The file must be what the C daemon writes, so that each goes on from the
// other's (exec/main.c:corosync_ring_id_store).
func TestRingFile(t *testing.T) {
	dir := t.TempDir()
	f := ringFileOf(dir, 7)
	if string(f) != filepath.Join(dir, "ringid_7") {
		t.Errorf("file %s", f)
	}
	if seq, err := f.load(); seq != 0 || err != nil {
		t.Errorf("new file: %d, %v", seq, err)
	}
	info, err := os.Stat(string(f))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 8 {
		t.Errorf("%v, %v", info, err)
	}
	if err := f.store(0x1234); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(string(f))
	if d := cmp.Diff(binary.NativeEndian.AppendUint64(nil, 0x1234), b); d != "" {
		t.Error(d)
	}
	if seq, err := f.load(); seq != 0x1234 || err != nil {
		t.Errorf("stored: %d, %v", seq, err)
	}
	os.WriteFile(string(f), []byte("damaged, and longer than eight"), 0o600)
	if seq, err := f.load(); seq != 0 || err != nil {
		t.Errorf("damaged: %d, %v", seq, err)
	}
	if b, _ := os.ReadFile(string(f)); len(b) != 8 {
		t.Errorf("damaged file left with %d bytes", len(b))
	}
	if err := ringFileOf(filepath.Join(dir, "missing"), 1).store(1); err == nil {
		t.Error("stored into a missing directory")
	}
}

func TestPace(t *testing.T) {
	for level, want := range map[int]int{0: 50, 29: 50, 30: 5, 59: 5, 60: 1, 100: 1} {
		if got := pace(level); got != want {
			t.Errorf("level %d: %d requests, want %d", level, got, want)
		}
	}
}

func TestTasks(t *testing.T) {
	var ts tasks
	n := 0
	ts.list = append(ts.list, func() {
		n++
		ts.list = append(ts.list, func() { n += 10 })
	})
	ts.run()
	ts.run()
	ts.run()
	if n != 11 {
		t.Errorf("ran to %d", n)
	}
}
