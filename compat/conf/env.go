package conf

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"syscall"
)

// An Env is what a configuration's meaning depends on besides its text. A nil
// function stands for a host that has nothing of the kind (no names, no users,
// no files). [Host] returns this host's.
type Env struct {
	// HostName is the kernel's node name (uname).
	HostName string
	// Addrs are the addresses of all interfaces, in the system's order.
	Addrs []netip.Addr
	// Resolve returns the addresses of a name, in the resolver's order. It is
	// never asked for the text of an address.
	Resolve func(name string) ([]netip.Addr, error)
	// Reverse returns the name of an address, or "".
	Reverse func(addr netip.Addr) string
	// ReadFile returns the first limit bytes of a file. A directory gives
	// syscall.EISDIR.
	ReadFile func(path string, limit int) ([]byte, error)
	// ListDir returns the names of the regular files in a directory, links
	// followed, in the directory's order.
	ListDir func(path string) ([]string, error)
	// LookupUser and LookupGroup return a number for a name. ok is false if
	// there is none.
	LookupUser  func(name string) (id uint32, ok bool)
	LookupGroup func(name string) (id uint32, ok bool)
	// TryLog tells if a log file can be opened for writing, by leaving
	// nothing behind.
	TryLog func(path string) error
	// TryDir tells if a directory can be changed into.
	TryDir func(path string) error
	// KeyFile and StateDir replace the reference's compiled-in places if not
	// empty.
	KeyFile, StateDir string
}

// The reference's compiled-in places (COROSYSCONFDIR, LOCALSTATEDIR).
const (
	defaultKeyFile  = "/etc/corosync/authkey"
	defaultStateDir = "/var/lib/corosync"
)

func (e *Env) readFile(path string, limit int) ([]byte, error) {
	if e.ReadFile == nil {
		return nil, syscall.ENOENT
	}
	return e.ReadFile(path, limit)
}

func (e *Env) listDir(path string) []string {
	if e.ListDir == nil {
		return nil
	}
	names, err := e.ListDir(path)
	if err != nil { // absent or unreadable is the same as empty
		return nil
	}
	return names
}

func (e *Env) reverse(a netip.Addr) string {
	if e.Reverse == nil {
		return ""
	}
	return e.Reverse(a)
}

func (e *Env) lookup(group bool, name string) (uint32, bool) {
	f := e.LookupUser
	if group {
		f = e.LookupGroup
	}
	if f == nil {
		return 0, false
	}
	return f(name)
}

func (e *Env) tryLog(path string) error {
	if path == "" {
		return syscall.ENOENT
	}
	if e.TryLog == nil {
		return nil
	}
	return e.TryLog(path)
}

func (e *Env) tryDir(path string) error {
	if e.TryDir == nil {
		return nil
	}
	return e.TryDir(path)
}

func (e *Env) keyFile() string {
	if e.KeyFile != "" {
		return e.KeyFile
	}
	return defaultKeyFile
}

func (e *Env) stateDir() string {
	if e.StateDir != "" {
		return e.StateDir
	}
	return defaultStateDir
}

// errnoOf finds the system error behind err; one that is none counts as EIO.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrPermission):
		return syscall.EACCES
	}
	return syscall.EIO
}

// strerror returns the C library's text, which Go has in lower case.
func strerror(err error) string {
	s := errnoOf(err).Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
