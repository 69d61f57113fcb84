// Command gocpg is conformance/cclient/cpgclient.c in Go: the same commands on
// standard input, the same lines on standard output, through package libcpg. So
// whatever drives one can drive the other, and they can be in one group.
//
//	gocpg GROUP [ring]
//
// With "ring" it does not offload. Beside cpgclient's lines it prints, when that
// changes,
//
//	offload on
//	offload off WHY
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"cpgol/libcpg"
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) < 2 {
		return fail("usage", errors.New("gocpg GROUP [ring]"))
	}
	ctx := context.Background()
	c, err := open(libcpg.Options{Rings: true, InRing: len(os.Args) > 2 && os.Args[2] == "ring"})
	if err != nil {
		return fail("initialize", err)
	}
	if err := c.Join(ctx, os.Args[1]); err != nil {
		return fail("join", err)
	}
	say("joined %d %d\n", c.Node(), os.Getpid())
	done := make(chan int, 2)
	go func() { done <- listen(ctx, c) }()
	go func() { done <- command(ctx, c) }()
	go watch(c)
	return <-done
}

// open waits for the daemon, as long as cpgclient does.
func open(opt libcpg.Options) (c *libcpg.Conn, err error) {
	for range 600 {
		if c, err = libcpg.Open(opt); err == nil {
			return c, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}

// listen prints events.
func listen(ctx context.Context, c *libcpg.Conn) int {
	var ev libcpg.Event
	for {
		if err := c.Next(ctx, &ev); err != nil {
			if errors.Is(err, libcpg.ErrClosed) {
				return 0
			}
			return fail("dispatch", err)
		}
		switch ev.Kind {
		case libcpg.Message:
			say("deliver %d %d %d %d\n", ev.From.Node, ev.From.PID, len(ev.Data), fnv1a(ev.Data))
		case libcpg.Change:
			say("confchg m=%s l=%s j=%s\n", list(ev.Members, memberText), list(ev.Left, movedText), list(ev.Joined, movedText))
		case libcpg.NewRing:
			say("ring %d.%d %s\n", ev.Ring.Rep, ev.Ring.Seq, list(ev.Nodes, func(n libcpg.NodeID) string { return fmt.Sprint(n) }))
		}
	}
}

func memberText(m libcpg.Member) string { return fmt.Sprintf("%d:%d", m.Node, m.PID) }

func movedText(m libcpg.Moved) string { return fmt.Sprintf("%d:%d:%d", m.Node, m.PID, m.Reason) }

func list[T any](all []T, text func(T) string) string {
	var parts []string
	for _, v := range all {
		parts = append(parts, text(v))
	}
	return strings.Join(parts, ",")
}

// watch prints whether the group is offloaded, whenever that has changed.
func watch(c *libcpg.Conn) {
	for before := ""; ; time.Sleep(20 * time.Millisecond) {
		now := "offload on"
		if on, why := c.Offload(); !on {
			now = "offload off " + why
		}
		if now != before {
			before = now
			say("%s\n", now)
		}
	}
}

// command does what standard input says.
func command(ctx context.Context, c *libcpg.Conn) int {
	in := bufio.NewScanner(os.Stdin)
	sent := 0
	for in.Scan() {
		var count, size int
		switch n, _ := fmt.Sscanf(in.Text(), "send %d %d", &count, &size); {
		case n == 2:
			buf := make([]byte, size)
			for range count {
				for k := range buf {
					buf[k] = byte(sent*31 + k*7)
				}
				if err := c.Send(ctx, buf); err != nil {
					return fail("mcast", err)
				}
				sent++
			}
			if err := c.Flush(ctx); err != nil {
				return fail("flush", err)
			}
			say("sent %d\n", count)
		case strings.HasPrefix(in.Text(), "quit"):
			if err := c.Leave(ctx); err != nil {
				return fail("leave", err)
			}
			c.Close()
			return 0
		default:
			return fail("command", errors.New(in.Text()))
		}
	}
	c.Close()
	return 0
}

func fnv1a(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

var output = struct {
	sync.Mutex
	*bufio.Writer
}{Writer: bufio.NewWriter(os.Stdout)}

func say(format string, args ...any) {
	output.Lock()
	defer output.Unlock()
	fmt.Fprintf(output.Writer, format, args...)
	output.Flush()
}

func fail(what string, err error) int {
	say("error %s %v\n", what, err)
	return 1
}
