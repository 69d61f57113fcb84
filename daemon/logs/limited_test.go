package logs

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each place speaks once a second, whatever it says; errors are not kept.
func TestLimited(t *testing.T) {
	var out bytes.Buffer
	var now time.Duration
	w, log, err := Open(Options{Stderr: &out, Target: Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	log = Limited(Subsystem(log, "VOTEQ"), func() time.Duration { return now }).With("node", 2)
	for i := range 25 {
		now = time.Duration(i) * 100 * time.Millisecond
		log.Warn("one place", "i", i)
		log.Debug("below the level")
		if i < 2 {
			log.Info("another place")
			log.Error("an error")
		}
	}
	w.Close()
	want := `warning [VOTEQ ] one place node=2 i=0
info    [VOTEQ ] another place node=2
error   [VOTEQ ] an error node=2
error   [VOTEQ ] an error node=2
warning [VOTEQ ] one place (and 9 more) node=2 i=10
warning [VOTEQ ] one place (and 9 more) node=2 i=20
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

// What a peer or client says cannot make a line of its own.
func TestPrintable(t *testing.T) {
	var out bytes.Buffer
	w, log, err := Open(Options{Stderr: &out, Target: Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	log.Warn("killed: \x1b[2Jbye\nnotice  [MAIN  ] all is well\r", "by", "\x00\x7f\u0085\xff-ö")
	w.Close()
	if d := cmp.Diff("warning [MAIN  ] killed: ?[2Jbye?notice  [MAIN  ] all is well? by=???\uFFFD-ö\n", out.String()); d != "" {
		t.Error(d)
	}
}
