// Command goclient is conformance/cclient/cpgapi.c through the Go library: it
// obeys the same commands on standard input and tells the same of them, so that
// both libraries and all daemons can be compared call by call. Of cpgapi's
// commands it knows those that the Go library has calls for: init, join, leave,
// mcast, members, state, events, skip, quiet, dispatch, finalize and die.
//
// "init H legacy" keeps the process from offloading.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"strings"
	"time"

	"cpgol/libcpg"
)

// A handle is a connection.
type handle struct {
	*libcpg.Conn
	names []string // groups whose events are told yet, in their order
}

// A program is the state between commands.
type program struct {
	handles [8]*handle
	salt    byte
	out     *bufio.Writer
	mute    int // events that are counted and not told
}

func main() {
	p := program{out: bufio.NewWriter(os.Stdout)}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		p.command(in.Text())
		fmt.Fprintln(p.out, ".")
		p.out.Flush()
	}
}

// code is the C library's number for an error (cs_error_t).
func code(err error) int {
	var st libcpg.Status
	switch {
	case err == nil:
		return 1
	case errors.As(err, &st):
		return int(st)
	case errors.Is(err, context.DeadlineExceeded):
		return int(libcpg.ErrTryAgain)
	case errors.Is(err, libcpg.ErrDisconnected):
		return 2
	}
	return 9
}

func (p *program) tell(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// patiently makes a call that may take its time.
func patiently(call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	return call(ctx)
}

func (p *program) command(line string) {
	words := strings.Fields(line)
	number := func(i, otherwise int) int {
		if i < len(words) {
			fmt.Sscan(words[i], &otherwise)
		}
		return otherwise
	}
	i := number(1, 0)
	if words[0] == "init" {
		c, err := open(words[2])
		p.handles[i] = &handle{Conn: c}
		p.tell("init %d", code(err))
		return
	}
	if words[0] == "die" {
		p.tell(".")
		p.out.Flush()
		os.Exit(0)
	}
	h := p.handles[i]
	if h == nil || h.Conn == nil {
		p.tell("%s 9", words[0])
		return
	}
	switch words[0] {
	case "join":
		name := parse(words[2])
		err := patiently(func(ctx context.Context) error { return h.Join(ctx, name) })
		if err == nil {
			h.names = append(h.names, name)
		}
		p.tell("join %d", code(err))
	case "leave":
		p.tell("leave %d", code(patiently(h.Leave)))
	case "mcast":
		p.mcast(h, number(2, 1), number(3, 0), number(5, 1))
	case "members":
		p.members(h, parse(words[2]))
	case "state":
		flow := 0
		if h.Throttled() {
			flow = 1
		}
		p.tell("local 1 %d flow 1 %d size 1 %d", h.Node(), flow, libcpg.MaxAtomic)
	case "events":
		p.events(i, number(2, 1), 5*time.Second, true)
	case "skip":
		p.mute = number(2, 1) - 1
		p.events(i, number(2, 1), 10*time.Second, true)
		p.mute = 0
	case "quiet":
		p.events(i, math.MaxInt, time.Duration(number(2, 0))*time.Millisecond, false)
	case "dispatch":
		p.tell("dispatch %d", code(p.event(i, time.Millisecond)))
	case "finalize":
		p.tell("finalize %d", code(h.Close()))
		p.handles[i] = nil
	default:
		p.tell("unknown command")
	}
}

func open(how string) (c *libcpg.Conn, err error) {
	opt := libcpg.Options{Rings: how == "ring", InRing: how == "legacy"}
	for range 200 {
		if c, err = libcpg.Open(opt); !errors.Is(err, libcpg.ErrTryAgain) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return c, err
}

// parse is a name as cpgapi writes it.
func parse(s string) string {
	var n int
	if s == "-" {
		return ""
	}
	if len(s) > 2 && s[1] == '*' {
		fmt.Sscan(s[2:], &n)
		return strings.Repeat(s[:1], n)
	}
	if rest, ok := strings.CutSuffix(s, "^"); ok {
		return rest + "\x00"
	}
	return s
}

func (p *program) mcast(h *handle, count, size, vectors int) {
	for k := range count {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i*7+i>>12) + p.salt
		}
		p.salt++
		var parts [][]byte
		for v := range vectors {
			parts = append(parts, data[size*v/vectors:size*(v+1)/vectors])
		}
		if err := patiently(func(ctx context.Context) error { return h.Send(ctx, parts...) }); err != nil || k == count-1 {
			p.tell("mcast %d", code(err))
			return
		}
	}
}

func (p *program) members(h *handle, name string) {
	var all []libcpg.Member
	err := patiently(func(ctx context.Context) (err error) {
		all, err = h.Members(ctx, name)
		return err
	})
	s := fmt.Sprintf("members %d %d", code(err), len(all))
	if err == nil {
		s += " m="
	}
	p.tell("%s%s", s, list(all))
}

func comma(i int) string { return ","[:min(i, 1)] }

// events tells a number of events, as far as they come in time.
func (p *program) events(i, n int, limit time.Duration, complain bool) {
	end := time.Now().Add(limit)
	for k := range n {
		err := p.event(i, time.Until(end))
		switch {
		case err == nil:
		case !errors.Is(err, context.DeadlineExceeded):
			p.tell("dispatch %d", code(err))
			return
		default:
			if complain {
				p.tell("only %d events", k)
			}
			return
		}
	}
}

// event tells the next event.
func (p *program) event(i int, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	h := p.handles[i]
	var ev libcpg.Event
	if err := h.Next(ctx, &ev); err != nil {
		return err
	}
	if p.mute > 0 {
		p.mute--
		return nil
	}
	name := ""
	if len(h.names) > 0 {
		name = show(h.names[0])
	}
	switch ev.Kind {
	case libcpg.Message:
		hash := fnv1a(ev.Data)
		p.tell("%d deliver %s %d %d %d %d", i, name, ev.From.Node, ev.From.PID, len(ev.Data), hash)
	case libcpg.NewRing:
		s := fmt.Sprintf("%d ring %d", i, ev.Ring.Rep)
		for k, n := range ev.Nodes {
			s += fmt.Sprintf("%c%d", " ,"[min(k, 1)], n)
		}
		p.tell("%s", s)
	case libcpg.Change:
		p.tell("%d confchg %s m=%s l=%s j=%s", i, name, list(ev.Members), moves(ev.Left), moves(ev.Joined))
		for _, m := range ev.Left {
			if m.Member == h.Self() {
				h.names = h.names[1:]
			}
		}
	}
	return nil
}

// fnv1a is cpgapi's.
func fnv1a(data []byte) uint32 {
	h := fnv.New32a()
	h.Write(data)
	return h.Sum32()
}

func show(name string) string {
	if len(name) > 40 {
		return fmt.Sprintf("%.3s...*%d", name, len(name))
	}
	return strings.ReplaceAll(name, "\x00", "^")
}

func list(all []libcpg.Member) (s string) {
	if len(all) > 20 {
		return fmt.Sprintf("*%d", len(all))
	}
	for i, m := range all {
		s += fmt.Sprintf("%s%d:%d", comma(i), m.Node, m.PID)
	}
	return s
}

func moves(all []libcpg.Moved) (s string) {
	if len(all) > 20 {
		return fmt.Sprintf("*%d", len(all))
	}
	for i, m := range all {
		s += fmt.Sprintf("%s%d:%d:%d", comma(i), m.Node, m.PID, m.Reason)
	}
	return s
}
