package engine

import "cpgol/wire/totem"

// An EffectKind tells effects apart.
type EffectKind uint8

// The kinds of effects.
const (
	// Multicast sends Packet to every other node.
	Multicast EffectKind = iota
	// Unicast sends Packet to the node To, never oneself.
	Unicast
	// Loopback hands Packet back to Receive once all effects have been
	// performed. It stays intact until then.
	Loopback
	// Deliver hands up Packet, a process-group frame that From sent with the
	// byte order BigEndian.
	Deliver
	// Configure announces Conf.
	Configure
	// StoreRing wants Ring.Seq on disk before the later effects are performed.
	StoreRing
	// TokenSent says that the token has passed: the turn of those who work
	// token by token.
	TokenSent
	// Trace reports Event.
	Trace
)

// An Effect is one thing to do. Which fields matter depends on Kind.
//
// Packet's bytes are the engine's: they are valid until the next Receive or
// Tick whose Output was empty when it was called. (Loopback packets are valid
// until they are handed back.)
type Effect struct {
	Kind      EffectKind
	BigEndian bool
	To, From  totem.NodeID
	Packet    []byte
	Ring      totem.RingID
	Conf      *Configuration
	Event     Event
}

// An Output collects effects. The caller performs them in order and empties the
// list by cutting it to length zero, which keeps its storage.
type Output struct {
	Effects []Effect
}

func (o *Output) add(e Effect) { o.Effects = append(o.Effects, e) }

func (o *Output) trace(ev Event) { o.add(Effect{Kind: Trace, Event: ev}) }

// A ConfigurationKind tells the two halves of a membership change apart.
type ConfigurationKind uint8

// The kinds of configurations, in the order in which they come.
const (
	Transitional ConfigurationKind = iota
	Regular
)

// String gives the kind's name.
func (k ConfigurationKind) String() string {
	if k == Transitional {
		return "transitional"
	}
	return "regular"
}

// A Configuration is a membership, delivered in order with the messages. Its
// slices are the receiver's.
//
// The transitional one names those who came along from the previous ring, and
// who Left it; the last messages of the previous ring follow it. The regular
// one names the new ring's members, ascending, and who Joined. Both carry the
// new ring's ID. A node that came back on a ring of its own is in both lists.
type Configuration struct {
	Kind    ConfigurationKind
	Ring    totem.RingID
	Members []totem.NodeID
	Left    []totem.NodeID // transitional only
	Joined  []totem.NodeID // regular only
}
