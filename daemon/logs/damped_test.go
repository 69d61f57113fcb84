package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A loop is a clock with its timers.
type loop struct {
	now    time.Duration
	timers []func()
	at     []time.Duration
}

func (l *loop) after(d time.Duration, f func()) {
	l.timers, l.at = append(l.timers, f), append(l.at, l.now+d)
}

func (l *loop) run(to time.Duration) {
	for i := 0; i < len(l.timers); i++ {
		if l.timers[i] != nil && l.at[i] <= to {
			l.now = max(l.now, l.at[i])
			f := l.timers[i]
			l.timers[i] = nil
			f()
		}
	}
	l.now = to
}

// Ten at once, one a second, and the last one always.
func TestDamped(t *testing.T) {
	var out bytes.Buffer
	var l loop
	w, log, err := Open(Options{Stderr: &out, Target: Target{Level: slog.LevelInfo, SyslogLevel: slog.LevelError}})
	if err != nil {
		t.Fatal(err)
	}
	log = Damped(log, Clock{func() time.Duration { return l.now }, l.after})
	storm := func(n int) {
		for i := range n {
			log.Info(fmt.Sprintf("Members[%d]: now", i), "i", i)
			log.Debug("nothing of this")
			l.run(l.now + time.Millisecond)
		}
	}
	storm(1500)
	log.Info("another kind")
	l.run(10 * time.Second)
	storm(3)
	l.run(12 * time.Second)
	w.Close()
	var want strings.Builder
	for i := range 10 {
		fmt.Fprintf(&want, "info    [MAIN  ] Members[%d]: now i=%d\n", i, i)
	}
	want.WriteString("info    [MAIN  ] Members[1009]: now (and 999 before) i=1009\n")
	want.WriteString("info    [MAIN  ] another kind\n")
	want.WriteString("info    [MAIN  ] Members[1499]: now (and 489 before) i=1499\n")
	for i := range 3 {
		fmt.Fprintf(&want, "info    [MAIN  ] Members[%d]: now i=%d\n", i, i)
	}
	if d := cmp.Diff(want.String(), out.String()); d != "" {
		t.Error(d)
	}
}
