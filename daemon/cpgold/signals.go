package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"cpgol/daemon/node"
)

// takeSignals lets signals do to a node what they do to the C daemon
// (exec/main.c:main):
//
//	TERM, INT, QUIT   the node leaves its ring in good order
//	USR2              it logs its state
//	ABRT, SEGV        it writes its flight recorder's file and dies of the signal
//
// HUP, USR1 and PIPE end the C daemon, because nothing there handles them, and so
// have its node fenced. Nobody can rely on that, and a slip of a log rotation's
// script should not cost a node: here they do nothing. The result ends it.
func takeSignals(n *node.Node, dump func()) (stop func()) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR2, syscall.SIGABRT, syscall.SIGSEGV)
	go func() {
		for s := range signals {
			switch s {
			case syscall.SIGUSR2:
				n.Do(n.LogState)
			case syscall.SIGABRT, syscall.SIGSEGV:
				dump()
				dieOf(s.(syscall.Signal))
			default:
				n.Do(n.ShutdownBySignal)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// dieOf ends the process as the signal would have, with the stacks of all goroutines
// on stderr and a core file where those are kept.
func dieOf(s syscall.Signal) {
	signal.Reset() // QUIT too: the runtime stops its threads with it
	debug.SetTraceback("crash")
	syscall.Kill(os.Getpid(), s)
}
