package logs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Reconfigure sends later lines to another file and lets other levels through; a
// file that cannot be opened changes nothing.
func TestReconfigure(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	w, log, err := Open(Options{Target: Target{File: one, Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Reconfigure(Options{Target: Target{File: dir, Level: slog.LevelDebug}}); err == nil {
		t.Error("a directory was opened")
	}
	log.Debug("too low")
	if err := w.Reconfigure(Options{Target: Target{two, slog.LevelWarn, slog.LevelError}, Subsystems: map[string]Target{"TOTEM": {two, slog.LevelDebug, slog.LevelError}}}); err != nil {
		t.Fatal(err)
	}
	log.Info("too low now")
	log.Warn("kept")
	Subsystem(log, "TOTEM").Debug("asked for")
	w.Close()
	for file, want := range map[string]string{one: "", two: "kept,asked for"} {
		b, _ := os.ReadFile(file)
		var got []string
		for line := range strings.Lines(string(b)) {
			_, text, _ := strings.Cut(strings.TrimSpace(line), "] ")
			_, text, _ = strings.Cut(text, "] ")
			got = append(got, text)
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s holds %q, want %s", file, got, want)
		}
	}
}

// A named pipe that nobody reads is refused, not waited for; the change that was
// asked for last holds.
func TestReconfigureWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	pipe, one, two := filepath.Join(dir, "pipe"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	target := func(file string) Options { return Options{Target: Target{file, slog.LevelInfo, slog.LevelError}} }
	if _, _, err := Open(target(pipe)); err == nil {
		t.Error("a pipe without a reader was opened")
	}
	w, log, err := Open(target(one))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Reconfigure(target(pipe)); err == nil {
		t.Error("a pipe without a reader was opened")
	}
	late := w.change.order()
	if err := w.Reconfigure(target(two)); err != nil {
		t.Fatal(err)
	}
	opt := target(one)
	next, _ := openOutlets(&opt)
	w.change.put(late, next, func() { t.Error("an older change came later") })
	log.Info("x")
	w.Close()
	if b, _ := os.ReadFile(two); !strings.HasSuffix(string(b), "x\n") {
		t.Errorf("%q", b)
	}
}
