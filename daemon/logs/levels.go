package logs

import "log/slog"

// Levels are syslog's priorities. LevelNotice is what an administrator expects to
// read, LevelTrace what only the flight recorder and "debug: trace" take.
const (
	LevelTrace  = slog.LevelDebug - 4
	LevelNotice = slog.LevelInfo + 2
	LevelCrit   = slog.LevelError + 4
	LevelAlert  = slog.LevelError + 8
	LevelEmerg  = slog.LevelError + 12
)

// priorities in the order of their numbers (syslog(3)), with the names that the
// reference writes (libqb lib/log_format.c:prioritynames); trace is libqb's own.
var priorities = [...]struct {
	level slog.Level
	name  string
}{
	{LevelEmerg, "emerg"}, {LevelAlert, "alert"}, {LevelCrit, "crit"}, {slog.LevelError, "error"}, {slog.LevelWarn, "warning"},
	{LevelNotice, "notice"}, {slog.LevelInfo, "info"}, {slog.LevelDebug, "debug"}, {LevelTrace, "trace"},
}

// priority is a level's number, that of the next lower level if it has none.
func priority(l slog.Level) int {
	for i, p := range priorities {
		if l >= p.level {
			return i
		}
	}
	return len(priorities) - 1
}

func levelName(l slog.Level) string { return priorities[priority(l)].name }
