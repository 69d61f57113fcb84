package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// An Admin does on a host what an administrator types there.
type Admin struct {
	*Host
	Binary string // cpgold, which Debian would have as /usr/sbin/cpgold
}

// Install gives the host the files of a stock node without starting it.
func (a Admin) Install(conf string, key []byte) error {
	return errors.Join(
		os.WriteFile(filepath.Join(a.Dir, "etc", "corosync.conf"), []byte(conf), 0o644),
		os.WriteFile(filepath.Join(a.Dir, "etc", "authkey"), key, 0o400))
}

// Do runs one line of a shell among the host's files and returns what it
// printed; a status that is not zero is an error. There is no systemd here: Do
// itself starts and stops the one service there is, corosync.
func (a Admin) Do(line string) (string, error) {
	command, _, _ := strings.Cut(line, " #")
	switch strings.Join(strings.Fields(command), " ") {
	case "systemctl daemon-reload":
		return "", nil
	case "systemctl stop corosync":
		return "", a.Stop()
	case "systemctl start corosync":
		return "", a.startService()
	case "systemctl restart corosync":
		return "", errors.Join(a.Stop(), a.startService())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := a.apart(ctx, "sh", "-c", line)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(a.Binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	a.lab.opt.Log("node %d# %s\n%s", a.ID, line, out)
	if err != nil {
		err = fmt.Errorf("node %d: %s: %w", a.ID, line, err)
	}
	return string(out), err
}

// startService starts what corosync.service would start: the distribution's
// daemon, unless a drop-in names another.
func (a Admin) startService() error {
	argv := []string{"corosync", "-f"}
	dropIns, _ := filepath.Glob(filepath.Join(a.Dir, "systemd", "corosync.service.d", "*.conf"))
	for _, name := range dropIns {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart="); ok && value != "" {
				argv = strings.Fields(value)
			}
		}
	}
	a.Kind = filepath.Base(argv[0])
	if a.Kind == "cpgold" {
		argv[0] = a.Binary
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return err
	}
	return a.launch(argv...)
}
