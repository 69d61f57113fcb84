package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Shm is the directory of the machine that the host's programs see as /dev/shm.
func (h *Host) Shm() string { return filepath.Join(machineShm, h.Space) }

func (h *Host) makeShm() error {
	if err := os.Mkdir(h.Shm(), 0o777); err != nil {
		return err
	}
	return os.Chmod(h.Shm(), 0o1777) // whatever the umask
}

// beside is run in the mount namespace that ip netns exec makes, which hides
// its mounts from the machine; it becomes "$@".
const beside = `mount --bind "$SHM" /dev/shm && exec "$@"`

// command is a program beside the host's daemon: in its network and with its
// shared memory, and otherwise on the machine.
func (h *Host) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	argv := append([]string{"netns", "exec", h.Space, "sh", "-c", beside, "sh", name}, args...)
	cmd := exec.CommandContext(ctx, "ip", argv...)
	cmd.Env = append(os.Environ(), "SHM="+h.Shm())
	return cmd
}

// Do runs f in a thread that is in the host's network and has its shared memory,
// as a program beside its daemon would; goroutines that f starts are not there.
func (h *Host) Do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := h.enter()
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// enter moves the calling thread.
func (h *Host) enter() error {
	net, err := os.Open(filepath.Join("/run/netns", h.Space))
	if err != nil {
		return err
	}
	defer net.Close()
	return errors.Join(
		os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS)),
		os.NewSyscallError("setns", unix.Setns(int(net.Fd()), unix.CLONE_NEWNET)),
		os.NewSyscallError("mount", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")),
		os.NewSyscallError("mount", unix.Mount(h.Shm(), "/dev/shm", "", unix.MS_BIND, "")),
	)
}
