package ipc

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// connectionName is the form of a connection directory's name. Every user of
// libqb has it.
var connectionName = regexp.MustCompile(`^qb-([0-9]+)-[0-9]+-[0-9]+-[A-Za-z0-9]{6}$`)

// sweepAge is how old a directory must be. A server in another process
// namespace looks dead from here; its client opens the files within this time,
// after which nobody needs their names.
const sweepAge = 10 * time.Second

// Sweep removes what servers of the named services left behind when they were
// killed, a stock daemon's too, and returns how many directories it removed.
// Nobody else does: clients remove files only if they outlive the server.
//
// A directory goes only if its name has libqb's form, the server named in it
// runs no more (or is this process, which does not know the directory), it is
// older than ten seconds, and it holds nothing but the files of these
// services: Pacemaker and others use the same names.
func (s *Server) Sweep(services ...string) (removed int, err error) {
	entries, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return 0, err
	}
	ours := connectionFiles(services...)
	for _, e := range entries {
		if e.IsDir() && s.stale(e.Name()) && s.sweep(e.Name(), ours) {
			removed++
		}
	}
	return removed, nil
}

// connectionFiles is the set of names that files in the services' connection
// directories have, with either transport.
func connectionFiles(services ...string) map[string]bool {
	files := make(map[string]bool)
	for _, svc := range services {
		for _, base := range ringNames(svc) {
			files[base+shm.HeadSuffix] = true
			files[base+shm.DataSuffix] = true
		}
		files[controlName(svc)] = true
	}
	return files
}

// stale reports whether name is a connection directory of no running server.
func (s *Server) stale(name string) bool {
	m := connectionName.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil || pid <= 0 {
		return false
	}
	if pid == os.Getpid() {
		for c := range s.conns {
			if c.dir.name == name {
				return false
			}
		}
		return true
	}
	return errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// sweep removes the directory if it is old and holds nothing but files.
func (s *Server) sweep(name string, files map[string]bool) bool {
	fd, err := openDirectory(s.parent, name)
	if err != nil {
		return false
	}
	dir := os.NewFile(uintptr(fd), filepath.Join(s.opt.Dir, name))
	defer dir.Close()
	st, err := dir.Stat()
	if err != nil || time.Since(st.ModTime()) < sweepAge {
		return false
	}
	names, err := dir.Readdirnames(len(files) + 1)
	if err != nil && len(names) > 0 || slices.ContainsFunc(names, func(n string) bool { return !files[n] }) {
		return false
	}
	for _, n := range names {
		unix.Unlinkat(fd, n, 0)
	}
	return unix.Unlinkat(s.parent, name, unix.AT_REMOVEDIR) == nil
}

// ringNames are the rings' names in a connection's directory (libqb
// lib/ipc_shm.c:qb_ipcs_shm_connect).
func ringNames(service string) [3]string {
	var names [3]string
	for i, way := range []string{"request", "response", "event"} {
		names[i] = strings.Join([]string{"qb", way, service}, "-")
	}
	return names
}

// controlName is the control file's name there (libqb
// lib/ipc_socket.c:qb_ipcs_us_connect).
func controlName(service string) string { return "qb-control-" + service }
