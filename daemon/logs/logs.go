// Package logs carries the daemon's log lines to where the configuration wants
// them, without ever making the loop wait.
//
//	loop --slog--> handler --bounded queue--> writer goroutine --> stderr, files, syslog, flight recorder
//
// A line that finds the queue full is dropped and counted; the writer says how
// many were lost as soon as it has room again. Lines look as the reference's do:
//
//	Nov 22 08:10:47.510 notice  [QUORUM] Members[1]: 1                        stderr
//	Nov 22 08:10:47.510 [3783] host cpgold notice  [QUORUM] Members[1]: 1     a file
//	  [QUORUM] Members[1]: 1                                                  syslog, which has the rest
//	... [TOTEM ] trace.go:tell:46 ...                                         with fileline and function_name
//
// The name is what this program was called by ([Program]). Every subsystem may have
// levels and a file of its own (options.go); whether stderr and syslog get lines
// at all is for the whole. The flight recorder (recorder.go) keeps the last lines of
// every level in memory and writes them to a file that libqb's qb-blackbox prints.
//
// Lines that peers or clients can cause go through [Limited], [Damped] or a
// [Limiter]. To add a subsystem, name it with [Subsystem].
//
// Other than the reference: a line is cut at 2,048 bytes, not 512; text that is not
// printable is replaced; syslog that cannot be reached is tried again. Not done: the
// reference's lines of level trace, one for each message, which would be there only
// to be thrown away.
//
// Reference: exec/logsys.c, exec/logconfig.c, libqb lib/log_format.c.
package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Program is what this program was called by, which is its name in logs: whoever
// has rules for lines of "corosync" there calls it so.
func Program() string { return filepath.Base(os.Args[0]) }

const queueLines = 4096

// A Writer owns the queue and the goroutine behind it.
type Writer struct {
	opt      atomic.Pointer[Options] // in force
	queue    chan line
	dumps    chan dump
	dropped  atomic.Uint64
	lost     uint64   // already told; writer goroutine only
	to       outlets  // writer goroutine only
	recorder recorder // writer goroutine only
	change   mailbox  // what takes to's place
	prefix   string   // pid, host, program
	stop     chan struct{}
	done     chan struct{}
	close    sync.Once
}

type line struct {
	at        time.Time
	level     slog.Level
	subsystem string
	text      string
	pc        uintptr // where it was logged; 0: unknown
}

// Open opens files and syslog, starts the goroutine, and returns a logger for
// subsystem MAIN. Use [Subsystem] for the others. An unreachable syslog is no
// error: nothing may keep a node from starting because of its log.
func Open(opt Options) (*Writer, *slog.Logger, error) {
	w := &Writer{
		queue: make(chan line, queueLines), dumps: make(chan dump),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
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
		case d := <-w.dumps:
			w.drain(&buf)
			d.done <- w.recorder.writeFile(d.dir)
			continue
		case <-w.stop:
		}
		w.drain(&buf)
		return
	}
}

// drain writes what is queued.
func (w *Writer) drain(buf *bytes.Buffer) {
	for range queueLines { // others may go on filling it
		select {
		case l := <-w.queue:
			w.next(buf, l)
		default:
			return
		}
	}
}

func (w *Writer) next(buf *bytes.Buffer, l line) {
	if lost := w.dropped.Load(); lost != w.lost {
		w.write(buf, line{l.at, slog.LevelWarn, "MAIN", fmt.Sprintf("%d log lines lost: the log could not be written fast enough", lost-w.lost), 0})
		w.lost = lost
	}
	w.write(buf, l)
}

// write puts a line everywhere where it is wanted.
func (w *Writer) write(buf *bytes.Buffer, l line) {
	w.takeChange()
	opt := w.opt.Load()
	t := opt.target(l.subsystem)
	if opt.Blackbox {
		w.recorder.add(l)
	} else {
		w.recorder.forget()
	}
	if l.level >= t.Level {
		buf.Reset()
		opt.Timestamp.write(buf, l.at)
		stamp := buf.Len()
		fmt.Fprintf(buf, "%-7.7s ", levelName(l.level))
		opt.body(buf, l)
		buf.WriteByte('\n')
		if opt.Stderr != nil {
			opt.Stderr.Write(buf.Bytes())
		}
		if f := w.to.files[t.File]; f != nil {
			fmt.Fprintf(f, "%s%s%s", buf.Bytes()[:stamp], w.prefix, buf.Bytes()[stamp:])
		}
	}
	if opt.Syslog && l.level >= t.SyslogLevel {
		buf.Reset()
		opt.Timestamp.syslogBlanks(buf)
		opt.body(buf, l)
		w.to.syslog.send(priority(l.level), buf.String())
	}
}
