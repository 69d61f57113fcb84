package cpg

import (
	"slices"
	"time"

	"cpgol/daemon/service"
	"cpgol/wire/totem"
)

// loose is a host of node 1 that only keeps what is sent: for tests that play
// the ring themselves.
type loose struct {
	sent    [][]byte
	limited bool
	room    int // messages until the queue is full, if limited
	syncing bool
	forget  bool // do not keep what is sent
	later   []func()
}

var _ service.Host = (*loose)(nil)

func (h *loose) Self() totem.NodeID   { return 1 }
func (h *loose) Now() time.Duration   { return 0 }
func (h *loose) SyncInProgress() bool { return h.syncing }
func (h *loose) Shutdown(string)      {}
func (h *loose) Exit(int, string)     {}
func (h *loose) After(_ time.Duration, f func()) func() {
	h.later = append(h.later, f)
	return func() {}
}

func (h *loose) Multicast(head, body []byte) error {
	if h.limited {
		if h.room == 0 {
			return service.ErrQueueFull
		}
		h.room--
	}
	if !h.forget {
		h.sent = append(h.sent, slices.Concat(head, body))
	}
	return nil
}

// deaf is a connection that only counts what it is told.
type deaf struct {
	events, bytes, answers int
}

var _ service.Conn = (*deaf)(nil)

func (c *deaf) Respond([]byte)          { c.answers++ }
func (c *deaf) Event(head, body []byte) { c.events++; c.bytes += len(head) + len(body) }
func (c *deaf) PID() uint32             { return 10 }
func (c *deaf) UID() uint32             { return 0 }
func (c *deaf) GID() uint32             { return 0 }
func (c *deaf) Serial() uint64          { return 1 }
