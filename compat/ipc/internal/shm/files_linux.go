package shm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Suffixes of a ring's two files.
const (
	HeadSuffix = "-header"
	DataSuffix = "-data"
)

// An Owner is who may open a ring's files.
type Owner struct{ UID, GID int }

// Create makes a ring's files in the directory open at dir and maps them. base
// is the ring's name there, path the same with the directory's absolute path:
// clients find the data file by the path in the header. The files are new,
// allocated in full (so that a full file system shows here and not as a
// fault), the owner's, and readable by nobody else (qb_rb_open_2,
// qb_sys_mmap_file_open, qb_rb_chown, qb_rb_chmod). Everything goes by
// descriptor, so that an owner who moves files about redirects nothing.
//
// On error nothing stays mapped, but files may stay; see [Remove].
func Create(dir int, base, path string, maxMessage int, owner Owner) (m Memory, err error) {
	defer func() {
		if err != nil {
			m.Unmap()
			m = Memory{}
		}
	}()
	if len(path)+len(HeadSuffix) >= pathLen {
		return m, &os.PathError{Op: "create", Path: path, Err: unix.ENAMETOOLONG}
	}
	if m.Head, err = createFile(dir, base+HeadSuffix, HeadSize, owner); err != nil {
		return m, err
	}
	size := DataSize(maxMessage, os.Getpagesize())
	if m.Data, err = createFile(dir, base+DataSuffix, size, owner); err != nil {
		return m, err
	}
	// The owner may cut the files short from now on.
	return m, m.Guard(func() error {
		m.Format(path+HeadSuffix, path+DataSuffix)
		return nil
	})
}

// CreateControl makes the control file of the socket transport, as [Create]
// makes a ring (qb_ipcs_us_connect).
func CreateControl(dir int, name string, owner Owner) (Control, error) {
	b, err := createFile(dir, name, ControlSize, owner)
	return ControlIn(b), err
}

// OpenControl maps an existing control file, as a client does.
func OpenControl(path string) (Control, error) {
	b, err := openFile(path, ControlSize)
	return ControlIn(b), err
}

func createFile(dir int, name string, size int, owner Owner) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	defer unix.Close(fd)
	if err := allocate(fd, size); err != nil {
		return nil, &os.PathError{Op: "allocate", Path: name, Err: err}
	}
	mapped, err := mapFile(fd, size)
	if err != nil {
		return nil, &os.PathError{Op: "map", Path: name, Err: err}
	}
	err = unix.Fchown(fd, owner.UID, owner.GID)
	if err == nil || errors.Is(err, unix.EPERM) {
		err = unix.Fchmod(fd, 0o600)
	}
	if err != nil {
		unix.Munmap(mapped)
		return nil, &os.PathError{Op: "give away", Path: name, Err: err}
	}
	return mapped, nil
}

// allocate gives the file its size and its pages. A file system without
// fallocate gets the size alone.
func allocate(fd, size int) error {
	for {
		err := unix.Fallocate(fd, 0, 0, int64(size))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP):
			return unix.Ftruncate(fd, int64(size))
		}
		return err
	}
}

func mapFile(fd, size int) ([]byte, error) {
	return unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// Open maps an existing ring, as a client does, and counts this end in. base is
// the ring's path from the connection response, headSize HeadSize or
// PlainHeadSize. Where the reference trusts the header for the data file's
// path, this wants it beside the header; where the reference sets the sizes
// again, this checks that they are what both ends compute.
func Open(base string, headSize, maxMessage int) (m Memory, err error) {
	defer func() {
		if err != nil {
			m.Unmap()
			m = Memory{}
		}
	}()
	if m.Head, err = openFile(base+HeadSuffix, headSize); err != nil {
		return m, err
	}
	err = m.Guard(func() error {
		if path := m.DataPath(); path != base+DataSuffix {
			return fmt.Errorf("ring %s: its data is said to be in %q: %w", base, path, ErrCorrupt)
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	if m.Data, err = openFile(base+DataSuffix, DataSize(maxMessage, os.Getpagesize())); err != nil {
		return m, err
	}
	return m, m.Guard(func() error {
		if n := int(m.head(wordsAt).Load()); n != m.words() {
			return fmt.Errorf("ring %s: %d words, want %d: %w", base, n, m.words(), ErrCorrupt)
		}
		m.Attach()
		return nil
	})
}

func openFile(path string, size int) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Size < int64(size) {
		return nil, fmt.Errorf("%s: %d bytes, want %d: %w", path, st.Size, size, ErrCorrupt)
	}
	mapped, err := mapFile(fd, size)
	if err != nil {
		return nil, &os.PathError{Op: "map", Path: path, Err: err}
	}
	return mapped, nil
}

// Unmap gives the memory back. Nothing may touch it any more.
func (m Memory) Unmap() {
	if m.Head != nil {
		unix.Munmap(m.Head)
	}
	if m.Data != nil {
		unix.Munmap(m.Data)
	}
}

// Remove unlinks the files of the ring called base from the directory open at
// dir, whether or not they are there.
func Remove(dir int, base string) {
	unix.Unlinkat(dir, base+HeadSuffix, 0)
	unix.Unlinkat(dir, base+DataSuffix, 0)
}
