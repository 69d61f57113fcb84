package votequorum

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// A Tracking keeps the highest expected votes ever seen over restarts.
type Tracking interface {
	// Load returns what was stored last, 0 if nothing was. An error keeps the
	// daemon from starting.
	Load() (uint32, error)
	Store(votes uint32) error
	Close() error
}

// untracked keeps nothing over restarts.
type untracked struct{}

func (untracked) Load() (uint32, error) { return 0, nil }
func (untracked) Store(uint32) error    { return nil }
func (untracked) Close() error          { return nil }

// A trackingFile is <state dir>/ev_tracking: 4 bytes, little-endian.
type trackingFile struct {
	path string
	file *os.File
}

// TrackingFile keeps the votes in the reference's file in the directory dir. It
// is opened by Load and stays open. (The reference closes it and goes on writing
// to the number; so it never stores anything, and may store into another file
// that got the number. load_ev_tracking_barrier, update_ev_tracking_barrier)
func TrackingFile(dir string) Tracking {
	return &trackingFile{path: filepath.Join(dir, "ev_tracking")}
}

// Load opens the file, or makes one, and reads it. A file that is too short
// counts as new.
func (t *trackingFile) Load() (uint32, error) {
	f, err := os.OpenFile(t.path, os.O_RDWR|os.O_CREATE, 0o700)
	if err != nil {
		return 0, fmt.Errorf("unable to create ev_tracking file: %w", err)
	}
	t.file = f
	var b [4]byte
	if n, _ := f.ReadAt(b[:], 0); n < len(b) {
		return 0, t.Store(0)
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// Store writes the votes and waits until they are on disk.
func (t *trackingFile) Store(votes uint32) error {
	if t.file == nil {
		return fmt.Errorf("%s is not open", t.path)
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], votes)
	if _, err := t.file.WriteAt(b[:], 0); err != nil {
		return err
	}
	return t.file.Sync()
}

// Close closes the file, if it is open.
func (t *trackingFile) Close() error {
	if t.file == nil {
		return nil
	}
	f := t.file
	t.file = nil
	return f.Close()
}
