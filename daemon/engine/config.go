package engine

import (
	"math/rand/v2"
	"time"

	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// Config is what the engine is told of the configuration: effective values,
// defaults and minima already applied (exec/totemconfig.c). All of it but Node,
// Rand and FirstSeq may change at runtime; a timer's new value counts from when
// it is next armed.
type Config struct {
	Node totem.NodeID
	// Nodes are the configured ones, this one too: no other can be in a ring.
	// Nil means that any can.
	Nodes []totem.NodeID

	Token           time.Duration // a token later than this is lost
	TokenRetransmit time.Duration // resend the last token after this silence
	Hold            time.Duration // how long the representative keeps an idle token
	Join            time.Duration // between joins while gathering
	SendJoin        time.Duration // most a join is delayed at random; zero: not at all
	Consensus       time.Duration // candidates silent for this long are given up
	Merge           time.Duration // idle time before a ring announces itself
	MaxNetworkDelay time.Duration // added to the heartbeat's timeout

	TokenWarning      int // percent of Token after which to warn; zero: never
	HeartbeatFailures int // heartbeats that may be missed; zero: no heartbeat
	FailToReceive     int // token visits without progress before giving up on oneself
	SeqUnchanged      int // idle token visits before the token is held
	WindowSize        int // most messages of all nodes in a rotation
	MaxMessages       int // most messages of one node in a visit
	MissCount         int // token visits before a missing message is asked for

	// CancelHoldOnRetransmit lets a held token go while messages are missing.
	CancelHoldOnRetransmit bool

	// NetMTU is the transport's limit for a packet; 90 bytes of it are kept for
	// two multicast headers.
	NetMTU int

	// Rand delays joins. It is used only if SendJoin is not zero.
	Rand *rand.Rand

	// FirstSeq is the sequence number of a ring's first message, and where the
	// token's own count starts; zero means one, as on every real ring. All
	// nodes must agree. Tests start it just below the wrap.
	FirstSeq totem.Seq
}

// What NetMTU is reduced by (totemsrp_net_mtu_adjust), and the least that is
// left to work with.
const (
	mtuReserve = 2 * totem.McastLen
	minMTU     = 64
)

// normal returns c with what the engine cannot work with moved into range, so
// that its arithmetic needs no special cases.
func (c Config) normal() Config {
	c.MaxMessages = min(max(c.MaxMessages, 1), window/4)
	c.WindowSize = min(max(c.WindowSize, 1), window/4)
	c.MissCount = max(c.MissCount, 1)
	c.NetMTU = min(max(c.NetMTU, mtuReserve+minMTU), totem.MaxFrame)
	for _, d := range []*time.Duration{&c.Token, &c.TokenRetransmit, &c.Hold, &c.Join, &c.Consensus, &c.Merge} {
		*d = max(*d, time.Millisecond)
	}
	if c.FirstSeq == 0 {
		c.FirstSeq = 1
	}
	return c
}

// start is the sequence number before a ring's first (SEQNO_START_MSG).
func (c *Config) start() totem.Seq { return c.FirstSeq - 1 }

// packet is the room for messages in a frame (TOTEMPG_PACKET_SIZE).
func (c *Config) packet() int { return c.NetMTU - mtuReserve - pg.HeaderLen }

// queueFrames is how many frames may wait to be sent (MESSAGE_QUEUE_MAX): four
// of the longest messages.
func (c *Config) queueFrames() int { return 4 * pg.MaxMessage / (c.NetMTU - mtuReserve) }

// heartbeat is the time after which a heartbeat is missed, and whether it is in
// use: it must end before the token is lost anyway.
func (c *Config) heartbeat() (time.Duration, bool) {
	d := time.Duration(c.HeartbeatFailures)*c.TokenRetransmit + c.MaxNetworkDelay
	return d, c.HeartbeatFailures > 0 && d < c.Token
}
