package main

import (
	"fmt"
	"io"

	"cpgol/compat/conf"
)

// Statuses of check beside 0: the file is refused, as `corosync -t` would; or it
// passes that test, but the daemon would not start with it.
const (
	statusRefused    = 1
	statusWouldStop  = 3
	verdictAccepted  = "accepted"
	verdictRefused   = "refused"
	verdictWouldStop = "accepted by the test, but the daemon would not start"
)

// check prints what is wrong with a configuration, a finding a line, and the
// verdict last.
func check(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		return misused(stderr, "check", "usage: cpgold check FILE")
	}
	status, verdict := 0, verdictAccepted
	for _, p := range conf.Check(args[0], conf.Host()) {
		fmt.Fprintln(stdout, p)
		switch {
		case p.Severity == conf.Refused:
			status, verdict = statusRefused, verdictRefused
		case p.Severity == conf.StartError && status == 0:
			status, verdict = statusWouldStop, verdictWouldStop
		}
	}
	fmt.Fprintf(stdout, "%s: %s\n", args[0], verdict)
	return status
}
