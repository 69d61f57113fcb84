package conf

import (
	"slices"
	"strings"
)

// Logging is the logging section with its defaults, as used.
type Logging struct {
	Timestamp    string // "off", "on" (seconds), "hires" (milliseconds)
	FileLine     bool
	FunctionName bool
	Blackbox     bool
	// Facility is syslog's, by its name in lower case. The last subsystem in
	// the order of names decides over all, even one that does not name it.
	Facility string
	// Top holds for every subsystem that has no settings of its own.
	Top LogTarget
	// Subsystems are those with a section of their own, complete: what a
	// section leaves out is inherited, except Debug, which is then "off".
	Subsystems map[string]LogTarget
}

// A LogTarget says where a subsystem's lines go and which they are.
type LogTarget struct {
	Stderr, Syslog, ToFile bool
	File                   string // path; may be set while ToFile is off
	// Priorities are lower case: emerg alert crit err warning notice info debug.
	FilePriority, SyslogPriority string
	Debug                        string // "off", "on", "trace"
}

// Sizes of the reference's table of subsystems (include/corosync/logsys.h).
const (
	maxSubsystems = 32 // LOGSYS_MAX_SUBSYS_COUNT
	maxSubsysName = 64 // LOGSYS_MAX_SUBSYS_NAMELEN, with the final zero
)

// ownSubsystems are in the reference's table before the configuration is read.
var ownSubsystems = strings.Fields("APIDEF CFG CMAP CPG MAIN MON PLOAD QB QUORUM SERV STATS SYNC VOTEQ WD YKD")

// facilities are libqb's names (lib/log_format.c).
var facilities = strings.Fields("auth authpriv cron daemon ftp kern lpr mail news syslog user uucp " +
	"local0 local1 local2 local3 local4 local5 local6 local7")

// priorityNames maps what may be written, in any case, to syslog's names.
var priorityNames = map[string]string{
	"emerg": "emerg", "alert": "alert", "crit": "crit", "err": "err", "error": "err",
	"warning": "warning", "notice": "notice", "info": "info", "debug": "debug",
}

// A logReader reads the logging section in the reference's order
// (exec/logconfig.c:corosync_main_config_read_logging).
type logReader struct {
	keys *keyMap
	env  *Env
	log  Logging
	made int      // subsystems in the table
	open []string // log files that are open already
}

// readLogging returns the settings, or the first wrong one.
func readLogging(keys *keyMap, env *Env) (Logging, *Error) {
	r := &logReader{keys: keys, env: env, made: len(ownSubsystems)}
	r.log = Logging{Timestamp: "hires", Blackbox: true, Facility: "daemon",
		Top: LogTarget{Stderr: true, Syslog: true, FilePriority: "info", SyslogPriority: "info", Debug: "off"}}
	if err := r.readFormat(); err != nil {
		return r.log, err
	}
	if err := r.readTarget("logging", &r.log.Top, true); err != nil {
		return r.log, err
	}
	return r.log, r.readSubsystems()
}

func badLog(key, text string) *Error { return refuse(roundLogging, key, "%s", text) }

// readFormat reads what holds for all subsystems.
func (r *logReader) readFormat() *Error {
	for _, s := range []struct {
		name string
		to   *bool
	}{{"fileline", &r.log.FileLine}, {"function_name", &r.log.FunctionName}, {"", nil}, {"blackbox", &r.log.Blackbox}} {
		if s.to == nil {
			if text, ok := r.keys.text("logging.timestamp"); ok {
				if !slices.Contains([]string{"on", "off", "hires"}, text) {
					return badLog("logging.timestamp", "unknown value for timestamp")
				}
				r.log.Timestamp = text
			}
			continue
		}
		text, ok := r.keys.text("logging." + s.name)
		switch {
		case !ok:
		case text == "on", text == "off":
			*s.to = text == "on"
		default:
			return badLog("logging."+s.name, "unknown value for "+s.name)
		}
	}
	return nil
}

