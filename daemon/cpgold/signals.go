package main

import (
	"os"
	"os/signal"
	"syscall"

	"cpgol/daemon/node"
)

// takeSignals lets signals do to a node what they do to the C daemon
// (exec/main.c:main):
//
//	TERM, INT, QUIT   the node leaves its ring in good order
//	USR2              it logs its state
//
// HUP, USR1 and PIPE end the C daemon, because nothing there handles them, and so
// have its node fenced. Nobody can rely on that, and a slip of a log rotation's
// script should not cost a node: here they do nothing. The result ends it.
func takeSignals(n *node.Node) (stop func()) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			if s == syscall.SIGUSR2 {
				n.Do(n.LogState)
				continue
			}
			n.Do(func() { n.Shutdown("Node was shut down by a signal") })
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}
