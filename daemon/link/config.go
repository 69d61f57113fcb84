package link

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"cpgol/wire/knet"
)

// A HostID is a node's number in knet packets: totem's node ID, 1 to 65535
// (knet_node_id_t).
type HostID = uint16

// A LinkID numbers a link between two hosts, 0 to 7, the same on both.
type LinkID = uint8

// MaxLinks is the most links between two hosts (KNET_MAX_LINK).
const MaxLinks = 8

// A Policy says which of a host's usable links carry data.
type Policy uint8

// The policies (KNET_LINK_POLICY_*; link_mode in corosync.conf).
const (
	Passive    Policy = iota // the one of highest priority, then lowest number
	Active                   // all; the receiver drops the copies
	RoundRobin               // one per message, in turn
)

// A Host is a peer and the links to it.
type Host struct {
	ID    HostID
	Links []Link
}

// A Link is one path to a host. Zero durations and counts mean libknet's
// defaults: a ping a second, two seconds' timeout, five pongs, 2048 samples.
type Link struct {
	ID            LinkID
	Local, Remote netip.AddrPort // only Remote's address is compared on receipt
	Priority      uint8
	PingInterval  time.Duration // rounded up to the 200 ms cycle, as in the reference
	PongTimeout   time.Duration
	PongCount     uint8  // the link is up with the pong after this many
	Precision     uint32 // pongs that the latency is averaged over
}

// Compression is how messages to send are compressed. What arrives is
// decompressed by whatever method it names.
type Compression struct {
	Method    knet.Method // None: not at all
	Level     int
	Threshold int // only longer messages; 0 means 100
}

// A Config sets up a node's links.
type Config struct {
	Node  HostID
	Hosts []Host // the other nodes; this one is left out
	// Policy holds for all hosts.
	Policy Policy
	// Crypto is the first key, nil for clear packets. It is the Links' from here
	// on. See [Links.SetCrypto].
	Crypto      *knet.Crypto
	Compression Compression
	// PMTUDInterval is how often the path MTU of each link is checked, 0 for 30 s.
	PMTUDInterval time.Duration
	// MTU is the size of the largest IP packet to send; 0 means find out.
	MTU int
	// BlockUnlisted refuses pings, pongs and probes from addresses other than the
	// configured one of the link they name (block_unlisted_ips). Data is always
	// refused from elsewhere, as its source tells the link.
	BlockUnlisted bool
	// Rand gives initialisation vectors and must be unpredictable. It is read in
	// blocks. It may be nil while there is no Crypto.
	Rand io.Reader
}

const (
	defaultPingInterval  = time.Second
	defaultPongTimeout   = 2 * time.Second
	defaultPongCount     = 5
	defaultPrecision     = 2048
	defaultThreshold     = 100 // KNET_COMPRESS_THRESHOLD
	defaultPMTUDInterval = 30 * time.Second
)

// withDefaults fills in what was left zero. A link number out of range is the
// caller's mistake and panics.
func (c Link) withDefaults() Link {
	if c.ID >= MaxLinks {
		panic(fmt.Sprintf("link: link %d, at most %d", c.ID, MaxLinks-1))
	}
	if c.PingInterval <= 0 {
		c.PingInterval = defaultPingInterval
	}
	if c.PongTimeout <= 0 {
		c.PongTimeout = defaultPongTimeout
	}
	if c.PongCount == 0 {
		c.PongCount = defaultPongCount
	}
	if c.Precision == 0 {
		c.Precision = defaultPrecision
	}
	return c
}
