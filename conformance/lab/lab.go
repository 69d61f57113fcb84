// Package lab makes small clusters on one Linux machine for live tests, the
// demonstration and the benchmark.
//
// A host is a network namespace, joined to the others by veth pairs over a
// bridge that stands in a namespace of its own. Daemons run in a private mount
// namespace, so that each has an /etc/corosync, /var/lib/corosync and /run of
// its own. A host's /dev/shm, which its daemon and its clients and tools share, is
// a directory on the machine's: what killed programs leave there (a stock
// daemon 8 MiB each time) goes with the Lab.
//
//	n1 --veth--+                 +--veth-- n2
//	           +-- bridge(s) sw -+--veth-- n3
//
// Everything that a Lab starts it remembers, tells through its Log function and
// ends by process number; Close takes everything down again.
//
// Nothing here leaves the namespaces: none of them has a route to anywhere else.
package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say what kind of cluster a Lab is.
type Options struct {
	// Prefix begins the name of every namespace, before the number of this
	// process and one of the lab's own.
	Prefix string
	// Nodes is the number of hosts, Links the number of networks between them.
	Nodes, Links int
	// IPv6 gives the ring IPv6 addresses.
	IPv6 bool
	// Log tells what was started; nil keeps silent.
	Log func(format string, args ...any)
	// Dir keeps the hosts' files; empty means a temporary directory that Close removes.
	Dir string
}

// A Lab is a set of hosts that see each other.
type Lab struct {
	opt     Options
	name    string // begins the names of its namespaces
	dir     string
	ownsDir bool
	made    []string // namespaces, in the order made
	Hosts   []*Host  // Hosts[i] has node ID i+1
}

// Available tells why a Lab can't be made here, or nil.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root for network namespaces")
	}
	for _, tool := range []string{"ip", "unshare", "corosync", "corosync-quorumtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("needs %s: run `make setup` as root", tool)
		}
	}
	return nil
}

// New makes the hosts and the networks between them; no daemon runs yet.
func New(opt Options) (l *Lab, err error) {
	if opt.Links == 0 {
		opt.Links = 1
	}
	if opt.Log == nil {
		opt.Log = func(string, ...any) {}
	}
	sweep(opt.Prefix)
	l = &Lab{opt: opt, dir: opt.Dir, name: fmt.Sprintf("%s-%d-%d-", opt.Prefix, os.Getpid(), labs.Add(1))}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.dir == "" {
		if l.dir, err = os.MkdirTemp("", "cpgol-lab-"); err != nil {
			return l, err
		}
		l.ownsDir = true
	}
	if err := l.addNamespace(l.space("sw")); err != nil {
		return l, err
	}
	for link := range opt.Links {
		if err := l.bridge(fmt.Sprintf("br%d", link)); err != nil {
			return l, err
		}
	}
	for id := 1; id <= opt.Nodes; id++ {
		if err := l.addHost(id); err != nil {
			return l, err
		}
	}
	opt.Log("lab %s: %d hosts, %d links", opt.Prefix, opt.Nodes, opt.Links)
	return l, nil
}

// labs numbers the labs of this process.
var labs atomic.Int32

// machineShm is where the C libraries keep the memory that they share.
const machineShm = "/dev/shm"

// sweep removes the namespaces, with whom they still hold (Pacemaker's children
// don't end with it) and the shared memory of their hosts, of processes that were
// killed before they could.
func sweep(prefix string) {
	entries, _ := os.ReadDir("/run/netns")
	for _, e := range entries {
		var pid, lab int
		if rest, ok := strings.CutPrefix(e.Name(), prefix+"-"); ok {
			if n, _ := fmt.Sscanf(rest, "%d-%d-", &pid, &lab); n == 2 && syscall.Kill(pid, 0) == syscall.ESRCH {
				for _, left := range inhabitants(e.Name()) {
					syscall.Kill(left, syscall.SIGKILL)
				}
				run("ip", "netns", "del", e.Name())
				os.RemoveAll(filepath.Join(machineShm, e.Name()))
			}
		}
	}
}

// space is the name of one of the lab's namespaces.
func (l *Lab) space(name string) string { return l.name + name }

func (l *Lab) addNamespace(name string) error {
	if err := run("ip", "netns", "add", name); err != nil {
		return err
	}
	l.made = append(l.made, name)
	return run("ip", "-n", name, "link", "set", "lo", "up")
}

func (l *Lab) bridge(br string) error {
	sw := l.space("sw")
	if err := run("ip", "-n", sw, "link", "add", br, "type", "bridge", "mcast_snooping", "0"); err != nil {
		return err
	}
	return run("ip", "-n", sw, "link", "set", br, "up")
}

func (l *Lab) addHost(id int) error {
	h := &Host{lab: l, ID: id, Space: l.space(fmt.Sprintf("n%d", id)), Dir: filepath.Join(l.dir, fmt.Sprintf("n%d", id))}
	if err := l.addNamespace(h.Space); err != nil {
		return err
	}
	for _, d := range []string{"etc", "lib", "run", "log", "systemd"} {
		if err := os.MkdirAll(filepath.Join(h.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := h.makeShm(); err != nil {
		return err
	}
	for link := range l.opt.Links {
		if err := h.plug(link); err != nil {
			return err
		}
	}
	l.Hosts = append(l.Hosts, h)
	return nil
}

// Addr is the address of node id on a link.
func (l *Lab) Addr(id, link int) string {
	if l.opt.IPv6 {
		return fmt.Sprintf("fd77:%x::%x", link, id)
	}
	return fmt.Sprintf("10.%d.0.%d", 77+link, id)
}

// Close ends every process, removes the namespaces and, if the Lab made it, the
// directory. It can be called more than once.
func (l *Lab) Close() error {
	for _, h := range l.Hosts {
		h.closeAll()
	}
	var errs []error
	for _, name := range l.made {
		errs = append(errs, os.RemoveAll(filepath.Join(machineShm, name)))
		errs = append(errs, run("ip", "netns", "del", name))
	}
	l.made, l.Hosts = nil, nil
	if l.ownsDir {
		errs = append(errs, os.RemoveAll(l.dir))
		l.ownsDir = false
	}
	return errors.Join(errs...)
}

// WaitRing waits until every host of ids is told by its own daemon that the
// members of the ring are just ids.
func (l *Lab) WaitRing(limit time.Duration, ids ...int) error {
	deadline := time.Now().Add(limit)
	for {
		err := l.ringIs(ids)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(150 * time.Millisecond) // the question costs more than the answer
	}
}

func (l *Lab) ringIs(ids []int) error {
	first := ""
	for _, id := range ids {
		ring, members, err := l.Hosts[id-1].Ring()
		if err != nil {
			return fmt.Errorf("node %d: %w", id, err)
		}
		if fmt.Sprint(members) != fmt.Sprint(ids) {
			return fmt.Errorf("node %d sees members %v, not %v", id, members, ids)
		}
		if first == "" {
			first = ring
		} else if ring != first {
			return fmt.Errorf("node %d is in ring %s, node %d in %s", id, ring, ids[0], first)
		}
	}
	return nil
}

// run runs a program and makes its output part of the error.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
