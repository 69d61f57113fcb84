package logs

import (
	"io"
	"log/slog"
	"log/syslog"
)

// Options say which lines go where, and what they look like.
type Options struct {
	Stderr io.Writer // nil: none
	Syslog bool
	// Facility is syslog's, as a number already shifted (log/syslog); 0 means daemon.
	Facility syslog.Priority
	// Timestamp is in front of lines, but not of syslog's, which has its own.
	Timestamp Timestamp
	// FileLine and Function name the place in this program behind the subsystem.
	FileLine, Function bool
	// Blackbox keeps the last lines of every level in memory ([Writer.Dump]).
	Blackbox bool
	// Target holds for subsystems that are not in Subsystems.
	Target
	Subsystems map[string]Target
}

// A Target says which lines of a subsystem are written. Stderr goes by the level
// of the file, as with the reference (exec/logsys.c:_logsys_config_apply_per_file).
type Target struct {
	File               string // empty: none; opened for appending
	Level, SyslogLevel slog.Level
}

// A Timestamp is a form of the time.
type Timestamp uint8

// The forms: none, to the second, to the millisecond.
const (
	NoTime Timestamp = iota
	Seconds
	Milliseconds
)

// target is what holds for a subsystem.
func (o *Options) target(subsystem string) Target {
	if t, ok := o.Subsystems[subsystem]; ok {
		return t
	}
	return o.Target
}

// lowest is the lowest level that goes anywhere but to the flight recorder.
func (o *Options) lowest(t Target) slog.Level {
	low := slog.Level(1 << 20)
	if o.Stderr != nil || t.File != "" {
		low = t.Level
	}
	if o.Syslog {
		low = min(low, t.SyslogLevel)
	}
	return low
}
