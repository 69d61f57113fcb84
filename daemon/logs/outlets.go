package logs

import (
	"errors"
	"fmt"
	"log/syslog"
	"os"
	"sync"
	"syscall"
	"time"
)

// outlets are what is open for lines to go to, besides stderr.
type outlets struct {
	files  map[string]*os.File
	syslog *syslogSender
}

// openOutlets opens every file that is named.
func openOutlets(opt *Options) (o outlets, err error) {
	o = outlets{map[string]*os.File{}, &syslogSender{facility: opt.Facility}}
	names := []string{opt.File}
	for _, t := range opt.Subsystems {
		names = append(names, t.File)
	}
	var errs []error
	for _, name := range names {
		if name == "" || o.files[name] != nil {
			continue
		}
		// Without waiting for whoever reads a named pipe.
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
		if err != nil {
			errs = append(errs, fmt.Errorf("can't open logfile: %w", err))
			continue
		}
		o.files[name] = f
	}
	if err := errors.Join(errs...); err != nil {
		o.close()
		return outlets{}, err
	}
	if opt.Syslog {
		o.syslog.connect()
	}
	return o, nil
}

func (o outlets) close() {
	for _, f := range o.files {
		f.Close()
	}
	if o.syslog != nil && o.syslog.to != nil {
		o.syslog.to.Close()
	}
}

// A syslogSender sends to syslog. It may not be there yet when a node starts, nor
// all the time.
type syslogSender struct {
	facility syslog.Priority
	to       *syslog.Writer // nil: not connected
	next     time.Time      // not before is it tried again
}

const syslogRetry = 5 * time.Second

func (s *syslogSender) connect() {
	if now := time.Now(); s.to == nil && now.After(s.next) {
		s.next = now.Add(syslogRetry)
		facility := s.facility
		if facility == 0 {
			facility = syslog.LOG_DAEMON
		}
		s.to, _ = syslog.New(facility|syslog.LOG_NOTICE, Program())
	}
}

// send sends a line of one of syslog's priorities. Where the connection was lost
// the writer connects again by itself.
func (s *syslogSender) send(priority int, text string) {
	s.connect()
	if s.to == nil {
		return
	}
	by := [...]func(string) error{
		s.to.Emerg, s.to.Alert, s.to.Crit, s.to.Err, s.to.Warning, s.to.Notice, s.to.Info, s.to.Debug, s.to.Debug,
	}
	by[priority](text)
}

// A mailbox holds the outlets that the writer's goroutine takes before its next line.
type mailbox struct {
	mu     sync.Mutex
	next   *outlets
	latest int // number of the last change that was asked for
}

// order numbers a change.
func (m *mailbox) order() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest++
	return m.latest
}

// put leaves the outlets of a change and calls done, unless another was asked for
// meanwhile. Outlets that nobody takes are closed.
func (m *mailbox) put(number int, o outlets, done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number != m.latest {
		o.close()
		return
	}
	if m.next != nil {
		m.next.close()
	}
	m.next = &o
	done()
}

func (m *mailbox) take() *outlets {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.next
	m.next = nil
	return next
}

// takeChange goes over to outlets that were opened meanwhile.
func (w *Writer) takeChange() {
	if next := w.change.take(); next != nil {
		w.to.close()
		w.to = *next
	}
}

// Reopen opens the files anew for all lines from now on: whoever rotates logs has
// renamed the old ones. If that fails lines still go to the old ones. It may be
// called from any goroutine.
func (w *Writer) Reopen() error { return w.Reconfigure(*w.opt.Load()) }

// openTime is how long the loop waits for files to be opened, which may be on a
// server that is dead.
const openTime = 500 * time.Millisecond

var errOpenSlow = errors.New("can't open logfile: not done in time")

// Reconfigure sends lines elsewhere, and other lines, from now on. On an error,
// which a file can cause that cannot be opened, all is as it was; if one takes too
// long to open the change may still come. It may be called from any goroutine.
func (w *Writer) Reconfigure(opt Options) error {
	number, done := w.change.order(), make(chan error, 1)
	go func() {
		next, err := openOutlets(&opt)
		if err == nil {
			w.change.put(number, next, func() { w.opt.Store(&opt) })
		}
		done <- err
	}()
	limit := time.NewTimer(openTime)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return errOpenSlow
	}
}
