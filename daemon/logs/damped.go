package logs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// A Clock is the loop's time and its timers.
type Clock struct {
	Now   func() time.Duration
	After func(d time.Duration, f func())
}

// burst is how many lines of a kind are logged in a row.
const burst = 10

// Damped is log for a part that tells of a state which changes now and then, and
// which peers can make change all the time: a membership, a link. Of each kind of
// line, told by its text up to the first number, ten are logged in a row and then
// one a second, with how many were left out, and the last one in any case. Debug
// lines pass as they are. It belongs to one goroutine.
func Damped(log *slog.Logger, c Clock) *slog.Logger {
	return slog.New(&damped{log.Handler(), c, map[string]*kind{}})
}

type damped struct {
	slog.Handler
	clock Clock
	kinds map[string]*kind
}

type kind struct {
	spare   int           // lines that may be logged at once
	since   time.Duration // when spare last grew
	kept    *slog.Record  // the last line left out
	handler slog.Handler  // where it goes
	silent  int           // lines left out, it too
}

func (h *damped) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return h.Handler.Handle(ctx, r)
	}
	k := h.kind(r.Message)
	if k.kept == nil && k.spare > 0 {
		k.spare--
		return h.Handler.Handle(ctx, r)
	}
	if k.kept == nil {
		h.clock.After(time.Second, func() { h.release(ctx, k) })
	}
	kept := r.Clone()
	k.kept, k.handler = &kept, h.Handler
	k.silent++
	return nil
}

// kind finds a line's kind, with what time has added to its spare lines.
func (h *damped) kind(text string) *kind {
	if i := strings.IndexAny(text, "0123456789["); i >= 0 {
		text = text[:i]
	}
	now := h.clock.Now()
	k := h.kinds[text]
	if k == nil {
		k = &kind{spare: burst, since: now}
		h.kinds[text] = k
	}
	if grown := int((now - k.since) / time.Second); grown > 0 {
		k.spare = min(k.spare+grown, burst)
		k.since += time.Duration(grown) * time.Second
	}
	return k
}

// release logs the last line that was left out.
func (h *damped) release(ctx context.Context, k *kind) {
	r := k.kept
	if k.silent > 1 {
		r.Message += fmt.Sprintf(" (and %d before)", k.silent-1)
	}
	k.handler.Handle(ctx, *r)
	k.kept, k.silent, k.spare, k.since = nil, 0, 0, h.clock.Now()
}

// WithAttrs and WithGroup keep the measure, which they share with h.
func (h *damped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &damped{h.Handler.WithAttrs(attrs), h.clock, h.kinds}
}

func (h *damped) WithGroup(name string) slog.Handler {
	return &damped{h.Handler.WithGroup(name), h.clock, h.kinds}
}
