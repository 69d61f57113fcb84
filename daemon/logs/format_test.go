package logs

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each subsystem has its own file and levels, and every line the form asked for.
func TestSubsystems(t *testing.T) {
	dir := t.TempDir()
	all, own := filepath.Join(dir, "all"), filepath.Join(dir, "own")
	var stderr bytes.Buffer
	w, log, err := Open(Options{
		Stderr: &stderr, Target: Target{all, LevelNotice, slog.LevelError},
		Subsystems: map[string]Target{
			"TOTEM": {own, slog.LevelDebug, slog.LevelError}, "CPG": {all, LevelCrit, slog.LevelError}, "VOTEQUORUM": {"", slog.LevelInfo, slog.LevelError},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"MAIN", "TOTEM", "CPG", "VOTEQUORUM"} {
		l := Subsystem(log, name)
		for _, level := range []slog.Level{LevelTrace, slog.LevelDebug, slog.LevelInfo, LevelNotice, slog.LevelWarn, slog.LevelError, LevelCrit, LevelAlert, LevelEmerg} {
			l.Log(t.Context(), level, "x")
		}
	}
	w.Close()
	letters := func(text string) (short string) { // subsystem and first letter of the level
		for line := range strings.Lines(text) {
			line = line[strings.Index(line, Program())+len(Program())+1:]
			short += line[:1]
		}
		return short
	}
	b, _ := os.ReadFile(all)
	if got := letters(string(b)); got != "nweca"+"e"+"cae" {
		t.Errorf("all: %s", got)
	}
	b, _ = os.ReadFile(own)
	if got := letters(string(b)); got != "dinwecae" {
		t.Errorf("own: %s", got)
	}
	if n := strings.Count(stderr.String(), "[VOTEQU] x\n"); n != 7 {
		t.Errorf("%d lines of a subsystem without a file in\n%s", n, stderr.String())
	}
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{}, `^notice  \[MAIN  \] x\n$`},
		{Options{Timestamp: Seconds}, `^\w{3} \d\d \d\d:\d\d:\d\d notice  \[MAIN  \] x\n$`},
		{Options{Timestamp: Milliseconds}, `^\w{3} \d\d \d\d:\d\d:\d\d\.\d{3} notice  \[MAIN  \] x\n$`},
		{Options{FileLine: true}, `^notice  \[MAIN  \] format_test.go:\d+ x\n$`},
		{Options{Function: true}, `^notice  \[MAIN  \] TestForms x\n$`},
		{Options{FileLine: true, Function: true}, `^notice  \[MAIN  \] format_test.go:TestForms:\d+ x\n$`},
	} {
		var out bytes.Buffer
		c.opt.Stderr, c.opt.Target = &out, Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelInfo}
		w, log, err := Open(c.opt)
		if err != nil {
			t.Fatal(err)
		}
		log.Log(t.Context(), LevelNotice, "x")
		w.Close()
		if !regexp.MustCompile(c.want).MatchString(out.String()) {
			t.Errorf("%q does not match %s", out.String(), c.want)
		}
	}
}

// A line has an end.
func TestLongLine(t *testing.T) {
	if got := printable(strings.Repeat("ö", longest)); len(got) != longest+3 || !strings.HasSuffix(got, "ö...") {
		t.Errorf("%d bytes", len(got))
	}
	if d := cmp.Diff(strings.Repeat("x", longest), printable(strings.Repeat("x", longest))); d != "" {
		t.Error(d)
	}
}
