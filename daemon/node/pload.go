package node

import (
	"cpgol/daemon/service"
	"cpgol/wire/totem"
)

// pload stands in the place of the reference's load generator, which floods the
// ring when a client sets a key and ends the daemon afterwards (exec/pload.c).
// What peers say of it is taken and ignored, its keys are there.
type pload struct{}

var _ service.Service = pload{}

func (pload) ID() service.ID              { return service.Pload }
func (pload) Name() string                { return "pload" }
func (pload) Requests() []service.Request { return nil }
func (pload) Connected(service.Conn)      {}
func (pload) Closed(service.Conn)         {}

func (pload) Messages() []service.Message {
	ignore := func(totem.NodeID, []byte) {}
	return []service.Message{
		{Name: "start", Size: 16, Handle: ignore},
		{Name: "mcast", Size: 16, Handle: ignore},
	}
}
