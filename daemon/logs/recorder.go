package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A recorder keeps the last lines, encoded as chunks of a libqb ring buffer: those
// of now, and those of before, which are forgotten once now has as many.
//
//	size 4 | magic 4 | line 4 | tags 4 | priority 1 | function's length 4, name, zero |
//	seconds 8 | nanoseconds 8 | text's length 4 | "%s", zero | text, zero | padding to 4
//
// Reference: libqb lib/log_blackbox.c:_blackbox_vlogger, lib/ringbuffer.c.
type recorder struct {
	now, before []byte
}

const (
	recorderHalf = 512 << 10
	chunkMagic   = 0xA1A1A1A1
	// textMax is what qb-blackbox takes for a text, with the format and both zeros
	// (QB_LOG_MAX_LEN).
	textMax = 512
	// functionMax is for names of ours, which have no limit otherwise.
	functionMax = 100
)

func (r *recorder) forget() { *r = recorder{} }

// add encodes a line.
func (r *recorder) add(l line) {
	if len(r.now) >= recorderHalf {
		r.now, r.before = r.before[:0], r.now
	}
	order := binary.NativeEndian
	_, function, number := place(l.pc)
	function = function[:min(len(function), functionMax)]
	text := fmt.Sprintf("[%s] %s", l.subsystem, l.text)
	text = text[:min(len(text), textMax-len("%s")-2)]
	start := len(r.now)
	b := order.AppendUint32(r.now, 0) // the size, once it is known
	b = order.AppendUint32(b, chunkMagic)
	b = order.AppendUint32(b, uint32(number))
	b = order.AppendUint32(b, 0)
	b = append(b, byte(priority(l.level)))
	b = order.AppendUint32(b, uint32(len(function)+1))
	b = append(append(b, function...), 0)
	b = order.AppendUint64(b, uint64(l.at.Unix()))
	b = order.AppendUint64(b, uint64(l.at.Nanosecond()))
	b = order.AppendUint32(b, uint32(len("%s")+1+len(text)+1))
	b = append(append(b, "%s\x00"...), text...)
	b = append(b, 0)
	order.PutUint32(b[start:], uint32(len(b)-start-8))
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	r.now = b
}

// pageSize is more than a page of any machine: the ring that the file is read into
// has whole ones.
const pageSize = 64 << 10

// file is the recorder's content as qb_log_blackbox_write_to_file writes it: a
// header that tells that times are with nanoseconds, then a ring buffer.
func (r *recorder) file() []byte {
	used := len(r.before) + len(r.now)
	size := (used/pageSize + 1) * pageSize // never full: read and write would meet
	b := make([]byte, 0, 40+size)
	words := uint32(size / 4)
	write, read, version := uint32(used/4), uint32(0), uint32(1)
	for _, v := range []uint32{0, 0xCCBBCCBB, 0xBBCCBBCC, 2, 0, words, write, read, version, words + write + read + version} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	b = append(append(b, r.before...), r.now...)
	return b[:cap(b)]
}

// writeFile writes the content to a file of the reference's name in dir, and makes
// dir's fdata point to it (exec/main.c:corosync_blackbox_write_to_file). Who reads
// it meanwhile finds the old one or the new one.
func (r *recorder) writeFile(dir string) error {
	if r.now == nil {
		return errors.New("Can't store blackbox file: there is none (logging.blackbox)")
	}
	name := filepath.Join(dir, fmt.Sprintf("fdata-%s-%d", time.Now().Format("2006-01-02T15:04:05"), os.Getpid()))
	if err := os.WriteFile(name+".new", r.file(), 0o600); err != nil {
		return fmt.Errorf("Can't store blackbox file: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("Can't store blackbox file: %w", err)
	}
	link := filepath.Join(dir, "fdata")
	os.Remove(link + ".new")
	if err := os.Symlink(name, link+".new"); err != nil {
		return fmt.Errorf("Can't create symlink to '%s' for blackbox file: %w", name, err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		return fmt.Errorf("Can't create symlink to '%s' for blackbox file: %w", name, err)
	}
	return nil
}

// A dump asks for the recorder's file.
type dump struct {
	dir  string
	done chan error // room for one
}

var errDumpLate = errors.New("blackbox file: not written yet")

// Dump writes the flight recorder's file to a directory, with every line logged so
// far, and waits for that for a while at most. It may be called from any goroutine
// while the writer is not closed.
func (w *Writer) Dump(dir string, wait time.Duration) error {
	d := dump{dir, make(chan error, 1)}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case w.dumps <- d:
	case <-w.done:
		return errors.New("the log is closed")
	case <-late.C:
		return errDumpLate
	}
	select {
	case err := <-d.done:
		return err
	case <-late.C:
		return errDumpLate
	}
}
