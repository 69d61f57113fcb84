package ipc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A directory holds one connection's files. It belongs to the client in the
// end, who may rename it or put another thing in its place; so it is known by
// its inode, and everything in it is done through a descriptor.
type directory struct {
	parent   int // descriptor of Options.Dir
	name     string
	dev, ino uint64
}

// makeDirectory makes "qb-<server>-<client>-<socket>-XXXXXX" (libqb
// lib/ipc_setup.c:handle_new_connection) and opens it. Nobody else can enter it
// before [giveDirectory].
func makeDirectory(parent int, server int, client uint32, socket int) (d directory, fd int, err error) {
	for range 100 {
		d = directory{parent: parent, name: fmt.Sprintf("qb-%d-%d-%d-%s", server, client, socket, rand.Text()[:6])}
		err = unix.Mkdirat(parent, d.name, 0o700)
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		return d, -1, &os.PathError{Op: "make directory", Path: d.name, Err: err}
	}
	fd, err = openDirectory(parent, d.name)
	if err == nil {
		d.dev, d.ino, err = inode(fd)
	}
	if err != nil {
		unix.Unlinkat(parent, d.name, unix.AT_REMOVEDIR)
		return d, fd, &os.PathError{Op: "open directory", Path: d.name, Err: err}
	}
	return d, fd, nil
}

// giveDirectory lets the client in. That the owner cannot be set is no error:
// a server without privileges serves its own user.
func giveDirectory(fd int, owner Credentials) error {
	if err := unix.Fchmod(fd, 0o770); err != nil {
		return err
	}
	unix.Fchown(fd, int(owner.UID), int(owner.GID))
	return nil
}

// remove runs clean in the directory and removes it, if it is still there and
// still the same.
func (d directory) remove(clean func(fd int)) {
	fd, err := openDirectory(d.parent, d.name)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if dev, ino, err := inode(fd); err != nil || dev != d.dev || ino != d.ino {
		return
	}
	clean(fd)
	unix.Unlinkat(d.parent, d.name, unix.AT_REMOVEDIR)
}

func openDirectory(parent int, name string) (int, error) {
	return unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

func inode(fd int) (dev, ino uint64, err error) {
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return uint64(st.Dev), st.Ino, err
}
