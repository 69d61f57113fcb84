// Package logs carries the daemon's log lines to where the configuration wants
// them, without ever making the loop wait.
//
//	loop --slog--> Handler --bounded queue--> writer goroutine --> stderr, file, syslog
//
// A line that finds the queue full is dropped and counted; the writer says how
// many were lost as soon as it has room again. Lines look as the reference's do:
//
//	Nov 22 08:10:47.510 [3783] host cpgold notice  [QUORUM] Members[1]: 1
//
// Reference: exec/logsys.c, exec/logconfig.c. Not done: a blackbox, priorities
// of single subsystems other than debug.
package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LevelNotice is syslog's notice, which the reference uses for what an
// administrator expects to read.
const LevelNotice = slog.LevelInfo + 2

// Options say where lines go.
type Options struct {
	Stderr io.Writer // nil: none
	File   string    // empty: none; opened for appending
	Syslog bool
	// Facility is syslog's, as a number already shifted (log/syslog); 0 means daemon.
	Facility syslog.Priority
	// Level is the lowest level written to stderr and the file; SyslogLevel
	// the lowest to syslog.
	Level, SyslogLevel slog.Level
	// Debug names subsystems that are logged at every level.
	Debug map[string]bool
	// Timestamp false leaves the time out.
	Timestamp bool
}

// Program is what this program was called by, which is its name in logs: whoever
// has rules for lines of "corosync" there calls it so.
func Program() string { return filepath.Base(os.Args[0]) }

const queueLines = 4096

// A Writer owns the queue and the goroutine behind it.
type Writer struct {
	opt     atomic.Pointer[Options] // in force
	queue   chan line
	dropped atomic.Uint64
	lost    uint64  // already told; writer goroutine only
	to      outlets // writer goroutine only
	change  mailbox // what takes to's place
	prefix  string  // pid, host, program
	stop    chan struct{}
	done    chan struct{}
	close   sync.Once
}

type line struct {
	at        time.Time
	level     slog.Level
	subsystem string
	text      string
}

// Open opens the file and syslog, starts the goroutine, and returns a logger
// for subsystem MAIN. Use [Subsystem] for the others. An unreachable syslog is
// no error: nothing may keep a node from starting because of its log.
func Open(opt Options) (*Writer, *slog.Logger, error) {
	w := &Writer{queue: make(chan line, queueLines), stop: make(chan struct{}), done: make(chan struct{})}
	host, _ := os.Hostname()
	w.prefix = "[" + strconv.Itoa(os.Getpid()) + "] " + host + " " + Program() + " "
	w.opt.Store(&opt)
	var err error
	if w.to, err = openOutlets(&opt); err != nil {
		return nil, nil, err
	}
	go w.run()
	return w, slog.New(&handler{w: w, subsystem: "MAIN"}), nil
}

// Subsystem is log for another subsystem, such as TOTEM.
func Subsystem(log *slog.Logger, name string) *slog.Logger {
	if h, ok := log.Handler().(*handler); ok {
		return slog.New(&handler{w: h.w, subsystem: name, attrs: h.attrs})
	}
	return log.With("subsystem", name)
}

func openFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("can't open logfile: %w", err)
	}
	return f, nil
}

// Dropped is how many lines found the queue full.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Close writes what is queued and ends the goroutine. Lines logged later are
// counted as dropped once the queue is full, and never written.
func (w *Writer) Close() {
	w.close.Do(func() {
		close(w.stop)
		<-w.done
		w.takeChange()
		w.to.close()
	})
}

func (w *Writer) run() {
	defer close(w.done)
	var buf bytes.Buffer
	for {
		select {
		case l := <-w.queue:
			w.next(&buf, l)
			continue
		case <-w.stop:
		}
		for { // what was queued before Close
			select {
			case l := <-w.queue:
				w.next(&buf, l)
			default:
				return
			}
		}
	}
}

