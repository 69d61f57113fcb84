package logs

import (
	"log/syslog"
	"os"
	"sync"
)

// outlets are what is open for lines to go to, besides stderr.
type outlets struct {
	file   *os.File       // nil: none
	syslog *syslog.Writer // nil: none, or not to be reached
}

func openOutlets(opt *Options) (o outlets, err error) {
	if opt.File != "" {
		if o.file, err = openFile(opt.File); err != nil {
			return outlets{}, err
		}
	}
	if opt.Syslog {
		facility := opt.Facility
		if facility == 0 {
			facility = syslog.LOG_DAEMON
		}
		o.syslog, _ = syslog.New(facility|syslog.LOG_NOTICE, Program())
	}
	return o, nil
}

func (o outlets) close() {
	if o.file != nil {
		o.file.Close()
	}
	if o.syslog != nil {
		o.syslog.Close()
	}
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

// Reopen opens the file anew for all lines from now on: whoever rotates logs has
// renamed the old one. If that fails lines still go to the old one. It may be
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
