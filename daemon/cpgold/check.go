package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cpgol/compat/conf"
)

// Statuses of check beside 0 and 2; of several the first.
const (
	statusRefused    = 1 // the file is refused, as `corosync -t` would
	statusWouldStop  = 3 // it passes that test, but the daemon would not start
	statusNoDaemon   = 6 // --live: the running daemon cannot be asked
	statusDiffers    = 4 // --against: what must be the same is not, or cannot be compared
	statusNeedsStart = 5 // --live: a reload would refuse the file, or leave some of it for a restart
)

// Verdicts on a file.
const (
	verdictAccepted  = "accepted"
	verdictRefused   = "refused"
	verdictWouldStop = "would not start"
)

const checkUsage = "usage: cpgold check FILE [--against FILE] [--live] [--json]"

// A checkReport is what check found. Its JSON is what --json prints.
type checkReport struct {
	File     string         `json:"file"`
	Format   string         `json:"format"`  // "toml" or "corosync.conf"
	Verdict  string         `json:"verdict"` // "accepted", "refused" or "would not start"
	Status   int            `json:"status"`  // the exit status
	Findings []checkFinding `json:"findings"`
	Against  *againstReport `json:"against,omitempty"`
	Live     *liveReport    `json:"live,omitempty"`
}

// A checkFinding is a finding in a file.
type checkFinding struct {
	// Severity is "error" (refused), "start error", "warning" (does not do what
	// it says) or "advice".
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"` // from 1; absent if the finding stands on no line
	Key      string `json:"key,omitempty"`  // as the file names it
	Text     string `json:"text"`

	shown string // the whole on a line
}

// An againstReport compares a file with that of another node.
type againstReport struct {
	File        string            `json:"file"`
	Error       string            `json:"error,omitempty"` // why they cannot be compared
	Differences []checkDifference `json:"differences"`
	NotCompared []string          `json:"not_compared"` // must be the same and is not in the files
}

// A checkDifference is a setting that must be the same on all nodes.
type checkDifference struct {
	Key       string `json:"key"`            // as in corosync.conf
	Name      string `json:"name"`           // as the file names it
	What      string `json:"what,omitempty"` // what differs, where key does not say it
	Here      string `json:"here"`           // values in use; "none" for what is not there
	There     string `json:"there"`
	HereLine  int    `json:"here_line,omitempty"`
	ThereLine int    `json:"there_line,omitempty"`
	Why       string `json:"why"` // what comes of it
}

// A liveReport says what the daemon that runs would make of a file.
type liveReport struct {
	Error   string        `json:"error,omitempty"`   // why the daemon cannot be asked
	Refused string        `json:"refused,omitempty"` // why it would refuse to reload the file
	Changes []checkChange `json:"changes"`
}

// A checkChange is a key that a reload would change.
type checkChange struct {
	Key     string `json:"key"`  // as in cmap
	Name    string `json:"name"` // as the file names it
	Fate    string `json:"fate"` // "changes", "stored" (in cmap only) or "restart" (not before the next start)
	Running string `json:"running"`
	New     string `json:"new"`
	Line    int    `json:"line,omitempty"`
}

// check prints what is wrong with a configuration, a finding a line, and the
// verdict behind them; with --against what must be the same on another node and
// is not, with --live what a reload would change.
func check(args []string, stdout, stderr io.Writer) int {
	var file, against string
	var live, asJSON bool
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--json":
			asJSON = true
		case a == "--live":
			live = true
		case a == "--against" && i+1 < len(args) && args[i+1] != "" && against == "":
			i++
			against = args[i]
		case file == "" && a != "" && a[0] != '-':
			file = a
		default:
			return misused(stderr, "check", "unexpected argument %q; %s", a, checkUsage)
		}
	}
	if file == "" {
		return misused(stderr, "check", "%s", checkUsage)
	}
	r := checkFile(file, conf.Host())
	r.adviseKey(conf.Host())
	if against != "" {
		r.compare(against, conf.Host())
	}
	if live {
		r.askDaemon(localMap, conf.Host())
	}
	r.Status = r.status()
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		e.Encode(r)
	} else {
		r.print(stdout)
	}
	return r.Status
}

// checkFile judges a file by itself.
func checkFile(file string, env conf.Env) *checkReport {
	r := &checkReport{File: file, Format: "corosync.conf", Verdict: verdictAccepted, Findings: []checkFinding{}}
	if conf.RunsTOML(file, env) {
		r.Format = "toml"
	}
	for _, p := range conf.Check(file, env) {
		r.Findings = append(r.Findings, checkFinding{p.Severity.String(), p.File, p.Line, p.Key, p.Text, p.String()})
		switch {
		case p.Severity == conf.Refused:
			r.Verdict = verdictRefused
		case p.Severity == conf.StartError && r.Verdict == verdictAccepted:
			r.Verdict = verdictWouldStop
		}
	}
	return r
}

