package net

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A namespace is a network namespace of a test's own. It has no name, so that
// it ends with the last descriptor on it, however the test ends.
type namespace struct{ file *os.File }

// newNamespace skips the test without the privilege to make one.
func newNamespace(t testing.TB) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	var file *os.File
	var err error
	onThread(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		}
	})
	if err != nil {
		t.Skipf("no new network namespace: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	ns := &namespace{file}
	ns.ip(t, "link set lo up")
	return ns
}

// path is how ip finds the namespace.
func (ns *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.file.Fd()) }

// onThread runs f on a thread of its own, which ends afterwards, with whatever
// f changed about it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread is not used again
		f()
	}()
	<-done
}

// in runs f in the namespace. f must not call t.Fatal.
func (ns *namespace) in(t testing.TB, f func()) {
	t.Helper()
	var err error
	onThread(func() {
		if err = unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err == nil {
			f()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command line in the namespace.
func (ns *namespace) run(t testing.TB, line string) {
	t.Helper()
	args := strings.Fields(line)
	var out []byte
	var err error
	ns.in(t, func() { out, err = exec.Command(args[0], args[1:]...).CombinedOutput() })
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

func (ns *namespace) ip(t testing.TB, line string) {
	t.Helper()
	ns.run(t, "ip "+line)
}

// newLink makes two namespaces with a wire between them: "nt0" in both, with
// 10.9.0.1/24, fd09::1/64 and 10.9.0.2/24, fd09::2/64.
func newLink(t testing.TB) (a, b *namespace) {
	t.Helper()
	a, b = newNamespace(t), newNamespace(t)
	a.ip(t, "link add nt0 type veth peer name nt0 netns "+b.path())
	for i, ns := range []*namespace{a, b} {
		ns.ip(t, fmt.Sprintf("addr add 10.9.0.%d/24 dev nt0", i+1))
		ns.ip(t, fmt.Sprintf("addr add fd09::%d/64 dev nt0 nodad", i+1))
		ns.ip(t, "link set nt0 up")
	}
	return a, b
}

// open opens a socket in the namespace, or in the test's own if ns is nil.
func (ns *namespace) open(t testing.TB, p *Poller, cfg SocketConfig) *Socket {
	t.Helper()
	var s *Socket
	var err error
	if cfg.Buffer == 0 {
		cfg.Buffer = udpuBuffer
	}
	if cfg.Clock == nil {
		cfg.Clock = clock
	}
	if ns == nil {
		s, err = OpenSocket(p, cfg)
	} else {
		ns.in(t, func() { s, err = OpenSocket(p, cfg) })
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
