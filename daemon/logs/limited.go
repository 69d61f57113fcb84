package logs

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Limited is log for a part whose lines peers or clients can cause at will: each
// place in the program that logs through it does so at most once a second by now,
// and tells then how many lines it kept. Errors are always logged. It belongs to
// one goroutine, like a [Limiter].
func Limited(log *slog.Logger, now func() time.Duration) *slog.Logger {
	return slog.New(&limited{log.Handler(), now, new(Limiter)})
}

type limited struct {
	slog.Handler
	now   func() time.Duration
	limit *Limiter
}

func (h *limited) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		return h.Handler.Handle(ctx, r)
	}
	silent, ok := h.limit.Allow(h.now(), strconv.FormatUint(uint64(r.PC), 16))
	if !ok {
		return nil
	}
	if silent > 0 {
		r.Message += fmt.Sprintf(" (and %d more)", silent)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the limit, which they share with h.
func (h *limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &limited{h.Handler.WithAttrs(attrs), h.now, h.limit}
}

func (h *limited) WithGroup(name string) slog.Handler {
	return &limited{h.Handler.WithGroup(name), h.now, h.limit}
}