// readTarget reads one subsystem's settings, or the top level's, over what it
// inherits (corosync_main_config_set).
func (r *logReader) readTarget(path string, l *LogTarget, top bool) *Error {
	if err := r.readSwitch(path, "to_stderr", &l.Stderr); err != nil {
		return err
	}
	if err := r.readSwitch(path, "to_syslog", &l.Syslog); err != nil {
		return err
	}
	r.log.Facility = "daemon" // also when a subsystem is silent about it
	if text, ok := r.keys.text(path + ".syslog_facility"); ok {
		if !slices.Contains(facilities, text) {
			return badLog(path+".syslog_facility", "unknown syslog facility specified")
		}
		r.log.Facility = text
	}
	if err := r.readPriority(path, "syslog_level", "syslog level", &l.SyslogPriority); err != nil {
		return err
	}
	if top {
		l.SyslogPriority = "info" // the old name has no effect at top level
	}
	if err := r.readPriority(path, "syslog_priority", "syslog priority", &l.SyslogPriority); err != nil {
		return err
	}
	if text, ok := r.keys.text(path + ".logfile"); ok {
		if err := r.openLog(path, text); err != nil {
			return err
		}
		l.File = text
	}
	if err := r.readSwitch(path, "to_file", &l.ToFile); err != nil {
		return err
	}
	if _, ok := r.keys.text(path + ".to_logfile"); top && !ok {
		l.ToFile = false // nor has this one
	}
	if err := r.readSwitch(path, "to_logfile", &l.ToFile); err != nil {
		return err
	}
	if err := r.readPriority(path, "logfile_priority", "logfile priority", &l.FilePriority); err != nil {
		return err
	}
	l.Debug = "off"
	if text, ok := r.keys.text(path + ".debug"); ok {
		if !slices.Contains([]string{"off", "on", "trace"}, text) {
			return badLog(path+".debug", "unknown value for debug")
		}
		l.Debug = text
	}
	return nil
}

func (r *logReader) readSwitch(path, name string, to *bool) *Error {
	text, ok := r.keys.text(path + "." + name)
	if !ok {
		return nil
	}
	switch text {
	case "yes", "on":
		*to = true
	case "no", "off":
		*to = false
	default:
		return badLog(path+"."+name, "unknown value for "+name)
	}
	return nil
}

func (r *logReader) readPriority(path, name, what string, to *string) *Error {
	text, ok := r.keys.text(path + "." + name)
	if !ok {
		return nil
	}
	p, ok := priorityNames[strings.ToLower(text)]
	if !ok {
		return badLog(path+"."+name, "unknown "+what+" specified")
	}
	*to = p
	return nil
}

// openLog checks that a log file can be opened, which the reference does even
// for one that is not used, and once for each.
func (r *logReader) openLog(path, file string) *Error {
	if slices.Contains(r.open, file) {
		return nil
	}
	if err := r.env.tryLog(file); err != nil {
		return refuse(roundLogging, path+".logfile", "Can't open logfile '%s' for reason: %s (%d)",
			file, strerror(err), int(errnoOf(err)))
	}
	r.open = append(r.open, file)
	return nil
}

const subsysPrefix = "logging.logger_subsys."

// readSubsystems reads the sections of subsystems, in the order of names.
func (r *logReader) readSubsystems() *Error {
	for _, key := range r.keys.prefix(subsysPrefix) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(key, subsysPrefix), ".")
		if name == "" || rest != "subsys" {
			continue
		}
		if len(name) >= maxSubsysName {
			return badLog(key, "unable to create new logging subsystem")
		}
		if !slices.Contains(ownSubsystems, name) {
			if r.made++; r.made > maxSubsystems {
				return badLog(key, "unable to create new logging subsystem")
			}
		}
		target := r.log.Top
		target.Debug = "off"
		if err := r.readTarget(subsysPrefix+name, &target, false); err != nil {
			return err
		}
		if r.log.Subsystems == nil {
			r.log.Subsystems = make(map[string]LogTarget)
		}
		r.log.Subsystems[name] = target
	}
	return nil
}
