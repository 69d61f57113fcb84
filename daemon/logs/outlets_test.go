package logs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
