package node

import (
	"fmt"

	"cpgol/daemon/logs"
)

// levelNotice is what the reference logs memberships and its own end with.
const levelNotice = logs.LevelNotice

// drop tells, at most once a second per cause, of input that was refused.
// Whoever refused it has counted it.
func (n *Node) drop(cause string, err error) { n.dropf(cause, "%s: %v", cause, err) }

func (n *Node) dropf(cause, format string, args ...any) {
	silent, ok := n.limit.Allow(n.Now(), cause)
	if !ok {
		return
	}
	text := fmt.Sprintf(format, args...)
	if silent > 0 {
		text += fmt.Sprintf(" (and %d more)", silent)
	}
	n.log.Warn(text)
}
