package link

import "fmt"

// A Cause says why a packet or message was dropped.
type Cause uint8

// The causes. Where knet.md appendix C has the text that libknet logs, the
// comment gives it.
const (
	Unsealed         Cause = iota // "Unable to decrypt packet": no loaded key opens it
	Short                         // "Packet is too short"
	Version                       // "Packet version does not match"
	UnknownHost                   // "Unable to find source host for this packet"
	UnknownLink                   // "Invalid link_id in packet"
	Unlisted                      // "Packet rejected from": not the address of that link
	UnknownType                   // neither data nor ping, pong, probe, reply
	Malformed                     // too short for its type, or numbers out of range
	NotReachable                  // "Source host not reachable yet"
	Duplicate                     // "Packet has already been delivered"
	LateFragment                  // of a message whose reassembly was given up
	ContraryFragment              // contradicts the message's other fragments
	Incomplete                    // a message whose fragments did not all come in time
	Undecompressable              // "Unable to decompress packet"
	NotTotem                      // shorter than totem's header
	NotForUs                      // unicast to another node
	NoChannel                     // on a channel other than 0
	AlienPong                     // its time stamp is not one of ours
	SlowPong                      // "has higher latency than pong_timeout"; it still is a sign of life
	StrayReply                    // to a probe that nobody waits for
	Unreachable                   // sending: no link to the host, or to any
	Oversize                      // sending: no message of knet's, empty or above 64 KiB
	Uncompressed                  // sending: the compressor failed; sent as it was
	OwnNumber                     // from our own number: two nodes have the same
	numCauses
)

var causeNames = [numCauses]string{
	Unsealed:         "unsealed",
	Short:            "short",
	Version:          "version",
	UnknownHost:      "unknown_host",
	UnknownLink:      "unknown_link",
	Unlisted:         "unlisted",
	UnknownType:      "unknown_type",
	Malformed:        "malformed",
	NotReachable:     "not_reachable",
	Duplicate:        "duplicate",
	LateFragment:     "late_fragment",
	ContraryFragment: "contrary_fragment",
	Incomplete:       "incomplete",
	Undecompressable: "undecompressable",
	NotTotem:         "not_totem",
	NotForUs:         "not_for_us",
	NoChannel:        "no_channel",
	AlienPong:        "alien_pong",
	SlowPong:         "slow_pong",
	StrayReply:       "stray_reply",
	Unreachable:      "unreachable",
	Oversize:         "oversize",
	Uncompressed:     "uncompressed",
	OwnNumber:        "own_number",
}

// String gives the cause's name in statistics.
func (c Cause) String() string {
	if c < numCauses {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Everyday reports whether packets are dropped for this cause in a healthy
// cluster; there is then no effect to log.
func (c Cause) Everyday() bool {
	switch c {
	case NotReachable, Duplicate, LateFragment, Incomplete, NotForUs, SlowPong, StrayReply, Unreachable:
		return true
	}
	return false
}
