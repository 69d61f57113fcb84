package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// AddAddr gives the host one more IPv4 address on a link.
func (h *Host) AddAddr(link int, addr string) error {
	return run("ip", "-n", h.Space, "addr", "add", addr+"/24", "dev", fmt.Sprintf("eth%d", link))
}

// Edit replaces a file in the host's /etc/corosync as editors do: by a new file of
// the same name.
func (h *Host) Edit(name string, data []byte, mode os.FileMode) error {
	path := filepath.Join(h.Dir, "etc", name)
	if err := os.WriteFile(path+".new", data, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
