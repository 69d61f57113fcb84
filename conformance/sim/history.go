package sim

import (
	"fmt"

	"cpgol/daemon/engine"
	"cpgol/wire/totem"
)

// An entry is one thing that a node was told, or said, in the order in which it
// happened there. Exactly one of conf, synced, sent and kind says what.
type entry struct {
	conf   *engine.Configuration
	synced bool // the synchronisation of ring is over
	sent   bool // this node sent speech
	kind   messageKind

	ring   totem.RingID
	from   totem.NodeID
	speech speech
}

// A messageKind says who a delivered message is for.
type messageKind uint8

const (
	kindNone messageKind = iota
	kindApplication
	kindService
	kindSync
)

func (e entry) String() string {
	switch {
	case e.conf != nil:
		return fmt.Sprintf("%v %v %v left %v joined %v", e.conf.Kind, e.conf.Ring, e.conf.Members, e.conf.Left, e.conf.Joined)
	case e.synced:
		return fmt.Sprintf("synchronised %v", e.ring)
	case e.sent:
		return fmt.Sprintf("sends %v", e.speech)
	}
	return fmt.Sprintf("hears %v of %d in %v (kind %d)", e.speech, e.from, e.ring, e.kind)
}

func (l *life) note(e entry) { l.history = append(l.history, e) }

func (l *life) name() string { return fmt.Sprintf("node %d (life %d)", l.id, l.number) }
