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
	"emerg": slog.LevelError, "alert": slog.LevelError, "crit": slog.LevelError, "err": slog.LevelError,
	"warning": slog.LevelWarn, "notice": logs.LevelNotice, "info": slog.LevelInfo, "debug": slog.LevelDebug,
}

var facilities = map[string]syslog.Priority{
	"auth": syslog.LOG_AUTH, "authpriv": syslog.LOG_AUTHPRIV, "cron": syslog.LOG_CRON, "daemon": syslog.LOG_DAEMON,
	"ftp": syslog.LOG_FTP, "kern": syslog.LOG_KERN, "lpr": syslog.LOG_LPR, "mail": syslog.LOG_MAIL,
	"news": syslog.LOG_NEWS, "syslog": syslog.LOG_SYSLOG, "user": syslog.LOG_USER, "uucp": syslog.LOG_UUCP,
	"local0": syslog.LOG_LOCAL0, "local1": syslog.LOG_LOCAL1, "local2": syslog.LOG_LOCAL2, "local3": syslog.LOG_LOCAL3,
	"local4": syslog.LOG_LOCAL4, "local5": syslog.LOG_LOCAL5, "local6": syslog.LOG_LOCAL6, "local7": syslog.LOG_LOCAL7,
}

// logOptions turns the logging section into where lines go.
func logOptions(c *conf.Config, stderr io.Writer) logs.Options {
	l := c.Logging
	o := logs.Options{
		Level: levels[l.Top.FilePriority], SyslogLevel: levels[l.Top.SyslogPriority],
		Syslog: l.Top.Syslog, Facility: facilities[l.Facility],
		Timestamp: l.Timestamp != "off", Debug: map[string]bool{},
	}
	if l.Top.Debug != "off" {
		o.Level, o.SyslogLevel = slog.LevelDebug, slog.LevelDebug
	}
	if l.Top.Stderr {
		o.Stderr = stderr
	}
	if l.Top.ToFile {
		o.File = l.Top.File
	}
	for name, s := range l.Subsystems {
		o.Debug[name] = s.Debug != "off"
	}
	return o
}
