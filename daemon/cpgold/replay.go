package main

import (
	"io"

	"cpgol/conformance/replay"
)

// replayRing decodes a capture (package replay).
func replayRing(args []string, stdout, stderr io.Writer) int {
	var opt replay.Options
	sidecar := ""
	for _, a := range args {
		switch {
		case a == "--json":
			opt.JSON = true
		case sidecar == "" && a != "" && a[0] != '-':
			sidecar = a
		default:
			return misused(stderr, "replay", "unexpected argument %q; usage: cpgold replay SIDECAR.json [--json]", a)
		}
	}
	if sidecar == "" {
		return misused(stderr, "replay", "usage: cpgold replay SIDECAR.json [--json]")
	}
	return replay.Run(sidecar, opt, stdout, stderr)
}
