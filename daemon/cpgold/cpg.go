package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"unicode/utf8"

	"cpgol/libcpg"
)

const cpgUsage = "usage: cpgold cpg GROUP [--size BYTES --count N] [--in-ring] [--quiet]"

// cpgOptions are the arguments of cpg.
type cpgOptions struct {
	group         string
	size, count   int // of messages made here; count 0: from standard input
	inRing, quiet bool
}

// cpg joins a group, prints its events as JSON lines, and sends.
func cpg(args []string, stdout, stderr io.Writer) int {
	opt, err := cpgArguments(args)
	if err != nil {
		return misused(stderr, "cpg", "%v; %s", err, cpgUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := runCPG(ctx, opt, os.Stdin, stdout, stderr); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "cpgold cpg:", err)
		return 1
	}
	return 0
}

func cpgArguments(args []string) (opt cpgOptions, err error) {
	number := func(i int) (int, error) {
		if i+1 >= len(args) {
			return 0, fmt.Errorf("%s needs a number", args[i])
		}
		n, err := strconv.Atoi(args[i+1])
		if err != nil || n < 0 || n > 1<<30 {
			return 0, fmt.Errorf("%s: %q is no number of its kind", args[i], args[i+1])
		}
		return n, nil
	}
	sized := false
	for i := 0; i < len(args) && err == nil; i++ {
		switch a := args[i]; {
		case a == "--size":
			opt.size, err = number(i)
			sized = true
			i++
		case a == "--count":
			opt.count, err = number(i)
			i++
		case a == "--in-ring":
			opt.inRing = true
		case a == "--quiet":
			opt.quiet = true
		case opt.group == "" && a != "" && a[0] != '-':
			opt.group = a
		default:
			err = fmt.Errorf("unexpected argument %q", a)
		}
	}
	switch {
	case err != nil:
	case opt.group == "":
		err = errors.New("which group?")
	case sized != (opt.count > 0):
		err = errors.New("--size and --count go together")
	}
	return opt, err
}

// runCPG is cpg after its arguments. It ends with the context, or with the input
// once everything that was sent has come back.
func runCPG(ctx context.Context, opt cpgOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	c, err := libcpg.Open(libcpg.Options{Rings: true, InRing: opt.inRing})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Join(ctx, opt.group); err != nil {
		return err
	}
	w := &cpgWatch{c: c, out: bufio.NewWriter(stdout), quiet: opt.quiet, in: make(chan struct{})}
	heard := make(chan error, 1)
	go func() { heard <- w.listen(ctx) }()
	select {
	case <-w.in:
	case err := <-heard:
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- w.send(ctx, opt, stdin) }()
	select {
	case err = <-heard:
		return err
	case err = <-sent:
	}
	if err != nil {
		return err
	}
	return <-heard
}

// A cpgWatch is one run.
type cpgWatch struct {
	c     *libcpg.Conn
	out   *bufio.Writer
	quiet bool
	in    chan struct{} // closed when this process is in the group

	mu   sync.Mutex
	owed int  // messages of our own that have not come back
	done bool // no more will be sent
}

// listen prints events until all that was sent has come back.
func (w *cpgWatch) listen(ctx context.Context) error {
	var ev libcpg.Event
	for in := false; ; {
		if err := w.c.Next(ctx, &ev); err != nil {
			return err
		}
		if err := w.print(&ev); err != nil {
			return err
		}
		if !in && ev.Kind == libcpg.Change {
			in = true
			close(w.in)
		}
		if ev.Kind == libcpg.Message && ev.From == w.c.Self() {
			w.mu.Lock()
			w.owed--
			over := w.done && w.owed == 0
			w.mu.Unlock()
			if over {
				return nil
			}
		}
	}
}

func (w *cpgWatch) send(ctx context.Context, opt cpgOptions, stdin io.Reader) error {
	one := func(b []byte) error {
		w.mu.Lock()
		w.owed++
		w.mu.Unlock()
		return w.c.Send(ctx, b)
	}
	if opt.count > 0 {
		b := make([]byte, opt.size)
		for range opt.count - 1 {
			if err := one(b); err != nil {
				return err
			}
		}
		w.last()
		return w.c.Send(ctx, b)
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		if err := one(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return w.c.Flush(ctx) // and listen on, until told to end
}

// last says that one more message follows and no other.
func (w *cpgWatch) last() {
	w.mu.Lock()
	w.owed++
	w.done = true
	w.mu.Unlock()
}

// cpgLine is one event as printed.
type cpgLine struct {
	Event   string     `json:"event"`
	From    *cpgMember `json:"from,omitempty"`
	Size    *int       `json:"size,omitempty"`
	Text    *string    `json:"text,omitempty"`
	Base64  string     `json:"base64,omitempty"`
	Members []any      `json:"members,omitempty"`
	Joined  []any      `json:"joined,omitempty"`
	Left    []any      `json:"left,omitempty"`
	Ring    string     `json:"ring,omitempty"`
	Nodes   []any      `json:"nodes,omitempty"`
}

type cpgMember struct {
	Node uint32 `json:"node"`
	PID  uint32 `json:"pid"`
}

type cpgMoved struct {
	cpgMember
	Reason string `json:"reason"`
}

var cpgReasons = map[libcpg.Reason]string{libcpg.Joined: "join", libcpg.Left: "leave", libcpg.NodeDown: "nodedown",
	libcpg.NodeUp: "nodeup", libcpg.ProcDown: "procdown"}

// cpgTextLimit is how long a message's bytes are shown; longer ones have their
// size only.
const cpgTextLimit = 4096

func (w *cpgWatch) print(ev *libcpg.Event) error {
	var l cpgLine
	switch ev.Kind {
	case libcpg.Message:
		if w.quiet {
			return nil
		}
		size := len(ev.Data)
		l = cpgLine{Event: "message", From: &cpgMember{uint32(ev.From.Node), ev.From.PID}, Size: &size}
		switch {
		case size > cpgTextLimit:
		case utf8.Valid(ev.Data):
			text := string(ev.Data)
			l.Text = &text
		default:
			l.Base64 = base64.StdEncoding.EncodeToString(ev.Data)
		}
	case libcpg.Change:
		l.Event = "change"
		for _, m := range ev.Members {
			l.Members = append(l.Members, cpgMember{uint32(m.Node), m.PID})
		}
		l.Joined, l.Left = cpgMoves(ev.Joined), cpgMoves(ev.Left)
	case libcpg.NewRing:
		l.Event, l.Ring = "ring", fmt.Sprintf("%d.%x", ev.Ring.Rep, ev.Ring.Seq)
		for _, n := range ev.Nodes {
			l.Nodes = append(l.Nodes, uint32(n))
		}
	}
	if err := json.NewEncoder(w.out).Encode(&l); err != nil {
		return err
	}
	return w.out.Flush()
}

func cpgMoves(list []libcpg.Moved) (all []any) {
	for _, m := range list {
		all = append(all, cpgMoved{cpgMember{uint32(m.Node), m.PID}, cpgReasons[m.Reason]})
	}
	return all
}
