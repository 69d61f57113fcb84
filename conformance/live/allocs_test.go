package live

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/compat/ipc/client"
	"cpgol/conformance/lab"
	"cpgol/daemon/node"
	"cpgol/wire/exec"
)

// TestAllocations runs a node and a client in this process, where allocations can
// be counted: a message costs none between the client's request and its delivery,
// whatever its size and the transport.
func TestAllocations(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, ipc := range []string{"shm", "socket"} {
		t.Run(ipc, func(t *testing.T) { testAllocations(t, ipc) })
	}
}

func testAllocations(t *testing.T, ipc string) {
	l, err := lab.New(lab.Options{Prefix: "allocs", Nodes: 1, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(l.Hosts[0].Dir, "etc", "corosync.conf")
	text := l.Conf(lab.Ring{Transport: "knet"}) + "system {\n  sched_rr: no\n  move_to_root_cgroup: no\n  qb_ipc_type: " + ipc + "\n  state_dir: " + t.TempDir() + "\n}\n"
	if err := os.WriteFile(file, []byte(strings.Replace(text, "to_stderr: yes", "to_stderr: no", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	up, ended := make(chan *node.Node, 1), make(chan error, 1)
	go func() {
		ended <- l.Hosts[0].Do(func() error {
			defer close(up)
			c, err := conf.Load(file, conf.Host())
			if err != nil {
				return err
			}
			n, err := node.New(c, slog.New(slog.DiscardHandler))
			defer n.Close()
			if err != nil {
				return err
			}
			up <- n
			if status := n.Run(); status != 0 {
				return fmt.Errorf("the node ended with status %d", status)
			}
			return nil
		})
	}()
	n := <-up
	if n != nil {
		if err := l.Hosts[0].Do(func() error { return countAllocations(t) }); err != nil {
			t.Error(err)
		}
		n.Do(func() { n.Shutdown("the test is over") })
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func countAllocations(t *testing.T) error {
	c, err := joined("g")
	if err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, 0, c.MaxMessage())
	for _, size := range []int{64, 1000, 8000, 64_000, 1_000_000} {
		msg := (&abi.CPGMcast{Message: make([]byte, size)}).Append(nil)
		const rounds = 500
		var before, after runtime.MemStats
		for i := range 2 * rounds { // the first half fills the pools
			if i == rounds {
				runtime.ReadMemStats(&before)
			}
			if err := c.Send(msg, nil); err != nil {
				return err
			}
			if _, err := c.Event(buf, 10*time.Second); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&after)
		made := after.Mallocs - before.Mallocs
		t.Logf("%d B: %d allocations in %d messages", size, made, rounds)
		if made > rounds/5 { // what timers and the runtime itself do meanwhile
			t.Errorf("%d B: %d allocations in %d messages, want none for each", size, made, rounds)
		}
	}
	return nil
}

// joined is a client that is the only member of a group and has been told so. It
// waits for the daemon.
func joined(group string) (*client.Conn, error) {
	var c *client.Conn
	var err error
	for range 100 {
		if c, err = client.Dial("cpg", client.Options{}); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		return nil, err
	}
	name, _ := exec.NewGroupName([]byte(group))
	join := abi.CPGJoin{Group: name, PID: uint32(os.Getpid())}
	answer, err := c.Call(join.Append(nil), nil, nil)
	if err == nil {
		var st abi.Status
		if _, _, st, err = abi.CutResponse(answer); err == nil && st != abi.OK {
			err = fmt.Errorf("join: %v", st)
		}
	}
	if err == nil {
		_, err = c.Event(make([]byte, 4096), 10*time.Second)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
