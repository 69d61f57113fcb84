package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Exit statuses of the reference daemon (exec/util.h, enum e_corosync_done).
const (
	statusLogging  = 7
	statusConfig   = 8
	statusFatal    = 15
	statusStateDir = 16
	statusService  = 20
)

// A round is the part of the reading in which an error was found. It decides
// how stock words the line it prints.
type round uint8

const (
	roundOpen    round = iota // the file cannot be read
	roundParse                // grammar, number and word checks, uidgid.d
	roundLogging              // logging section
	roundTotem                // totem: text printed as it is
	roundConfig               // totem: text printed behind "parse error in config: "
	roundStart                // found out by starting
	roundTOML                 // not in stock's language
)

// An Error says why a configuration is refused.
type Error struct {
	File   string // path as given; a file of uidgid.d if the error is there
	Line   int    // from 1; 0 if the error stands on no line (something is missing)
	Key    string // the key to blame, if one is
	Text   string // what is wrong, in stock's words where stock has words for it
	Status int    // exit status of the reference daemon

	round round
}

// Error returns file, line, key and text, without the parts that are unknown.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.File != "" {
		b.WriteString(": ")
	}
	if e.Key != "" && (e.round == roundTOML || !strings.Contains(e.Text, e.Key)) {
		b.WriteString(e.Key)
		b.WriteString(": ")
	}
	b.WriteString(e.Text)
	return b.String()
}

// Buffers of exec/coroparse.c that hold an error's text.
const (
	parseLineSize = 384 // parse_section: formated_err
	parseTextSize = 256 // main_config_parser_cb: formated_err
)

const unformatted = "Can't format parser error message"

// Stock returns the line that stock corosync prints for this error, without
// time stamp, level and subsystem.
func (e *Error) Stock() string {
	switch e.round {
	case roundParse:
		s := fmt.Sprintf("parser error: %s:%d: %s", e.File, e.Line, e.Text)
		if len(s) >= parseLineSize {
			return unformatted
		}
		return s
	case roundLogging:
		return "parse error in config: " + e.Text + "."
	case roundConfig:
		return "parse error in config: " + e.Text
	case roundTOML:
		return e.Error()
	}
	return e.Text
}

// A Severity tells how much a [Problem] matters.
type Severity uint8

const (
	// Advice: the file works as meant, and an experienced administrator would
	// write something else.
	Advice Severity = iota
	// Warning: the file works, but probably not as meant.
	Warning
	// StartError: `corosync -t` accepts the file, and the daemon refuses to
	// start with it.
	StartError
	// Refused: `corosync -t` refuses the file.
	Refused
)

func (s Severity) String() string {
	switch s {
	case Refused:
		return "error"
	case StartError:
		return "start error"
	case Warning:
		return "warning"
	}
	return "advice"
}

// A Problem is one finding of [Check].
type Problem struct {
	Severity Severity
	*Error
}

// String returns severity, place and text on one line.
func (p Problem) String() string { return p.Severity.String() + ": " + p.Error.Error() }

// sortProblems orders findings as they are best read: by line, the gravest
// first where they stand together, those without a line at the end.
func sortProblems(p []Problem) {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		if c := cmp.Compare(a.Line, b.Line); c != 0 {
			return c
		}
		return cmp.Compare(b.Severity, a.Severity)
	})
}

// refuse makes an error of the totem rounds; the caller of the round adds file
// and line.
func refuse(r round, key, format string, args ...any) *Error {
	status := statusConfig
	if r == roundLogging {
		status = statusLogging
	}
	return &Error{Key: key, Text: fmt.Sprintf(format, args...), Status: status, round: r}
}
