package logs

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// write puts the time in front of a line.
func (t Timestamp) write(b *bytes.Buffer, at time.Time) {
	switch t {
	case Seconds:
		b.WriteString(at.Format("Jan 02 15:04:05 "))
	case Milliseconds:
		b.WriteString(at.Format("Jan 02 15:04:05.000 "))
	}
}

// syslogBlanks begin a line of syslog's: the reference takes priority and time away
// and leaves the blanks behind them (exec/logsys.c:logsys_format_set), which patterns
// that read such lines have learnt.
func (t Timestamp) syslogBlanks(b *bytes.Buffer) {
	if t != NoTime {
		b.WriteByte(' ')
	}
	b.WriteByte(' ')
}

// body is what every destination gets of a line
// (exec/logconfig.c:corosync_main_config_format_set).
func (o *Options) body(b *bytes.Buffer, l line) {
	fmt.Fprintf(b, "[%-6.6s] ", l.subsystem)
	if o.FileLine || o.Function {
		file, function, number := place(l.pc)
		switch {
		case o.FileLine && o.Function:
			fmt.Fprintf(b, "%s:%s:%d ", file, function, number)
		case o.FileLine:
			fmt.Fprintf(b, "%s:%d ", file, number)
		default:
			fmt.Fprintf(b, "%s ", function)
		}
	}
	b.WriteString(l.text)
}

// place says where in this program a line was logged, by names without their
// package.
func place(pc uintptr) (file, function string, number int) {
	if pc == 0 {
		return "-", "-", 0
	}
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	function = f.Function
	if i := strings.LastIndexByte(function, '.'); i >= 0 {
		function = function[i+1:]
	}
	return filepath.Base(f.File), function, f.Line
}
