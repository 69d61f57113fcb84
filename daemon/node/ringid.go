package node

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// ringFile keeps the ring sequence over restarts: eight bytes in host order,
// mode 0600, rewritten in place, as the C daemon does, so that either daemon
// can go on from the other's file (exec/main.c:corosync_ring_id_create_or_load,
// corosync_ring_id_store).
type ringFile string

func ringFileOf(stateDir string, node uint32) ringFile {
	return ringFile(filepath.Join(stateDir, fmt.Sprintf("ringid_%d", node)))
}

// load returns the stored sequence. A missing or damaged file counts as 0 and
// is written anew.
func (f ringFile) load() (uint64, error) {
	b, err := os.ReadFile(string(f))
	if err == nil && len(b) == 8 {
		return binary.NativeEndian.Uint64(b), nil
	}
	return 0, f.store(0)
}

func (f ringFile) store(seq uint64) error {
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("can't store the ring id: %w", err)
	}
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], seq)
	_, err = file.WriteAt(b[:], 0)
	if err == nil {
		err = file.Truncate(8)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("can't store the ring id: %w", err)
	}
	return nil
}
