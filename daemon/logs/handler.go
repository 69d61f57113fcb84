package logs

import (
	"context"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Subsystem is log for another subsystem, such as TOTEM.
func Subsystem(log *slog.Logger, name string) *slog.Logger {
	if h, ok := log.Handler().(*handler); ok {
		return slog.New(&handler{w: h.w, subsystem: name, attrs: h.attrs})
	}
	return log.With("subsystem", name)
}

// handler is one subsystem's end of the queue.
type handler struct {
	w         *Writer
	subsystem string
	attrs     string
}

var _ slog.Handler = (*handler)(nil)

func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	opt := h.w.opt.Load()
	return opt.Blackbox && l >= LevelTrace || l >= opt.lowest(opt.target(h.subsystem))
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += attrText(a)
		return true
	})
	select {
	case h.w.queue <- line{r.Time, r.Level, h.subsystem, printable(text), r.PC}:
	default:
		opt := h.w.opt.Load()
		if r.Level >= opt.lowest(opt.target(h.subsystem)) {
			h.w.dropped.Add(1)
		}
	}
	return nil
}

// longest is where a line is cut. The reference cuts at 512 bytes.
const longest = 2048

// printable is text with what is not replaced, so that nobody whose words are
// logged (a peer's reason, a process's name) writes lines of his own.
func printable(text string) string {
	if len(text) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r // an invalid byte is the replacement character by now
	}, text)
}

func attrText(a slog.Attr) string { return " " + a.Key + "=" + a.Value.String() }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	for _, a := range attrs {
		n.attrs += attrText(a)
	}
	return &n
}

func (h *handler) WithGroup(string) slog.Handler { return h }
