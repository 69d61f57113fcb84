package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"syscall"

	"cpgol/compat/conf"
	"cpgol/daemon/logs"
	"cpgol/daemon/node"
)

// Exit statuses of the C daemon (exec/util.h).
const (
	exitLogging = 7
	exitConfig  = 8
	exitState   = 16
	exitRunning = 18
)

// runNode runs a node until it is told to stop.
func runNode(args []string, stdout, stderr io.Writer) int {
	file, profile := "", ""
	for i := 0; i < len(args); i++ {
		switch {
		case (args[i] == "--config" || args[i] == "-c") && i+1 < len(args):
			i++
			file = args[i]
		case args[i] == "--cpu-profile" && i+1 < len(args):
			i++
			profile = args[i]
		default:
			return misused(stderr, "run", "unexpected argument %q; usage: cpgold run --config FILE", args[i])
		}
	}
	if file == "" {
		return misused(stderr, "run", "usage: cpgold run --config FILE")
	}
	file, err := filepath.Abs(file) // the daemon goes to its state directory
	if err != nil {
		fmt.Fprintln(stderr, "cpgold:", err)
		return exitConfig
	}
	c, err := conf.Load(file, conf.Host())
	if err != nil {
		fmt.Fprintln(stderr, "cpgold:", err)
		return statusOf(err)
	}
	w, log, err := logs.Open(logOptions(c, stderr))
	if err != nil {
		fmt.Fprintln(stderr, "cpgold:", err)
		return exitLogging
	}
	defer w.Close()
	if err := os.Chdir(c.StateDir); err != nil {
		log.Error(fmt.Sprintf("can't change to the state directory %s: %v", c.StateDir, err))
		return exitState
	}
	tune()
	lock, err := takeLock()
	if err != nil {
		log.Error(err.Error())
		return exitRunning
	}
	defer lock.release()
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			log.Error(err.Error())
			return exitLogging
		}
		defer stop()
	}
	n, err := node.New(c, log)
	defer n.Close()
	if err != nil {
		log.Error(err.Error())
		return 15
	}
	n.OnReopenLogs(w.Reopen)
	go tellBeside(log, file, c)
	n.OnReload(
		func(running *conf.Config) (*conf.Plan, error) {
			plan, err := conf.Reload(file, conf.Host(), running)
			if err == nil {
				go tellBeside(log, file, plan.Config)
			}
			return plan, err
		},
		func(c *conf.Config) error { return w.Reconfigure(logOptions(c, stderr)) })
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		s := <-signals
		n.Do(func() { n.Shutdown("Node was shut down by a signal: " + s.String()) })
	}()
	return n.Run()
}

// statusOf is the C daemon's exit status for a configuration that it does not
// take.
func statusOf(err error) int {
	if e, ok := errors.AsType[*conf.Error](err); ok && e.Status != 0 {
		return e.Status
	}
	return exitConfig
}

// startProfile writes where the time goes to a file that `go tool pprof` reads,
// until stop is called.
func startProfile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// tune keeps the heap small: what the daemon holds is mostly buffers that are
// used again, so that frequent collections cost little. There is no limit beyond
// which the runtime would collect without end: clients that read slowly may
// rightly need more.
func tune() { debug.SetGCPercent(50) }
