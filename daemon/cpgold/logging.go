package main

import (
	"io"
	"log/slog"
	"log/syslog"

	"cpgol/compat/conf"
	"cpgol/daemon/logs"
)

// levels are syslog's priorities as levels of ours.
var levels = map[string]slog.Level{
	"emerg": logs.LevelEmerg, "alert": logs.LevelAlert, "crit": logs.LevelCrit, "err": slog.LevelError,
	"warning": slog.LevelWarn, "notice": logs.LevelNotice, "info": slog.LevelInfo, "debug": slog.LevelDebug,
}

// debugLevels take the place of both levels (exec/logsys.c:_logsys_config_apply_per_file).
var debugLevels = map[string]slog.Level{"on": slog.LevelDebug, "trace": logs.LevelTrace}

var timestamps = map[string]logs.Timestamp{"off": logs.NoTime, "on": logs.Seconds, "hires": logs.Milliseconds}

var facilities = map[string]syslog.Priority{
	"auth": syslog.LOG_AUTH, "authpriv": syslog.LOG_AUTHPRIV, "cron": syslog.LOG_CRON, "daemon": syslog.LOG_DAEMON,
	"ftp": syslog.LOG_FTP, "kern": syslog.LOG_KERN, "lpr": syslog.LOG_LPR, "mail": syslog.LOG_MAIL,
	"news": syslog.LOG_NEWS, "syslog": syslog.LOG_SYSLOG, "user": syslog.LOG_USER, "uucp": syslog.LOG_UUCP,
	"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2, "local3": syslog.LOG_LOCAL3,
	"local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
}

// logOptions turns the logging section into where lines go. Whether stderr and
// syslog get any is for the whole: the reference reads to_stderr and to_syslog of
// subsystems and then makes nothing of them (exec/logsys.c:_logsys_config_mode_set_unlocked).
func logOptions(c *conf.Config, stderr io.Writer) logs.Options {
	l := c.Logging
	o := logs.Options{
		Syslog: l.Top.Syslog, Facility: facilities[l.Facility], Timestamp: timestamps[l.Timestamp],
		FileLine: l.FileLine, Function: l.FunctionName, Blackbox: l.Blackbox,
		Target: logTarget(l.Top), Subsystems: map[string]logs.Target{},
	}
	if l.Top.Stderr {
		o.Stderr = stderr
	}
	for name, s := range l.Subsystems {
		o.Subsystems[name] = logTarget(s)
	}
	return o
}

// logTarget turns the settings of a subsystem, or of all others, into levels. In the
// reference a subsystem that wants nothing in the file which it shares with others
// has it closed for all of them; here it means itself.
func logTarget(s conf.LogTarget) logs.Target {
	t := logs.Target{Level: levels[s.FilePriority], SyslogLevel: levels[s.SyslogPriority]}
	if level, ok := debugLevels[s.Debug]; ok {
		t.Level, t.SyslogLevel = level, level
	}
	if s.ToFile {
		t.File = s.File
	}
	return t
}
