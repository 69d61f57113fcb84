package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const benchUsage = `usage: cpgold bench [--group NAME] [--transport ring,offload] [--sizes 64,1000,...] [--seconds S]
                    [--members N] [--receive | --probe] [--json]`

// benchOptions are the arguments of bench. All members must have the same, but for
// the role and how results are shown.
type benchOptions struct {
	group      string
	transports []string
	sizes      []int
	seconds    float64
	members    int
	role       string // benchSender, benchReceiver or benchProbe
	json       bool
}

// What a member does.
const (
	benchSender   = "sender"   // sends as fast as it can
	benchReceiver = "receiver" // only listens
	benchProbe    = "probe"    // sends 64 bytes and waits for them to come back, while others send
)

// Ways for messages to go.
const (
	benchRing    = "ring"    // through the daemon, as the C library has them
	benchOffload = "offload" // from library to library, where that can be
)

// bench measures throughput and latency by message size. Run alone it is a group
// of one; with --members N it waits for that many that run the same command, on
// any hosts, and begins each measurement with them.
func bench(args []string, stdout, stderr io.Writer) int {
	opt, err := benchArguments(args)
	if err != nil {
		return misused(stderr, "bench", "%v; %s", err, benchUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	show := benchTable(stdout)
	if opt.json {
		show = benchLines(stdout)
	}
	for _, transport := range opt.transports {
		if err := benchTransport(ctx, opt, transport, show, stderr); err != nil {
			fmt.Fprintf(stderr, "cpgold bench: %s: %v\n", transport, err)
			return 1
		}
	}
	return 0
}

func benchArguments(args []string) (opt benchOptions, err error) {
	opt = benchOptions{group: "cpgold-bench", transports: []string{benchRing, benchOffload}, role: benchSender,
		sizes: []int{64, 1000, 8000, 64_000, 1_000_000}, seconds: 2, members: 1}
	for len(args) > 0 && err == nil {
		name, value := args[0], ""
		args = args[1:]
		switch name {
		case "--json":
			opt.json = true
			continue
		case "--receive":
			opt.role = benchReceiver
			continue
		case "--probe":
			opt.role = benchProbe
			continue
		}
		if len(args) > 0 {
			value, args = args[0], args[1:]
		}
		err = opt.set(name, value)
	}
	return opt, err
}

func (opt *benchOptions) set(name, value string) (err error) {
	switch name {
	case "--group":
		if opt.group = value; value == "" {
			return errors.New("which group?")
		}
	case "--transport":
		opt.transports = strings.Split(value, ",")
		for _, tr := range opt.transports {
			if tr != benchRing && tr != benchOffload {
				return fmt.Errorf("--transport: %q is neither %s nor %s", tr, benchRing, benchOffload)
			}
		}
	case "--sizes":
		opt.sizes = nil
		for word := range strings.SplitSeq(value, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < benchLeast || n > 64<<20 {
				return fmt.Errorf("--sizes: %q is no number from %d to %d", word, benchLeast, 64<<20)
			}
			opt.sizes = append(opt.sizes, n)
		}
	case "--seconds":
		if opt.seconds, err = strconv.ParseFloat(value, 64); err != nil || !(opt.seconds > 0 && opt.seconds <= 3600) {
			return fmt.Errorf("--seconds: %q is no time from 0 to 3600", value)
		}
	case "--members":
		if opt.members, err = strconv.Atoi(value); err != nil || opt.members < 1 || opt.members > 128 {
			return fmt.Errorf("--members: %q is no number from 1 to 128", value)
		}
	default:
		return fmt.Errorf("unexpected argument %q", name)
	}
	return nil
}

// A benchResult is one measurement as this member saw it.
type benchResult struct {
	Transport string `json:"transport"`
	Role      string `json:"role"`
	Size      int    `json:"size"`
	Members   int    `json:"members"`
	Offloaded bool   `json:"offloaded"`

	// Throughput: what was delivered here, from all senders, and how much of it
	// was our own.
	Seconds  float64 `json:"seconds,omitempty"`
	Messages int     `json:"messages,omitempty"`
	Own      int     `json:"own,omitempty"`
	MBs      float64 `json:"mb_per_second,omitempty"`

	// Latency: from Send to the own message's delivery, in microseconds, of
	// messages one at a time; a probe's are of 64 bytes while others send messages of
	// Size.
	Samples int     `json:"samples,omitempty"`
	P50     float64 `json:"p50_us,omitempty"`
	P90     float64 `json:"p90_us,omitempty"`
	P99     float64 `json:"p99_us,omitempty"`
	Max     float64 `json:"max_us,omitempty"`
}

// rate is messages a second.
func (r *benchResult) rate() float64 { return float64(r.Messages) / r.Seconds }

func benchLines(w io.Writer) func(*benchResult) {
	return func(r *benchResult) { json.NewEncoder(w).Encode(r) }
}

func benchTable(w io.Writer) func(*benchResult) {
	first := true
	return func(r *benchResult) {
		t := tabwriter.NewWriter(w, 11, 0, 1, ' ', tabwriter.AlignRight)
		if first {
			fmt.Fprintln(t, "transport\tbytes\tmessages/s\tMB/s\town share\tp50 µs\tp90 µs\tp99 µs\tmax µs\t")
			first = false
		}
		name := r.Transport
		if r.Transport == benchOffload && !r.Offloaded {
			name = "(ring)"
		}
		fmt.Fprintf(t, "%s\t%d\t", name, r.Size)
		if r.Messages > 0 {
			fmt.Fprintf(t, "%.0f\t%.1f\t%.0f%%\t", r.rate(), r.MBs, 100*float64(r.Own)/float64(r.Messages))
		} else {
			fmt.Fprint(t, "-\t-\t-\t")
		}
		if r.Samples > 0 {
			fmt.Fprintf(t, "%.0f\t%.0f\t%.0f\t%.0f\t\n", r.P50, r.P90, r.P99, r.Max)
		} else {
			fmt.Fprint(t, "-\t-\t-\t-\t\n")
		}
		t.Flush()
	}
}

// duration is how long a throughput is measured.
func (opt *benchOptions) duration() time.Duration {
	return time.Duration(opt.seconds * float64(time.Second))
}
