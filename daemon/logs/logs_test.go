package logs

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLinesAndLevels(t *testing.T) {
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "log")
	w, log, err := Open(Options{Stderr: &out, Target: Target{file, slog.LevelInfo, slog.LevelInfo}, Subsystems: map[string]Target{"TOTEM": {file, slog.LevelDebug, slog.LevelInfo}}})
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("unseen")
	log.Log(t.Context(), LevelNotice, "seen", "n", 3)
	Subsystem(log, "TOTEM").Debug("seen too")
	w.Close()
	want := "notice  [MAIN  ] seen n=3\ndebug   [TOTEM ] seen too\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "\n") != 2 || !strings.Contains(string(b), " "+Program()+" notice  [MAIN  ] seen n=3\n") {
		t.Errorf("file holds %q, %v", b, err)
	}
}

// Reopen is for whoever renamed the file: later lines go to a new one, and if
// there can be none to the old one.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	file, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	w, log, err := Open(Options{Target: Target{File: file, Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("first")
	holds := func(file, text string) {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			b, _ := os.ReadFile(file)
			if strings.Contains(string(b), text) {
				return
			}
			if time.Since(begin) > 5*time.Second {
				t.Fatalf("%s holds %q, not %s", file, b, text)
			}
		}
	}
	holds(file, "first")
	if err := os.Rename(file, old); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := w.Reopen(); err != nil { // the first new file was not used yet
		t.Fatal(err)
	}
	log.Info("second")
	holds(file, "second")
	os.Rename(file, old)
	os.Mkdir(file, 0o755)
	if err := w.Reopen(); err == nil {
		t.Error("a directory was opened")
	}
	log.Info("third")
	holds(old, "third")
	os.Remove(file)
	w.Reopen()
	w.Close()
	w, _, err = Open(Options{})
	if err != nil || w.Reopen() != nil {
		t.Error("no file, and yet something to open")
	}
	w.Close()
}

// A blocked destination must cost lines, never time.
func TestNeverBlocks(t *testing.T) {
	gate := make(chan struct{})
	out := &gated{gate: gate}
	w, log, err := Open(Options{Stderr: out, Target: Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	const lines = queueLines + 500
	for range lines {
		log.Info("x")
	}
	if w.Dropped() < 400 {
		t.Errorf("%d lines dropped of %d with the writer blocked", w.Dropped(), lines)
	}
	close(gate)
	w.Close()
	if !strings.Contains(out.b.String(), "log lines lost") {
		t.Error("the loss is not told")
	}
}

type gated struct {
	gate chan struct{}
	b    bytes.Buffer
}

func (g *gated) Write(p []byte) (int, error) {
	<-g.gate
	return g.b.Write(p)
}

func TestLimiter(t *testing.T) {
	var l Limiter
	var got []int
	for ms := range 2100 {
		if n, ok := l.Allow(time.Duration(ms)*time.Millisecond, "version"); ok {
			got = append(got, n)
		}
	}
	if d := cmp.Diff([]int{0, 999, 999}, got); d != "" {
		t.Error(d)
	}
	if _, ok := l.Allow(2101*time.Millisecond, "length"); !ok {
		t.Error("one cause silenced another")
	}
}
