package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// writeNew writes a file whole or not at all, with the mode and, where
// permitted, the owner of like. An existing file is replaced only with force; a
// link is followed then.
func writeNew(path string, text []byte, like fs.FileInfo, force bool) error {
	if force {
		real, err := filepath.EvalSymlinks(path)
		switch info, statErr := os.Stat(path); {
		case err == nil && statErr == nil && !info.Mode().IsRegular():
			return fmt.Errorf("%s: not a regular file", path)
		case err == nil:
			path = real
		}
	}
	temp, err := writeTemp(path, text, like)
	if err != nil {
		return err
	}
	if force {
		err = os.Rename(temp, path)
	} else {
		err = renameNew(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: exists: --force replaces it", path)
		}
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes a file beside path, down to the disk, and returns its name.
func writeTemp(path string, text []byte, like fs.FileInfo) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".cpgold-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := dress(f, like); err != nil {
		return "", err
	}
	if _, err := f.Write(text); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// dress gives a file the owner and mode of another. Only root may give files
// away; whoever else migrates owns the result.
func dress(f *os.File, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	own, err := f.Stat()
	if err != nil {
		return err
	}
	if has, isStat := own.Sys().(*syscall.Stat_t); ok && isStat && (has.Uid != want.Uid || has.Gid != want.Gid) {
		if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil && os.Geteuid() == 0 {
			return err
		}
	}
	if own.Mode().Perm() == like.Mode().Perm() {
		return nil
	}
	return f.Chmod(like.Mode().Perm())
}

// renameNew renames unless the new name exists.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err != unix.EINVAL && err != unix.ENOSYS { // not every file system can
		if err != nil {
			return &fs.PathError{Op: "rename", Path: to, Err: err}
		}
		return nil
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// syncDir brings the names in a directory to the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // not every file system can
		return err
	}
	return nil
}

// A replacement puts a text in a file's place and keeps the original beside it.
// Whenever it is killed, the original is there under one of the two names and
// under the file's own is one of the two texts, whole.
type replacement struct {
	path   string // the file itself, once links are followed
	text   []byte
	source source

	temp, backup string
	swapped      bool
}

// steps are done in this order.
func (r *replacement) steps() []func() error {
	return []func() error{r.follow, r.prepare, r.keep, r.sync, r.unchanged, r.swap, r.sync}
}

// run does the steps, or leaves things as they were.
func (r *replacement) run() error {
	for _, step := range r.steps() {
		err := step()
		if err == nil {
			continue
		}
		if !r.swapped {
			if r.backup != "" {
				os.Remove(r.backup)
			}
			if r.temp != "" {
				os.Remove(r.temp)
			}
		}
		return err
	}
	return nil
}

func (r *replacement) follow() (err error) {
	r.path, err = filepath.EvalSymlinks(r.path)
	return err
}

func (r *replacement) prepare() (err error) {
	r.temp, err = writeTemp(r.path, r.text, r.source.info)
	return err
}

// maxBackups bounds the search for a name that is free.
const maxBackups = 100

// keep gives the original a second name: a link, or a copy where there are no
// links.
func (r *replacement) keep() error {
	for i := range maxBackups {
		name := r.path + ".orig"
		if i > 0 {
			name += fmt.Sprintf(".%d", i)
		}
		err := os.Link(r.path, name)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = r.copyTo(name)
		}
		if err == nil {
			r.backup = name
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("%s.orig and %d more such files exist: remove some", r.path, maxBackups-1)
}

// copyTo writes the original to a new name.
func (r *replacement) copyTo(name string) error {
	temp, err := writeTemp(name, r.source.data, r.source.info)
	if err != nil {
		return err
	}
	if err := renameNew(temp, name); err != nil {
		os.Remove(temp)
		return err
	}
	return nil
}

func (r *replacement) sync() error { return syncDir(filepath.Dir(r.path)) }

// unchanged makes sure that the file and what was kept are what was translated.
func (r *replacement) unchanged() error {
	now, err := os.Stat(r.path)
	if err != nil {
		return err
	}
	kept, err := os.ReadFile(r.backup)
	if err != nil {
		return err
	}
	if !os.SameFile(now, r.source.info) || !now.ModTime().Equal(r.source.info.ModTime()) || !bytes.Equal(kept, r.source.data) {
		return fmt.Errorf("%s: changed in the meantime: left as it is", r.path)
	}
	return nil
}

func (r *replacement) swap() error {
	if err := os.Rename(r.temp, r.path); err != nil {
		return err
	}
	r.swapped = true
	return nil
}
