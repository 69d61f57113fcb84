package logs

import (
	"errors"
	"fmt"
	"log/syslog"
	"os"
	"sync"
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
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
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
	mu   sync.Mutex
	next *outlets
}

// put leaves outlets; ones that nobody has taken are closed.
func (m *mailbox) put(o outlets) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next != nil {
		m.next.close()
	}
	m.next = &o
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

// Reconfigure sends lines elsewhere, and other lines, from now on. On an error,
// which a file can cause that cannot be opened, all is as it was. It may be called
// from any goroutine, but by one at a time.
func (w *Writer) Reconfigure(opt Options) error {
	next, err := openOutlets(&opt)
	if err != nil {
		return err
	}
	w.change.put(next)
	w.opt.Store(&opt)
	return nil
}
