package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"cpgol/compat/conf"
)

// stockName is what this program is called when it stands in the C daemon's place.
const stockName = "corosync"

// stockVersion is the release of the C daemon whose ways this program has. Tools
// read it from `corosync -v` to find out what they may configure.
const stockVersion = "3.1.7"

const stockUsage = `usage:
        -c     : Corosync config file path.
        -f     : Start application in foreground.
        -t     : Test configuration and exit.
        -v     : Display version, git revision and some useful information about Corosync and exit.
`

// stockLine is what the C daemon's command line says (exec/main.c:main).
type stockLine struct {
	file                      string
	foreground, test, version bool
}

// parseStockLine understands that line as getopt(3) does; false if it is misused.
func parseStockLine(args []string) (l stockLine, ok bool) {
	l.file = stockFile
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		letters := args[0][1:]
		args = args[1:]
		for letters != "" {
			letter := letters[0]
			letters = letters[1:]
			switch {
			case letter == 'f':
				l.foreground = true
			case letter == 't':
				l.test = true
			case letter == 'v':
				l.version = true
				return l, true
			case letter == 'c' && letters != "":
				l.file, letters = letters, ""
			case letter == 'c' && len(args) > 0:
				l.file, args = args[0], args[1:]
			default:
				return l, false
			}
		}
	}
	return l, true
}

// runAsStock does what the C daemon does with its command line, so that scripts and
// services that call corosync get what they expect when they call this program
// instead.
func runAsStock(args []string, stdout, stderr io.Writer) int {
	l, ok := parseStockLine(args)
	switch {
	case !ok:
		fmt.Fprint(stderr, stockUsage)
		return 1
	case l.version:
		return showStockVersion(stdout)
	case l.test:
		return testAsStock(l.file, stderr)
	case l.foreground:
		return runFile(l.file, stderr)
	}
	return runBehind(l.file, stderr)
}

func showStockVersion(w io.Writer) int {
	fmt.Fprintf(w, "Corosync Cluster Engine, version '%s'\n", stockVersion)
	fmt.Fprintf(w, "cpgold %s takes its place\n\n", release())
	fmt.Fprintln(w, "Available crypto models: nss openssl")
	fmt.Fprintln(w, "Available compression models: zlib lz4 lz4hc lzo2 lzma bzip2 zstd")
	return 0
}

// testAsStock gives the C daemon's verdict, in its words.
func testAsStock(file string, stderr io.Writer) int {
	if err := conf.Test(file, conf.Host()); err != nil {
		fmt.Fprintln(stderr, strings.TrimSpace(err.Stock()))
		return statusOf(err)
	}
	return 0
}

// runBehind starts the daemon in a session of its own, cut off from the terminal.
// Like the C daemon it does so once the configuration is found right, and does
// not wait to see whether the daemon stays.
func runBehind(file string, stderr io.Writer) int {
	if status := testAsStock(file, stderr); status != 0 {
		return status
	}
	self, err := os.Executable()
	if err != nil {
		return complain(stderr, err)
	}
	daemon := exec.Command(self, "-f", "-c", file)
	daemon.Args[0] = os.Args[0] // its name in the log
	daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := daemon.Start(); err != nil {
		fmt.Fprintln(stderr, "cpgold:", err)
		return exitFork
	}
	return 0
}
