package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Client is a program linked with the stock C library (conformance/cclient),
// running beside a host's daemon as a member of one process group.
type Client struct {
	host *Host
	proc *process
	in   io.WriteCloser

	mu    sync.Mutex
	lines []string      // every event so far
	grew  chan struct{} // closed and replaced when lines grow or the program ends
	ended bool
}

// BuildClient compiles one of the C programs of conformance/cclient into dir
// and returns its path. Without libraries it is linked with libcpg.
func BuildClient(dir, name string, libraries ...string) (string, error) {
	if len(libraries) == 0 {
		libraries = []string{"cpg"}
	}
	_, here, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(here), "..", "cclient", name+".c")
	binary := filepath.Join(dir, name)
	args := []string{"-O2", "-Wall", "-o", binary, source}
	for _, l := range libraries {
		args = append(args, "-l"+l)
	}
	if err := run("gcc", args...); err != nil {
		return "", fmt.Errorf("needs gcc and lib{%s}-dev (run `make setup` as root): %w", strings.Join(libraries, ","), err)
	}
	return binary, nil
}

// BuildDaemon compiles cpgold into dir and returns its path.
func BuildDaemon(dir string) (string, error) {
	binary := filepath.Join(dir, "cpgold")
	cmd := exec.Command("go", "build", "-o", binary, "cpgol/daemon/cpgold")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build cpgold: %w: %s", err, out)
	}
	return binary, nil
}

// StartClient starts binary with its arguments, for cpgclient the group to join.
func (h *Host) StartClient(binary string, args ...string) (*Client, error) {
	cmd := h.command(context.Background(), binary, args...)
	cmd.Stderr = os.Stderr
	return h.follow(cmd, filepath.Base(binary)+" "+strings.Join(args, " "))
}

// follow starts a program of the host and reads what it says.
func (h *Host) follow(cmd *exec.Cmd, name string) (*Client, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = w
	c := &Client{host: h, in: in, grew: make(chan struct{})}
	c.proc, err = startProcess(cmd)
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go c.read(r)
	h.clients = append(h.clients, c)
	h.lab.opt.Log("node %d: %s started, pid %d", h.ID, name, c.proc.pid)
	return c, nil
}

func (c *Client) read(r io.ReadCloser) {
	defer r.Close()
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for s.Scan() {
		c.add(s.Text(), false)
	}
	c.add("", true)
}

func (c *Client) add(line string, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ended {
		c.ended = true
	} else {
		c.lines = append(c.lines, line)
	}
	close(c.grew)
	c.grew = make(chan struct{})
}

// Send asks the client to multicast count messages of size bytes; it does not wait.
func (c *Client) Send(count, size int) error {
	_, err := fmt.Fprintf(c.in, "send %d %d\n", count, size)
	return err
}

// Tell writes a line to the program's standard input.
func (c *Client) Tell(line string) error {
	_, err := fmt.Fprintln(c.in, line)
	return err
}

// Go tells a cpgbench client to start.
func (c *Client) Go() error {
	_, err := fmt.Fprintln(c.in, "go")
	return err
}

// Quit asks the client to leave its group and end, and waits for that and for
// the rest of what it says.
func (c *Client) Quit() error {
	fmt.Fprintln(c.in, "quit")
	select {
	case <-c.proc.done:
		c.Wait(5*time.Second, func([]string) bool { return false })
		return nil
	case <-time.After(10 * time.Second):
		c.end()
		return errors.New("client did not quit")
	}
}

// Kill ends the client at once.
func (c *Client) Kill() { c.end() }

// Stop asks the program to end, as systemd would, and waits for that.
func (c *Client) Stop() error {
	if !c.proc.alive() {
		return nil
	}
	return c.proc.end(syscall.SIGTERM, 10*time.Second)
}

// Running reports whether the program has not ended.
func (c *Client) Running() bool { return c.proc.alive() }

func (c *Client) end() {
	if c.proc.alive() {
		c.proc.end(syscall.SIGKILL, 5*time.Second)
	}
	c.in.Close()
}

// Lines returns the events so far that begin with one of the words.
func (c *Client) Lines(words ...string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(words) == 0 {
		return slices.Clone(c.lines)
	}
	var out []string
	for _, l := range c.lines {
		word, _, _ := strings.Cut(l, " ")
		if slices.Contains(words, word) {
			out = append(out, l)
		}
	}
	return out
}

// Wait waits until enough says yes to the events so far.
func (c *Client) Wait(limit time.Duration, enough func(lines []string) bool) error {
	deadline := time.After(limit)
	for {
		c.mu.Lock()
		lines, grew, ended := c.lines, c.grew, c.ended
		c.mu.Unlock()
		if enough(lines) {
			return nil
		}
		if ended {
			return fmt.Errorf("node %d: client ended: %s", c.host.ID, last(lines))
		}
		select {
		case <-grew:
		case <-deadline:
			return fmt.Errorf("node %d: client: not within %v; %d events, last %q", c.host.ID, limit, len(lines), last(lines))
		}
	}
}

// WaitCount waits until n events begin with word.
func (c *Client) WaitCount(limit time.Duration, word string, n int) error {
	seen, have := 0, 0
	return c.Wait(limit, func(lines []string) bool {
		for ; seen < len(lines); seen++ {
			if w, _, _ := strings.Cut(lines[seen], " "); w == word {
				have++
			}
		}
		return have >= n
	})
}

func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// PID is the client's process number, which CPG names it by.
func (c *Client) PID() int { return c.proc.pid }
