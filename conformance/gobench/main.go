// Command gobench is conformance/cclient/cpgbench.c in Go: it measures through
// package libcpg, and says the same.
//
//	gobench flood GROUP SIZE SECONDS   multicast as fast as it goes; prints "flood OWN ALL SECONDS": own
//	                                   messages and all messages delivered here, and in what time; and
//	                                   "cost ALLOCATIONS BYTES" for each of all messages
//	gobench rtt GROUP SIZE COUNT       one message at a time, to oneself; prints "rtt P50 P90 P99 MAX" in
//	                                   microseconds
//	gobench sink GROUP SECONDS         only receives; prints "flood 0 ALL SECONDS"
//
// A group that begins with "ring" is not offloaded. It prints "ready" once it has
// joined, and starts at the first line of input. GOBENCH_PROFILE names a directory
// for its CPU profile.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cpgol/libcpg"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gobench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: gobench flood|rtt|sink GROUP ...")
	}
	ctx := context.Background()
	c, err := open(libcpg.Options{InRing: strings.HasPrefix(args[1], "ring")})
	if err != nil {
		return err
	}
	if err := c.Join(ctx, args[1]); err != nil {
		return err
	}
	b := &bench{c: c, came: make(chan struct{}, 1)}
	go b.listen(ctx)
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	numbers := make([]float64, len(args)-2)
	for i := range numbers {
		if numbers[i], err = strconv.ParseFloat(args[i+2], 64); err != nil {
			return err
		}
	}
	stop, err := profile(args)
	if err != nil {
		return err
	}
	defer stop()
	switch {
	case args[0] == "flood" && len(numbers) == 2:
		return b.flood(ctx, int(numbers[0]), numbers[1])
	case args[0] == "rtt" && len(numbers) == 2:
		return b.rtt(ctx, int(numbers[0]), int(numbers[1]))
	case args[0] == "sink":
		return b.flood(ctx, -1, numbers[0])
	}
	return errors.New("usage: gobench flood|rtt|sink GROUP ...")
}

// profile begins a CPU profile if one is asked for.
func profile(args []string) (stop func(), err error) {
	dir := os.Getenv("GOBENCH_PROFILE")
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", strings.Join(args, "-"), os.Getpid())))
	if err != nil {
		return nil, err
	}
	return pprof.StopCPUProfile, pprof.StartCPUProfile(f)
}

func open(opt libcpg.Options) (c *libcpg.Conn, err error) {
	for range 200 {
		if c, err = libcpg.Open(opt); err == nil {
			return c, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}

type bench struct {
	c        *libcpg.Conn
	own, all atomic.Int64
	came     chan struct{} // an own message did
}

func (b *bench) listen(ctx context.Context) {
	var ev libcpg.Event
	for b.c.Next(ctx, &ev) == nil {
		if ev.Kind != libcpg.Message {
			continue
		}
		b.all.Add(1)
		if ev.From == b.c.Self() {
			b.own.Add(1)
			select {
			case b.came <- struct{}{}:
			default:
			}
		}
	}
}

// flood sends for a time, or only counts if size is below zero.
func (b *bench) flood(ctx context.Context, size int, seconds float64) error {
	b.own.Store(0)
	b.all.Store(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	stop, cancel := context.WithDeadline(ctx, start.Add(time.Duration(seconds*float64(time.Second))))
	defer cancel()
	for buf := make([]byte, max(size, 0)); size >= 0 && stop.Err() == nil; {
		if err := b.c.Send(stop, buf); err != nil && stop.Err() == nil {
			return err
		}
	}
	<-stop.Done()
	own, all, took := b.own.Load(), b.all.Load(), time.Since(start)
	runtime.ReadMemStats(&after)
	each := 1 / float64(max(all, 1))
	fmt.Printf("cost %.4f %.1f\n", each*float64(after.Mallocs-before.Mallocs), each*float64(after.TotalAlloc-before.TotalAlloc))
	fmt.Printf("flood %d %d %.6f\n", own, all, took.Seconds())
	flush, cancel := context.WithTimeout(ctx, time.Second) // others are not cut short
	defer cancel()
	b.c.Flush(flush)
	return nil
}

func (b *bench) rtt(ctx context.Context, size, count int) error {
	buf := make([]byte, size)
	took := make([]float64, count)
	for i := range took {
		want := b.own.Load() + 1
		start := time.Now()
		if err := b.c.Send(ctx, buf); err != nil {
			return err
		}
		for b.own.Load() < want {
			<-b.came
		}
		took[i] = float64(time.Since(start)) / float64(time.Microsecond)
	}
	slices.Sort(took)
	fmt.Printf("rtt %.1f %.1f %.1f %.1f\n", took[count/2], took[count*9/10], took[count*99/100], took[count-1])
	return nil
}
