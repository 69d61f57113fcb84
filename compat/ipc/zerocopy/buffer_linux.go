// Package zerocopy is the daemon's side of libcpg's zero-copy buffers: a file
// that the client made, from which the daemon reads messages.
//
//	0   map_size int32, the client's   8 server_address uint64, ours
//	16  the request as cpg_mcast_joined would send it: 24 header,
//	    24 guarantee, 32 msglen uint32, 40 bytes in all
//	56  the message
//
// The path is the client's word, and the daemon is root. So a file is taken only
// if it is where libcpg makes such files and called as it calls them, is a
// regular file with one name, and belongs to the client's user; and only such a
// name is removed. Where the reference maps and trusts the file, and resizes it,
// this maps as much of it as a message can be long, to read, and copies messages
// out before it believes a length. A file that is cut short later is an error
// and no fault.
//
// Reference: corosync lib/cpg.c:memory_map, cpg_zcb_alloc;
// exec/cpg.c:memory_map, message_handler_req_lib_cpg_zc_alloc.
package zerocopy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"cpgol/compat/ipc/internal/shm"
)

// MaxMessage is the longest message that libcpg sends from a buffer
// (IPC_REQUEST_SIZE).
const MaxMessage = 1 << 20

// Offsets in the file.
const (
	addressAt = 8
	lengthAt  = 16 + 32
	messageAt = 16 + 40
)

// Places are the directories where clients may have their files.
type Places []string

// Stock is where libcpg makes them: in shared memory, or else below the state
// directory it was compiled with.
var Stock = Places{"/dev/shm", "/var/run", "/run"}

// Errors beside errno values.
var (
	// ErrName says that the path is none that libcpg makes.
	ErrName = errors.New("not a zero-copy buffer's name")
	// ErrFile says that the file is not the client's alone, or not one at all.
	ErrFile = errors.New("not a file of the client's own")
	// ErrLength says that a buffer or its message cannot be as long as that.
	ErrLength = errors.New("length out of bounds")
	// ErrFault says that the file was cut short.
	ErrFault = shm.ErrFault
)

// fileName is what mkstemp makes of libcpg's template.
var fileName = regexp.MustCompile(`^corosync_zerocopy-[A-Za-z0-9]{6}$`)

// A Buffer is one mapped file.
type Buffer struct{ mem shm.Memory }

// Open takes the file at path, of size bytes, that a client of user uid made,
// writes address into it, and removes its name. The client gives that address
// for the buffer from now on. What is refused is left as it is.
func (p Places) Open(path string, uid uint32, size, address uint64) (*Buffer, error) {
	dir, name, err := p.cut(path)
	if err != nil {
		return nil, err
	}
	if size < messageAt {
		return nil, fmt.Errorf("buffer of %d bytes: %w", size, ErrLength)
	}
	parent, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(parent)
	// Without O_NONBLOCK somebody's named pipe would stop the daemon.
	fd, err := unix.Openat(parent, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	st, err := check(fd, uid, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err := mapFile(fd, size)
	if err != nil {
		return nil, &os.PathError{Op: "map", Path: path, Err: err}
	}
	var word [8]byte
	*(*uint64)(unsafe.Pointer(&word)) = address
	if _, err := unix.Pwrite(fd, word[:], addressAt); err != nil {
		b.Close()
		return nil, &os.PathError{Op: "write", Path: path, Err: err}
	}
	unlink(parent, name, st)
	return b, nil
}

// cut wants the path to be literally one of those that libcpg makes.
func (p Places) cut(path string) (dir, name string, err error) {
	dir, name = filepath.Split(path)
	for _, place := range p {
		if dir == place+"/" && fileName.MatchString(name) {
			return place, name, nil
		}
	}
	return "", "", fmt.Errorf("%q: %w", path, ErrName)
}

func check(fd int, uid uint32, size uint64) (st unix.Stat_t, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 || st.Uid != uid:
		return st, fmt.Errorf("mode %o, %d names, user %d, want user %d: %w", st.Mode, st.Nlink, st.Uid, uid, ErrFile)
	case st.Size < 0 || uint64(st.Size) < size:
		return st, fmt.Errorf("%d bytes, %d said: %w", st.Size, size, ErrLength)
	}
	return st, nil
}

// mapFile maps what a message can reach of the file. More would cost a daemon
// with locked memory as much memory as a client likes.
func mapFile(fd int, size uint64) (*Buffer, error) {
	n := int(min(size, messageAt+MaxMessage))
	m, err := unix.Mmap(fd, 0, n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Buffer{shm.Memory{Head: m}}, nil
}

// unlink removes the name if it is still the file's. Its owner may change that
// in between, and lose another file called like this.
func unlink(parent int, name string, st unix.Stat_t) {
	var now unix.Stat_t
	err := unix.Fstatat(parent, name, &now, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && now.Dev == st.Dev && now.Ino == st.Ino {
		unix.Unlinkat(parent, name, 0)
	}
}

// Size is how many bytes are mapped.
func (b *Buffer) Size() int { return len(b.mem.Head) }

// Message appends a copy of the message in the buffer to dst. The client may
// write all the while: the length is read once, the bytes are as they happen to
// be.
func (b *Buffer) Message(dst []byte) ([]byte, error) {
	err := b.mem.Guard(func() error {
		n := (*atomic.Uint32)(unsafe.Pointer(&b.mem.Head[lengthAt])).Load()
		if uint64(n) > uint64(len(b.mem.Head)-messageAt) {
			return fmt.Errorf("message of %d bytes in a buffer of %d: %w", n, len(b.mem.Head), ErrLength)
		}
		dst = append(dst, b.mem.Head[messageAt:][:n]...)
		return nil
	})
	return dst, err
}

// Close gives the buffer back. It must not be used after that.
func (b *Buffer) Close() { b.mem.Unmap() }
