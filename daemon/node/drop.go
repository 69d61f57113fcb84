package node

import (
	"fmt"
	"log/slog"
	"time"

	"cpgol/daemon/logs"
)

// levelNotice is what the reference logs memberships and its own end with.
const levelNotice = logs.LevelNotice

// drop counts input that was refused and tells of it, at most once a second per
// cause.
func (n *Node) drop(cause string, err error) { n.dropf(cause, "%s: %v", cause, err) }

func (n *Node) dropf(cause, format string, args ...any) {
	if silent, ok := n.limit.Allow(n.Now(), cause); ok {
		n.log.Warn(fmt.Sprintf(format, args...) + more(silent))
	}
}

// more tells of lines that were kept.
func more(silent int) string {
	if silent == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", silent)
}

// damped is a subsystem's log for what it tells of memberships.
func (n *Node) damped(subsystem string) *slog.Logger {
	return logs.Damped(logs.Subsystem(n.log, subsystem), logs.Clock{
		Now:   n.Now,
		After: func(d time.Duration, f func()) { n.timers.after(n.Now()+d, f) },
	})
}

// limited is a subsystem's log for a service whose lines peers can cause.
func (n *Node) limited(subsystem string) *slog.Logger {
	return logs.Limited(logs.Subsystem(n.log, subsystem), n.Now)
}
