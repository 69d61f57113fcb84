package ipc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// listenBacklog is the reference's (SERVER_BACKLOG).
const listenBacklog = 128

// acceptBatch is how many clients are accepted in a row.
const acceptBatch = 16

// A Listener is one service's name.
type Listener struct {
	server  *Server
	name    string
	handler Handler
	fds     []int
	paths   []string // of sockets in the file system
}

// Listen serves name with h. The socket is in the abstract namespace, or in
// the file system where libqb's clients of this host look for it; see
// [Options.ForceFile] (libqb lib/ipc_setup.c:qb_ipcs_us_publish).
func (s *Server) Listen(name string, h Handler) (*Listener, error) {
	l := &Listener{server: s, name: name, handler: h}
	var err error
	if _, statErr := os.Stat(s.opt.ForceFile); statErr == nil {
		err = l.listenFiles()
	} else {
		err = l.listenAbstract()
	}
	if err != nil {
		l.closeSockets()
		return nil, fmt.Errorf("listen for %s: %w", name, err)
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

func (l *Listener) listenAbstract() error {
	name, err := shm.AbstractName(l.name)
	if err != nil {
		return err
	}
	return l.listen(name)
}

func (l *Listener) listenFiles() error {
	for _, dir := range l.server.opt.SocketDirs {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			continue
		}
		path := filepath.Join(dir, l.name)
		os.Remove(path)
		if err := l.listen(path); err != nil {
			return err
		}
		l.paths = append(l.paths, path)
		// Everybody may connect; who may stay is the handler's to say.
		if err := os.Chmod(path, 0o777); err != nil {
			return err
		}
	}
	if len(l.fds) == 0 {
		return fmt.Errorf("no such directory among %q", l.server.opt.SocketDirs)
	}
	return nil
}

// listen binds with package syscall: x/sys/unix refuses names that fill
// sun_path.
func (l *Listener) listen(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	l.fds = append(l.fds, fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: name}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Listen(fd, listenBacklog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	return l.server.poll.Add(fd, unix.EPOLLIN, func(uint32) {
		l.server.enter(func() { l.accept(fd) })
	})
}

// Close ends listening and disconnects the service's clients. Their Closed
// calls have been made when it returns, unless it was called from a handler.
func (l *Listener) Close() {
	s := l.server
	s.enter(func() {
		l.closeSockets()
		s.listeners = slices.DeleteFunc(s.listeners, func(other *Listener) bool { return other == l })
		for _, g := range slices.Clone(s.greeting) {
			if g.listener == l {
				g.close()
			}
		}
		for c := range s.conns {
			if c.listener == l {
				c.fail(ErrClosed)
			}
		}
	})
}

func (l *Listener) closeSockets() {
	for _, fd := range l.fds {
		l.server.poll.Remove(fd)
		unix.Close(fd)
	}
	for _, path := range l.paths {
		os.Remove(path)
	}
	l.fds, l.paths = nil, nil
}

func (l *Listener) accept(fd int) {
	for range acceptBatch {
		sock, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			l.server.greet(l, sock)
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE):
			l.server.shed(fd)
			return
		case errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR):
		default:
			return
		}
	}
}

// shed turns a client away when there is no descriptor to talk to it with: the
// spare one is given up for it. Without this the listener would stay ready and
// the loop would spin.
func (s *Server) shed(listener int) {
	unix.Close(s.spare)
	if sock, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err == nil {
		unix.Close(sock)
		s.stats.Strays++
	}
	s.spare, _ = openSpare()
}

func openSpare() (int, error) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	return fd, nil
}
