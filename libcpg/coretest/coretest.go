// Package coretest shows the protocol of libcpg's offloaded transport to the
// simulation in conformance/offloadsim, which is outside of libcpg and plays it
// among whole nodes. Programs have no use for it.
package coretest

import "cpgol/libcpg/internal/core"

// The protocol, as package core has it.
type (
	Core    = core.Core
	Config  = core.Config
	Effect  = core.Effect
	Output  = core.Output
	Payload = core.Payload
)

// The kinds of effects.
const (
	Transmit = core.Transmit
	Hold     = core.Hold
	Submit   = core.Submit
	Release  = core.Release
	Drop     = core.Drop
	Suspend  = core.Suspend
	Announce = core.Announce
	Room     = core.Room
	Broken   = core.Broken
)

// Never is the deadline of a core that waits for nothing.
const Never = core.Never

// New makes the core of a process.
func New(self core.Member, cfg Config) *Core { return core.New(self, cfg) }