func (w *Writer) next(buf *bytes.Buffer, l line) {
	if lost := w.dropped.Load(); lost != w.lost {
		w.write(buf, line{l.at, slog.LevelWarn, "MAIN", fmt.Sprintf("%d log lines lost: the log could not be written fast enough", lost-w.lost)})
		w.lost = lost
	}
	w.write(buf, l)
}

func (w *Writer) write(buf *bytes.Buffer, l line) {
	name := levelName(l.level)
	text := fmt.Sprintf("%-7s [%-6s] %s", name, l.subsystem, l.text)
	w.takeChange()
	opt := w.opt.Load()
	if l.level >= opt.Level || opt.Debug[l.subsystem] {
		buf.Reset()
		if opt.Timestamp {
			buf.WriteString(l.at.Format("Jan 02 15:04:05.000 "))
		}
		plain := buf.Len()
		buf.WriteString(text)
		buf.WriteByte('\n')
		if opt.Stderr != nil {
			opt.Stderr.Write(buf.Bytes())
		}
		if w.to.file != nil {
			fmt.Fprintf(w.to.file, "%s%s%s\n", buf.Bytes()[:plain], w.prefix, text)
		}
	}
	if w.to.syslog != nil && l.level >= opt.SyslogLevel {
		w.toSyslog(l)
	}
}

func (w *Writer) toSyslog(l line) {
	text := fmt.Sprintf("[%-6s] %s", l.subsystem, l.text)
	switch {
	case l.level >= slog.LevelError:
		w.to.syslog.Err(text)
	case l.level >= slog.LevelWarn:
		w.to.syslog.Warning(text)
	case l.level >= LevelNotice:
		w.to.syslog.Notice(text)
	case l.level >= slog.LevelInfo:
		w.to.syslog.Info(text)
	default:
		w.to.syslog.Debug(text)
	}
}

func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warning"
	case l >= LevelNotice:
		return "notice"
	case l >= slog.LevelInfo:
		return "info"
	default:
		return "debug"
	}
}

// handler is one subsystem's end of the queue.
type handler struct {
	w         *Writer
	subsystem string
	attrs     string
}

var _ slog.Handler = (*handler)(nil)

func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	opt := h.w.opt.Load()
	return l >= min(opt.Level, opt.SyslogLevel) || opt.Debug[h.subsystem]
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += attrText(a)
		return true
	})
	select {
	case h.w.queue <- line{r.Time, r.Level, h.subsystem, printable(text)}:
	default:
		h.w.dropped.Add(1)
	}
	return nil
}

// printable is text with what is not replaced, so that nobody whose words are
// logged (a peer's reason, a process's name) writes lines of his own.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r // an invalid byte is the replacement character by now
	}, text)
}

func attrText(a slog.Attr) string { return " " + a.Key + "=" + a.Value.String() }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	for _, a := range attrs {
		n.attrs += attrText(a)
	}
	return &n
}

func (h *handler) WithGroup(string) slog.Handler { return h }

// A Limiter lets each cause speak at most once a second and counts the rest.
// The zero value is ready. Not for concurrent use.
type Limiter struct {
	causes map[string]*cause
}

type cause struct {
	last   time.Duration
	silent int
	total  uint64
}

// Counts gives how many times each cause was asked for.
func (l *Limiter) Counts() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for name, c := range l.causes {
			if !yield(name, c.total) {
				return
			}
		}
	}
}

// Allow reports whether cause may be logged at now, and how many times it was
// kept silent since it last was.
func (l *Limiter) Allow(now time.Duration, name string) (silent int, ok bool) {
	if l.causes == nil {
		l.causes = map[string]*cause{}
	}
	c := l.causes[name]
	if c == nil {
		l.causes[name] = &cause{last: now, total: 1}
		return 0, true
	}
	c.total++
	if now-c.last < time.Second {
		c.silent++
		return 0, false
	}
	silent, c.silent, c.last = c.silent, 0, now
	return silent, true
}
