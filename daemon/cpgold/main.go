// Command cpgold is the daemon and its tools in one binary.
//
//	cpgold run --config FILE         run the node in the foreground
//	cpgold check FILE                say what is wrong with a configuration, by line; with --against OTHER what must be the
//	                                 same on another node and is not, with --live what a reload would change
//	cpgold migrate FILE              translate a corosync.conf to TOML, or back
//	cpgold keygen                    make a secret key, as corosync-keygen does
//	cpgold schema                    print the JSON Schema of the TOML configuration, for editors
//	cpgold example                   print a commented TOML configuration with every field
//	cpgold status [--json]           say what runs here, from which file, and how the ring is
//	cpgold cpg GROUP                 join a process group of whatever Corosync daemon runs here, print its events as JSON
//	                                 lines, and send the lines of standard input, or --count messages of --size bytes
//	cpgold bench                     measure throughput and latency by message size, through the daemon and offloaded; with
//	                                 --members N together with others on any hosts, --receive to only listen there
//	cpgold replay SIDECAR.json       decode a recorded ring and rebuild what its clients saw
//	cpgold version
//
// Results go to standard output, everything else to standard error. Exit
// statuses of run are those of the C daemon (exec/util.h); of the others 0 for
// success, 1 for a negative result, 2 for a wrong command line. check has more: 0 if the file is accepted, or of these the
// first that holds: 1 the file is refused, as `corosync -t` would; 3 it passes that test, but the daemon would not start;
// 6 --live: the running daemon cannot be asked; 4 --against: settings that must be the same are not, or the other file cannot be
// read; 5 --live: a reload would refuse the file, or leave some of it for the next start. Warnings and advice do not change it.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"cpgol/daemon/logs"
)

func main() {
	if logs.Program() == stockName {
		os.Exit(runAsStock(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// A command is one word of the command line.
type command struct {
	name, args, does string
	run              func(args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"run", "--config FILE", "run the node in the foreground; FILE is TOML or a corosync.conf", runNode},
	{"check", "FILE [--against FILE]", "say what is wrong with a configuration, by line; compare it", check},
	{"migrate", "FILE [-o FILE]", "translate a corosync.conf to TOML, or with --reverse back", migrate},
	{"keygen", "[-s SIZE] [-k FILE]", "make a secret key, as corosync-keygen does", keygen},
	{"schema", "", "print the JSON Schema of the TOML configuration, for editors", printSchema},
	{"example", "", "print a commented TOML configuration with every field", printExample},
	{"status", "[--json]", "say what runs here, from which file, and how the ring is", status},
	{"cpg", "GROUP", "join a process group, print its events as JSON lines, send standard input", cpg},
	{"bench", "[--members N] [--json]", "measure throughput and latency by message size", bench},
	{"replay", "SIDECAR.json [--json]", "decode a recorded ring and rebuild what its clients saw", replayRing},
	{"version", "", "print the version", version},
}

const statusUsage = 2

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return statusUsage
	}
	if slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		usage(stdout)
		return 0
	}
	if args[0] == "--version" {
		return version(nil, stdout, stderr)
	}
	if strings.HasPrefix(args[0], "-") {
		return runAsStock(args, stdout, stderr)
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "cpgold: %q is no command; see cpgold help\n", args[0])
	return statusUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: cpgold COMMAND")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-32s %s\n", strings.TrimSpace(c.name+" "+c.args), c.does)
	}
}

// misused tells what is wrong with a command's arguments.
func misused(stderr io.Writer, name, format string, args ...any) int {
	fmt.Fprintf(stderr, "cpgold %s: %s\n", name, fmt.Sprintf(format, args...))
	return statusUsage
}

func version(args []string, stdout, stderr io.Writer) int {
	fmt.Fprintln(stdout, "cpgold", release())
	return 0
}

// release is the version of this program.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}
