package main

import (
	"fmt"
	"io"

	"cpgol/compat/conf"
)

// check prints what is wrong with a configuration, an error or warning a line.
func check(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		return misused(stderr, "check", "usage: cpgold check FILE")
	}
	status := 0
	for _, p := range conf.Check(args[0], conf.Host()) {
		fmt.Fprintln(stdout, p)
		if p.Severity != conf.Warning {
			status = 1
		}
	}
	if status == 0 {
		fmt.Fprintf(stdout, "%s: accepted\n", args[0])
	}
	return status
}
