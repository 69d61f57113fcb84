package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"cpgol/compat/conf"
	"cpgol/daemon/logs"
	"cpgol/daemon/node"
)

// Exit statuses of the C daemon (exec/util.h).
const (
	exitFork    = 4
	exitLogging = 7
	exitConfig  = 8
	exitState   = 16
	exitLock    = 17
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
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			fmt.Fprintln(stderr, "cpgold:", err)
			return exitLogging
		}
		defer stop()
	}
	return runFile(file, stderr)
}

// runFile runs a node from a configuration file, and tells in its log how it
// ended: the last line comes when another daemon may be started.
func runFile(file string, stderr io.Writer) int {
	file, err := filepath.Abs(file) // the daemon goes to its state directory
	if err != nil {
		return complain(stderr, err)
	}
	c, err := conf.Load(file, conf.Host())
	if err != nil {
		return complain(stderr, err)
	}
	w, log, err := logs.Open(logOptions(c, stderr))
	if err != nil {
		return complain(stderr, &conf.Error{Text: err.Error(), Status: exitLogging})
	}
	defer w.Close()
	log.Log(context.Background(), logs.LevelNotice, "Corosync Cluster Engine cpgold "+release()+" starting up")
	status := serve(file, c, w, log, stderr)
	if status == 0 {
		log.Log(context.Background(), logs.LevelNotice, "Corosync Cluster Engine exiting normally")
	} else {
		log.Error(fmt.Sprintf("Corosync Cluster Engine exiting with status %d", status))
	}
	return status
}

// complain tells of what is wrong before there is a log: to syslog too, because
// nobody may read stderr.
func complain(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "cpgold:", err)
	if s, e := syslog.New(syslog.LOG_DAEMON|syslog.LOG_ERR, logs.Program()); e == nil {
		s.Err(err.Error())
		s.Close()
	}
	return statusOf(err)
}

// serve holds the host's lock and runs the node.
func serve(file string, c *conf.Config, w *logs.Writer, log *slog.Logger, stderr io.Writer) int {
	if err := os.Chdir(c.StateDir); err != nil {
		log.Error(fmt.Sprintf("Cannot chdir to state directory %s: %v", c.StateDir, err))
		return exitState
	}
	tune()
	lock, err := takeLock()
	if err != nil {
		log.Error(err.Error())
		return lockStatus(err)
	}
	defer lock.release()
	n, err := node.New(c, log)
	defer n.Close()
	if err != nil {
		log.Error(err.Error())
		return node.ExitStatus(err)
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
	dump := func() {
		if err := w.Dump(c.StateDir, dumpWait); err != nil {
			log.Error(err.Error())
		}
	}
	n.OnDump(dump)
	defer takeSignals(n, dump)()
	defer func() {
		if p := recover(); p != nil {
			log.Error(fmt.Sprintf("panic: %v", p))
			dump()
			panic(p)
		}
	}()
	return n.Run()
}

// dumpWait is how long the loop waits for the flight recorder's file, which
// corosync-blackbox opens as soon as its request is answered. It is written aside;
// a slow disk must not cost the ring its token.
const dumpWait = 200 * time.Millisecond

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
