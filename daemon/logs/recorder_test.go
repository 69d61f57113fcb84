package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The file is read by libqb's own program, if it is here (the live tests read it
// too, where it always is).
func TestRecorderFile(t *testing.T) {
	tool, err := exec.LookPath("qb-blackbox")
	if err != nil {
		t.Skip("needs qb-blackbox: run `make setup` as root")
	}
	dir := t.TempDir()
	w, log, err := Open(Options{Blackbox: true, Target: Target{Level: slog.LevelError, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	totem := Subsystem(log, "TOTEM")
	read := func() string {
		t.Helper()
		if err := w.Dump(dir, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, filepath.Join(dir, "fdata")).Output()
		if err != nil {
			t.Logf("qb-blackbox: %v", err) // its status at the end of a file differs between releases
		}
		return string(out)
	}
	log.Debug("100% of it, and " + strings.Repeat("more ", 200))
	totem.Log(t.Context(), LevelTrace, "the least")
	log.Error("seen", "n", 3)
	out := read()
	for _, want := range []string{"debug ", "[MAIN] 100% of it, and more more", "trace ", "[TOTEM] the least", "error ", "[MAIN] seen n=3", "TestRecorderFile("} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	// It forgets, but not too much, and goes on being read.
	const many = 30_000
	for i := range many {
		totem.Debug(fmt.Sprintf("line %d", i))
		if i%1000 == 0 {
			w.Dump(dir, 5*time.Second) // empties the queue
		}
	}
	out = read()
	if n := strings.Count(out, "] line "); n < 5000 || n > 20_000 || !strings.Contains(out, fmt.Sprintf("] line %d\n", many-1)) || strings.Contains(out, "the least") {
		t.Errorf("%d lines of %d", n, many)
	}
	if info, err := os.Stat(filepath.Join(dir, "fdata")); err != nil || info.Mode().Perm() != 0o600 || info.Size() > 2*recorderHalf+2*pageSize {
		t.Errorf("%v, %v", info, err)
	}
}

// Lines that only the recorder wants go nowhere else, and it can be off.
func TestRecorderAlone(t *testing.T) {
	var out bytes.Buffer
	opt := Options{Stderr: &out, Blackbox: true, Target: Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelError}}
	w, log, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("unseen")
	dir := t.TempDir()
	if err := w.Dump(dir, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := w.Dump(filepath.Join(dir, "none"), time.Second); err == nil {
		t.Error("written to a directory that is not there")
	}
	opt.Blackbox = false
	w.Reconfigure(opt)
	log.Debug("unseen")
	log.Info("seen")
	if err := w.Dump(dir, time.Second); err == nil {
		t.Error("there is a blackbox although it is off")
	}
	w.Close()
	if err := w.Dump(dir, time.Second); err == nil {
		t.Error("a closed writer wrote")
	}
	if out.String() != "info    [MAIN  ] seen\n" {
		t.Errorf("%q", out.String())
	}
}
