package conf

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readLog(t *testing.T, text string) (Logging, *Error) {
	t.Helper()
	keys, err := ParseCorosync(strings.NewReader("logging {\n"+text+"\n}\n"), "f.conf")
	if err != nil {
		t.Fatal(err)
	}
	e := referenceHost()
	return readLogging(mapOf(keys), &e)
}

func TestLoggingDefaults(t *testing.T) {
	got, err := readLog(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Logging{Timestamp: "hires", Blackbox: true, Facility: "daemon", Top: LogTarget{Stderr: true, Syslog: true,
		FilePriority: "info", SyslogPriority: "info", Debug: "off"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLoggingInheritance: a subsystem inherits all but debug, and the facility
// of the last section holds for all.
func TestLoggingInheritance(t *testing.T) {
	got, err := readLog(t, `timestamp: on
fileline: on
blackbox: off
to_stderr: no
to_logfile: yes
logfile: /var/log/cluster/a.log
logfile_priority: WARNING
syslog_facility: local3
debug: trace
logger_subsys {
subsys: TOTEM
to_syslog: off
logfile_priority: error
}
logger_subsys {
subsys: CPG
debug: on
syslog_facility: local5
logfile: /var/log/cluster/b.log
}`)
	if err != nil {
		t.Fatal(err)
	}
	top := LogTarget{Syslog: true, ToFile: true, File: "/var/log/cluster/a.log", FilePriority: "warning",
		SyslogPriority: "info", Debug: "trace"}
	totem, cpg := top, top
	totem.Syslog, totem.FilePriority, totem.Debug = false, "err", "off"
	cpg.Debug, cpg.File = "on", "/var/log/cluster/b.log"
	want := Logging{Timestamp: "on", FileLine: true, Facility: "daemon", Top: top,
		Subsystems: map[string]LogTarget{"TOTEM": totem, "CPG": cpg}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLoggingErrors covers order and texts that the corpus does not.
func TestLoggingErrors(t *testing.T) {
	many := ""
	for i := range maxSubsystems - len(ownSubsystems) {
		many += fmt.Sprintf("logger_subsys {\nsubsys: S%d\n}\n", i)
	}
	if _, err := readLog(t, many); err != nil {
		t.Errorf("a full table: %v", err)
	}
	for _, c := range []struct{ text, key, want string }{
		{"fileline: x\nfunction_name: x", "logging.fileline", "unknown value for fileline"},
		{"timestamp: x\nfunction_name: x", "logging.function_name", "unknown value for function_name"},
		{"timestamp: x\nblackbox: x", "logging.timestamp", "unknown value for timestamp"},
		{"blackbox: x\nto_stderr: x", "logging.blackbox", "unknown value for blackbox"},
		{"to_file: x\nto_logfile: x", "logging.to_file", "unknown value for to_file"},
		{"syslog_level: x\nsyslog_priority: x", "logging.syslog_level", "unknown syslog level specified"},
		{"logfile_priority: x\ndebug: x", "logging.logfile_priority", "unknown logfile priority specified"},
		{"syslog_facility: LOCAL3", "logging.syslog_facility", "unknown syslog facility specified"},
		{"logfile:", "logging.logfile", "Can't open logfile '' for reason: No such file or directory (2)"},
		{"logger_subsys {\nsubsys: A\nto_syslog: x\n}", "logging.logger_subsys.A.to_syslog", "unknown value for to_syslog"},
		{many + "logger_subsys {\nsubsys: TOTEM\n}", "logging.logger_subsys.TOTEM.subsys", "unable to create new logging subsystem"},
	} {
		_, err := readLog(t, c.text)
		if err == nil || err.Key != c.key || err.Text != c.want || err.Status != statusLogging {
			t.Errorf("%.40q: %+v, want %s", c.text, err, c.want)
		}
	}
}

// TestLoggingOldNames: at top level they are checked and then forgotten.
func TestLoggingOldNames(t *testing.T) {
	got, err := readLog(t, "to_file: yes\nsyslog_level: debug\nlogger_subsys {\nsubsys: A\nto_file: yes\nsyslog_level: debug\n}")
	if err != nil || got.Top.ToFile || got.Top.SyslogPriority != "info" || !got.Subsystems["A"].ToFile ||
		got.Subsystems["A"].SyslogPriority != "debug" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestLogfileReason takes errors of the fs package, too.
func TestLogfileReason(t *testing.T) {
	e := Env{TryLog: func(string) error { return fs.ErrPermission }}
	keys := newKeyMap()
	keys.setText("logging.logfile", "/x")
	_, err := readLogging(keys, &e)
	if err == nil || err.Stock() != "parse error in config: Can't open logfile '/x' for reason: Permission denied (13)." {
		t.Error(err)
	}
}
