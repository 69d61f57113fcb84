package lab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Pacemaker is the cluster manager of a host, Debian's own, beside whatever
// daemon the host runs.
//
// It has the host's /run and /dev/shm, which it shares with the daemon, a
// /var/lib/pacemaker and /var/log/pacemaker of its own, and the host's name
// (n1, n2, ...). Its sockets are abstract, so the network namespace parts them; the
// process numbers are the machine's, as the daemon's are, because CPG and the
// libraries compare them.
//
// Two agents of the lab's stand in for Debian's: ocf:pacemaker:keeper writes
// down its life, and fence_legacy writes down who was to be fenced and fences
// nobody. There are two resources, "keeper" and "second", never on one node, and
// the fence device "fencing". A Pacemaker that has cause to would reset the
// machine by itself; here it can't: it runs without CAP_SYS_BOOT and with
// /proc/sysrq-trigger out of reach.
type Pacemaker struct {
	host *Host
	dir  string
	proc *process
}

// PacemakerAvailable tells why NewPacemaker can't work here, or nil.
func PacemakerAvailable() error {
	if err := Available(); err != nil {
		return err
	}
	for _, tool := range []string{"pacemakerd", "crm_mon", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("needs %s: run `make setup` as root", tool)
		}
	}
	_, err := user.Lookup(pacemakerUser)
	return err
}

// pacemakerUser and its group own Pacemaker's files, whose daemons but for two
// run as it.
const pacemakerUser = "hacluster"

//go:embed pacemaker/cib.xml
var pacemakerCIB []byte

//go:embed pacemaker/keeper
var keeperAgent []byte

//go:embed pacemaker/fence
var fenceAgent []byte

// NewPacemaker installs Pacemaker on the host without starting it.
func (h *Host) NewPacemaker() (*Pacemaker, error) {
	p := &Pacemaker{host: h, dir: filepath.Join(h.Dir, "pacemaker")}
	owner, err := user.Lookup(pacemakerUser)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(owner.Gid)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"agents", "lib/blackbox", "lib/cib", "lib/cores", "lib/pengine", "log"} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(p.dir, "agents", "keeper"), keeperAgent, 0o755),
		os.WriteFile(filepath.Join(p.dir, "fence"), fenceAgent, 0o755),
		os.WriteFile(filepath.Join(p.dir, "lib", "cib", "cib.xml"), pacemakerCIB, 0o600),
	)
	for _, d := range []string{"lib", "log"} {
		err = errors.Join(err, filepath.WalkDir(filepath.Join(p.dir, d), func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, uid, gid))
		}))
	}
	return p, err
}

// pacemakerMounts hides Pacemaker's places behind the host's own, keeps the
// machine from being reset and becomes "$@".
const pacemakerMounts = `set -e
hostname "$NAME"
mount --bind "$PACEMAKER/lib" /var/lib/pacemaker
mount --bind "$PACEMAKER/log" /var/log/pacemaker
mount --bind "$PACEMAKER/agents" /usr/lib/ocf/resource.d/pacemaker
mount --bind "$PACEMAKER/fence" /usr/sbin/fence_legacy
[ ! -e /proc/sysrq-trigger ] || mount --bind /dev/null /proc/sysrq-trigger
exec setpriv --bounding-set -sys_boot --inh-caps -sys_boot "$@"`

// command is a program among the files of Pacemaker's host.
func (p *Pacemaker) command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := p.host.apart(ctx, append([]string{"unshare", "-u", "sh", "-c", pacemakerMounts, "sh"}, argv...)...)
	cmd.Env = append(cmd.Env, "PACEMAKER="+p.dir, "NAME="+fmt.Sprintf("n%d", p.host.ID),
		"PCMK_logfile=/var/log/pacemaker/pacemaker.log", "PCMK_logfacility=none")
	return cmd
}

// Start starts pacemakerd, as pacemaker.service does; it does not wait.
func (p *Pacemaker) Start() error {
	if p.Running() {
		return fmt.Errorf("node %d: pacemakerd runs already", p.host.ID)
	}
	out, err := os.OpenFile(filepath.Join(p.dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := p.command(context.Background(), "pacemakerd")
	cmd.Stdout, cmd.Stderr = out, out
	if p.proc, err = startProcess(cmd); err != nil {
		return err
	}
	p.host.lab.opt.Log("node %d: pacemakerd started, pid %d", p.host.ID, p.proc.pid)
	return nil
}

// Stop asks pacemakerd to stop, which moves its resources elsewhere, and waits for it.
func (p *Pacemaker) Stop() error {
	if !p.Running() {
		return fmt.Errorf("node %d: no pacemakerd runs", p.host.ID)
	}
	p.host.lab.opt.Log("node %d: %v to pacemakerd, pid %d", p.host.ID, syscall.SIGTERM, p.proc.pid)
	p.proc.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.proc.done:
		return nil
	case <-time.After(60 * time.Second): // systemd would wait on (SendSIGKILL=no)
		return fmt.Errorf("node %d: pacemakerd did not end within a minute", p.host.ID)
	}
}

// Running reports whether pacemakerd runs.
func (p *Pacemaker) Running() bool { return p.proc != nil && p.proc.alive() }

// PID is pacemakerd's process number, 0 if there is none.
func (p *Pacemaker) PID() int {
	if !p.Running() {
		return 0
	}
	return p.proc.pid
}

// Do runs one of Pacemaker's tools beside it and returns what it printed; a
// status that is not zero is an error.
func (p *Pacemaker) Do(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := p.command(ctx, append([]string{name}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("node %d: %s %s: %w: %s", p.host.ID, name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), err
}

// Log is what Pacemaker's daemons wrote so far.
func (p *Pacemaker) Log() string { return p.read("pacemaker", "log", "pacemaker.log") }

// Life is what a resource wrote on the host so far: a line each time that Pacemaker
// asked its agent for something, and one twice a second while it runs.
func (p *Pacemaker) Life(resource string) string { return p.read("run", resource+".log") }

// Fenced is what the fence agent was asked for on this host, a line each: the
// time, the action and the node.
func (p *Pacemaker) Fenced() string { return p.read("run", "fence.log") }

func (p *Pacemaker) read(path ...string) string {
	b, _ := os.ReadFile(filepath.Join(append([]string{p.host.Dir}, path...)...))
	return string(b)
}

// Close ends at once whatever Pacemaker and its resource run on the host, and
// nothing else: the processes in the host's namespace but the daemon and clients.
func (p *Pacemaker) Close() {
	if p.Running() {
		p.proc.end(syscall.SIGKILL, 5*time.Second)
	}
	spare := map[int]bool{p.host.PID(): true}
	for _, c := range p.host.clients {
		spare[c.PID()] = true
	}
	for range 3 { // those that were just being forked
		for _, pid := range inhabitants(p.host.Space) {
			if !spare[pid] {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// inhabitants are the processes in a network namespace.
func inhabitants(space string) (pids []int) {
	out, _ := exec.Command("ip", "netns", "pids", space).Output()
	for _, word := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
