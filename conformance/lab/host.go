package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Host is one machine of a Lab: a network namespace with files of its own and
// at most one daemon.
type Host struct {
	lab     *Lab
	ID      int    // node ID
	Space   string // network namespace
	Dir     string // etc, lib, run and log of the host
	daemon  *process
	Kind    string // of the daemon last started: "corosync" or "cpgold"
	clients []*Client
	// forgotten are daemons that run beside the host's (Forget).
	forgotten []*process
}

// process is a program that the lab started in a host.
type process struct {
	cmd  *exec.Cmd
	pid  int // of the program itself, which replaced ip and unshare
	done chan struct{}
}

// plug joins the host to a link's bridge.
func (h *Host) plug(link int) error {
	sw, port, nic := h.lab.space("sw"), h.port(link), fmt.Sprintf("eth%d", link)
	addr, bits := h.Addr(link), "24"
	if h.lab.opt.IPv6 {
		bits = "64"
	}
	steps := [][]string{
		{"ip", "-n", sw, "link", "add", port, "type", "veth", "peer", "name", nic, "netns", h.Space},
		{"ip", "-n", sw, "link", "set", port, "master", fmt.Sprintf("br%d", link), "up"},
		{"ip", "-n", h.Space, "addr", "add", addr + "/" + bits, "dev", nic, "nodad"},
		{"ip", "-n", h.Space, "link", "set", nic, "up"},
	}
	if !h.lab.opt.IPv6 {
		steps[2] = steps[2][:len(steps[2])-1]
		// Multicast needs a route; there is no other way out.
		steps = append(steps, []string{"ip", "-n", h.Space, "route", "add", "224.0.0.0/4", "dev", nic, "metric", strconv.Itoa(link + 1)})
	}
	for _, s := range steps {
		if err := run(s[0], s[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// Addr is the host's address on a link.
func (h *Host) Addr(link int) string { return h.lab.Addr(h.ID, link) }

// Cut takes the host off every link at the switch; Join puts it back.
func (h *Host) Cut() error  { return h.setPorts("down") }
func (h *Host) Join() error { return h.setPorts("up") }

func (h *Host) setPorts(state string) error {
	for link := range h.lab.opt.Links {
		if err := h.SetLink(link, state); err != nil {
			return err
		}
	}
	return nil
}

// SetLink sets one link of the host "up" or "down" at the switch.
func (h *Host) SetLink(link int, state string) error {
	h.lab.opt.Log("node %d: link %d %s", h.ID, link, state)
	return run("ip", "-n", h.lab.space("sw"), "link", "set", h.port(link), state)
}

// StartStock starts the machine's corosync with the configuration in conf.
func (h *Host) StartStock(conf string, key []byte) error {
	h.Kind = "corosync"
	return h.start(conf, key, "corosync.conf", "corosync", "-f")
}

// StartOurs starts a cpgold binary with the configuration in conf, a
// corosync.conf or TOML, and further flags.
func (h *Host) StartOurs(binary, conf string, key []byte, flags ...string) error {
	h.Kind = "cpgold"
	argv := append([]string{binary, "run", "--config", "/etc/corosync/cpgold.conf"}, flags...)
	return h.start(conf, key, "cpgold.conf", argv...)
}

// mounts hides the machine's own places behind the host's, then becomes "$@".
const mounts = `set -e
mount --make-rprivate /
mkdir -p /etc/corosync /var/lib/corosync /var/log/corosync
mount --bind "$LAB/etc" /etc/corosync
mount --bind "$LAB/lib" /var/lib/corosync
mount --bind "$LAB/log" /var/log/corosync
mount --bind "$LAB/run" /run
mkdir -p /etc/systemd/system
mount --bind "$LAB/systemd" /etc/systemd/system
mount --bind "$SHM" /dev/shm
exec "$@"`

func (h *Host) start(conf string, key []byte, file string, argv ...string) error {
	if h.Running() {
		return fmt.Errorf("node %d: a daemon runs already", h.ID)
	}
	if err := os.WriteFile(filepath.Join(h.Dir, "etc", file), []byte(conf), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(h.Dir, "etc", "authkey"), key, 0o400); err != nil {
		return err
	}
	return h.launch(argv...)
}

// launch starts a daemon with the files that the host has.
func (h *Host) launch(argv ...string) error {
	out, err := os.OpenFile(h.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := h.apart(context.Background(), argv...)
	cmd.Stdout, cmd.Stderr = out, out
	if h.daemon, err = startProcess(cmd); err != nil {
		return err
	}
	h.lab.opt.Log("node %d: %s started, pid %d", h.ID, filepath.Base(argv[0]), h.daemon.pid)
	return nil
}

// apart is a program that sees the host's files in place of the machine's.
func (h *Host) apart(ctx context.Context, argv ...string) *exec.Cmd {
	args := append([]string{"netns", "exec", h.Space, "unshare", "-m", "sh", "-c", mounts, "sh"}, argv...)
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Env = append(os.Environ(), "LAB="+h.Dir, "SHM="+h.Shm())
	return cmd
}

// startProcess starts cmd; ip, unshare and sh each replace themselves by the
// next program, so that the process number stays. The process ends with us, even
// if we are killed.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := forker.start(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// LogFile is where the daemon's standard output and error go.
func (h *Host) LogFile() string { return filepath.Join(h.Dir, "daemon.log") }

// Running reports whether the host's daemon runs.
func (h *Host) Running() bool { return h.daemon != nil && h.daemon.alive() }

// PID is the daemon's process number, 0 if there is none.
func (h *Host) PID() int {
	if !h.Running() {
		return 0
	}
	return h.daemon.pid
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ended waits until the daemon that was started last has ended by itself and
// returns its exit status; false if it runs still.
func (h *Host) Ended(limit time.Duration) (status int, ended bool) {
	if h.daemon == nil {
		return 0, false
	}
	select {
	case <-h.daemon.done:
		return h.daemon.cmd.ProcessState.ExitCode(), true
	case <-time.After(limit):
		return 0, false
	}
}

// Kill ends the daemon at once, as a crash would.
func (h *Host) Kill() error { return h.signal(syscall.SIGKILL, 5*time.Second) }

// Stop asks the daemon to leave in good order.
func (h *Host) Stop() error { return h.signal(syscall.SIGTERM, 20*time.Second) }

func (h *Host) signal(s syscall.Signal, limit time.Duration) error {
	if !h.Running() {
		return fmt.Errorf("node %d: no daemon runs", h.ID)
	}
	h.lab.opt.Log("node %d: %v to pid %d", h.ID, s, h.daemon.pid)
	return h.daemon.end(s, limit)
}

func (p *process) end(s syscall.Signal, limit time.Duration) error {
	p.cmd.Process.Signal(s)
	select {
	case <-p.done:
		return nil
	case <-time.After(limit):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("pid %d did not end within %v of %v", p.pid, limit, s)
	}
}

// Tool runs a program in the host's network, such as a stock tool, and returns
// its output; a non-zero status is an error.
func (h *Host) Tool(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := h.command(ctx, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return out.String(), err
}

var (
	ringLine   = regexp.MustCompile(`(?m)^Ring ID:\s+(\S+)`)
	memberLine = regexp.MustCompile(`(?m)^\s*(0x[0-9a-f]+|\d+)\s+\d+\s+\S+`)
)

// Ring asks the host's daemon, through the stock quorum tool, for its ring and members.
func (h *Host) Ring() (ring string, members []int, err error) {
	out, err := h.Tool("corosync-quorumtool", "-s", "-i")
	// The tool's status is 1 without quorum (2 in some releases); its output counts.
	m := ringLine.FindStringSubmatch(out)
	if m == nil {
		return "", nil, errors.Join(errors.New("no ring yet"), err)
	}
	_, list, _ := strings.Cut(out, "Membership information")
	for _, row := range memberLine.FindAllStringSubmatch(list, -1) {
		id, err := strconv.ParseInt(row[1], 0, 64)
		if err != nil {
			return "", nil, err
		}
		if id != 0 { // that is the quorum device
			members = append(members, int(id))
		}
	}
	return m[1], members, nil
}

// Quorate reports what the stock tool says.
func (h *Host) Quorate() bool {
	out, _ := h.Tool("corosync-quorumtool", "-s", "-i")
	return strings.Contains(out, "Quorate:          Yes")
}

// Tail is the end of the daemon's log, for a failing test.
func (h *Host) Tail(lines int) string {
	b, _ := os.ReadFile(h.LogFile())
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (h *Host) closeAll() {
	for _, c := range h.clients {
		c.end()
	}
	h.clients = nil
	for _, p := range append(h.forgotten, h.daemon) {
		if p != nil && p.alive() {
			p.end(syscall.SIGKILL, 5*time.Second)
		}
	}
	h.forgotten = nil
}
