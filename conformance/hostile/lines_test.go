package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"time"
)

// A lineCounter counts what nodes log, by second and cause: the text without
// its numbers.
type lineCounter struct {
	counts map[lineKey]int
	keep   bool
	kept   []string
}

type lineKey struct {
	node   uint32
	second int64
	cause  string
}

func newLineCounter() *lineCounter { return &lineCounter{counts: map[lineKey]int{}} }

// A lineHandler is one node's log.
type lineHandler struct {
	c *lineCounter
	n *node
}

var _ slog.Handler = (*lineHandler)(nil)

// Enabled is stock's default: info and above.
func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	now := h.n.w.now
	if h.c.keep {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		h.c.kept = append(h.c.kept, fmt.Sprintf("%12v node %d %v %s", now.Round(time.Microsecond), h.n.id, r.Level, text))
	}
	h.c.counts[lineKey{h.n.id, int64(now / time.Second), causeOf(r.Message)}]++
	return nil
}

func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *lineHandler) WithGroup(string) slog.Handler      { return h }

// causeOf is a line's text with every number made the same.
func causeOf(text string) string {
	var b strings.Builder
	number := false
	for _, r := range text {
		digit := r >= '0' && r <= '9'
		if !digit {
			b.WriteRune(r)
		} else if !number {
			b.WriteByte('#')
		}
		number = digit
	}
	return b.String()
}

// maxMemberships is how many lines of one kind tell of memberships in a second:
// ten are logged in a row.
const maxMemberships = 12

// memberships begin the lines that tell of one.
var memberships = []string{
	"A new membership (", "Members", "Sync ", "Completed service synchronization", "Failed to receive the leave message",
	"This node is within the", "A processor failed, forming new configuration", "Token has not been received",
}

// worst lists the causes with more than limit lines in one second of one node.
func (c *lineCounter) worst(limit int) (list []string) {
	most := map[string]int{}
	for k, n := range c.counts {
		if slices.ContainsFunc(memberships, func(m string) bool { return strings.HasPrefix(k.cause, m) }) {
			n -= maxMemberships - limit
		}
		if n > limit {
			most[k.cause] = max(most[k.cause], n)
		}
	}
	for cause, n := range most {
		list = append(list, fmt.Sprintf("%d times in a second: %s", n, cause))
	}
	sort.Strings(list)
	return list
}
