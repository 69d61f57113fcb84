package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/totem"
)

var (
	self  = Member{Node: 1, PID: 10}
	alice = Member{Node: 2, PID: 20}
	bob   = Member{Node: 3, PID: 30}
)

func viewOf(epoch uint64) View { return View{Ring: totem.RingID{Rep: 1, Seq: 4}, Epoch: epoch} }

// small limits make short tests.
var small = Config{SmallLimit: 10, LargeLimit: 100, Window: 300, Credit: 400, AckTimeout: time.Second, Backoff: time.Second, MaxBackoff: 4 * time.Second}

// A rig is a core whose effects are told in words.
type rig struct {
	*Core
	t   *testing.T
	out Output
	now time.Duration
}

func newRig(t *testing.T, cfg Config) *rig { return &rig{Core: New(self, cfg), t: t} }

// on begins a view with everybody up, who take limit bytes.
func (r *rig) on(epoch, limit uint64, others ...Member) {
	r.ViewOn(r.now, viewOf(epoch), append([]Member{self}, others...), &r.out)
	for _, m := range others {
		r.PeerUp(r.now, m, viewOf(epoch), &r.out)
		r.Held(r.now, m, viewOf(epoch), 0, limit, &r.out)
	}
	r.out.Reset()
}

func (r *rig) say(name string, size int) error {
	return r.Send(r.now, &message{name, size}, &r.out)
}

func (r *rig) held(m Member, seq, limit uint64) {
	r.Held(r.now, m, r.View(), seq, limit, &r.out)
}

func (r *rig) arrives(m Member, seq uint64, name string, size int) {
	r.Arrived(m, r.View(), seq, &message{name, size}, &r.out)
}

func (r *rig) ordered(m Member, first uint64, count uint32) {
	r.Ordered(r.now, r.View(), m, first, count, &r.out)
}

// expect compares what the core wants now.
func (r *rig) expect(what string, want ...string) {
	r.t.Helper()
	var got []string
	for i := range r.out.Effects {
		got = append(got, words(&r.out.Effects[i]))
	}
	if d := cmp.Diff(want, got); d != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, d)
	}
	r.out.Reset()
}

func words(e *Effect) string {
	who := func(m Member) string {
		return map[Member]string{self: "self", alice: "alice", bob: "bob"}[m]
	}
	name := ""
	if m, ok := e.Payload.(*message); ok {
		name = m.name
	}
	switch e.Kind {
	case Transmit:
		var to []string
		for _, m := range e.To {
			to = append(to, who(m))
		}
		return fmt.Sprintf("transmit %s #%d to %s", name, e.Seq, strings.Join(to, ", "))
	case Hold:
		return fmt.Sprintf("hold #%d of %s, takes %d", e.Seq, who(e.Peer), e.Credit)
	case Submit:
		return fmt.Sprintf("submit #%d+%d", e.Seq, e.Count)
	case Release:
		return fmt.Sprintf("release %s of %s", name, who(e.From))
	case Drop:
		return "drop " + name
	case Suspend:
		return "suspend " + who(e.Peer)
	case Announce:
		return "announce"
	case Room:
		return "room"
	case Broken:
		return "broken by " + who(e.Peer)
	}
	return "?"
}