// compare compares with another node's file.
func (r *checkReport) compare(other string, env conf.Env) {
	a := &againstReport{File: other, Differences: []checkDifference{}, NotCompared: []string{}}
	r.Against = a
	found, open, err := conf.CompareFiles(r.File, other, env)
	if err != nil {
		a.Error = err.Error()
		return
	}
	for _, d := range found {
		a.Differences = append(a.Differences, checkDifference{d.Key, d.Name, d.What, d.A, d.B, d.LineA, d.LineB, d.Why})
	}
	a.NotCompared = append(a.NotCompared, open...)
}

// askDaemon compares with the running daemon, whose map ask returns.
func (r *checkReport) askDaemon(ask func() ([]conf.Key, error), env conf.Env) {
	l := &liveReport{Changes: []checkChange{}}
	r.Live = l
	keys, err := ask()
	if err != nil {
		l.Error = err.Error()
		return
	}
	changes, refused, err := conf.CompareLive(r.File, keys, env)
	switch {
	case err != nil:
		l.Error = err.Error()
	case refused != nil:
		l.Refused = refused.Error()
	}
	for _, c := range changes {
		l.Changes = append(l.Changes, checkChange{c.Key, c.Name, string(c.Fate), c.Live, c.New, c.Line})
	}
}

// status is the exit status.
func (r *checkReport) status() int {
	switch {
	case r.Verdict == verdictRefused:
		return statusRefused
	case r.Verdict == verdictWouldStop:
		return statusWouldStop
	case r.Live != nil && r.Live.Error != "":
		return statusNoDaemon
	case r.Against != nil && (r.Against.Error != "" || len(r.Against.Differences) > 0):
		return statusDiffers
	case r.Live != nil && (r.Live.Refused != "" || r.Live.count(conf.FateRestart) > 0):
		return statusNeedsStart
	}
	return 0
}

func (l *liveReport) count(fate conf.Fate) (n int) {
	for _, c := range l.Changes {
		if c.Fate == string(fate) {
			n++
		}
	}
	return n
}

// print writes the report for people.
func (r *checkReport) print(w io.Writer) {
	for _, f := range r.Findings {
		fmt.Fprintln(w, f.shown)
	}
	if r.Against != nil {
		r.Against.print(w, r.File)
	}
	if r.Live != nil {
		r.Live.print(w, r.File)
	}
	verdict := r.Verdict
	if verdict == verdictWouldStop {
		verdict = "accepted by the test, but the daemon would not start"
	}
	fmt.Fprintf(w, "%s: %s\n", r.File, verdict)
	if r.Against != nil {
		fmt.Fprintln(w, r.Against.summary(r.File))
	}
	if r.Live != nil {
		fmt.Fprintln(w, r.Live.summary(r.File))
	}
}

func placeIn(file string, line int) string {
	if line == 0 {
		return file + ": "
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}

func (a *againstReport) print(w io.Writer, file string) {
	for _, d := range a.Differences {
		name := d.Name
		if d.What != "" {
			name += ", " + d.What
		}
		there := a.File
		if d.ThereLine > 0 {
			there = fmt.Sprintf("%s:%d", a.File, d.ThereLine)
		}
		fmt.Fprintf(w, "difference: %s%s: %s here, %s in %s: %s\n", placeIn(file, d.HereLine), name, d.Here, d.There, there, d.Why)
	}
	for _, n := range a.NotCompared {
		fmt.Fprintf(w, "not compared: %s\n", n)
	}
}

func (a *againstReport) summary(file string) string {
	switch n := len(a.Differences); {
	case a.Error != "":
		return fmt.Sprintf("%s: cannot be compared with %s: %s", file, a.File, a.Error)
	case n > 0:
		return fmt.Sprintf("%s: differs from %s in %s", file, a.File, counted(n, "setting that must be the same", "settings that must be the same"))
	}
	return fmt.Sprintf("%s: agrees with %s in all that must be the same", file, a.File)
}

func (l *liveReport) print(w io.Writer, file string) {
	for _, c := range l.Changes {
		fmt.Fprintf(w, "%s: %s%s: %s -> %s\n", c.Fate, placeIn(file, c.Line), c.Name, c.Running, c.New)
	}
}

func (l *liveReport) summary(file string) string {
	switch {
	case l.Error != "":
		return fmt.Sprintf("%s: cannot be compared with the running daemon: %s", file, l.Error)
	case l.Refused != "":
		return fmt.Sprintf("%s: a reload would refuse it: %s", file, l.Refused)
	case len(l.Changes) == 0:
		return fmt.Sprintf("%s: a reload would change nothing", file)
	}
	var parts []string
	if n := l.count(conf.FateChanges) + l.count(conf.FateStored); n > 0 {
		parts = append(parts, "change "+counted(n, "key", "keys"))
	}
	if n := l.count(conf.FateRestart); n > 0 {
		parts = append(parts, "leave "+counted(n, "key", "keys")+" for the next start")
	}
	return fmt.Sprintf("%s: a reload would %s", file, strings.Join(parts, ", and "))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
