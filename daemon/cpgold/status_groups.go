package main

import (
	"cmp"
	"fmt"
	"slices"

	"cpgol/compat/abi"
	"cpgol/compat/ipc/client"
)

// A groupStatus is a process group, and whether its messages are offloaded. A
// daemon that can't offload does not tell of groups.
type groupStatus struct {
	Name      string `json:"name"`
	Members   uint32 `json:"members"`
	Offloaded bool   `json:"offloaded"`
	Why       string `json:"why,omitempty"` // not
	Node      uint32 `json:"node,omitempty"`
	PID       uint32 `json:"pid,omitempty"` // whom that is about
}

// askGroups asks for the process groups.
func (r *statusReport) askGroups() {
	c, err := client.Dial("cpg", client.Options{})
	if err != nil {
		r.failed("groups", err)
		return
	}
	defer c.Close()
	if err := c.Send(abi.AppendRequest(nil, abi.OffloadStatusID, abi.RequestLen), nil); err != nil {
		r.failed("groups", err)
		return
	}
	b, err := c.Recv(nil, askPatience)
	var m abi.OffloadStatus
	if err == nil {
		if id, _, _, cut := abi.CutResponse(b); cut == nil && id != abi.OffloadStatusRes {
			return // it does not know the question: a stock daemon
		}
		_, err = m.Decode(b)
	}
	r.failed("groups", err)
	for _, g := range m.Groups {
		s := groupStatus{Name: g.Group.String(), Members: g.Members, Offloaded: g.Reason == abi.ViewOn}
		if !s.Offloaded {
			s.Why, s.Node, s.PID = g.Reason.String(), uint32(g.Cause.Node), g.Cause.PID
		}
		r.Groups = append(r.Groups, s)
	}
	slices.SortFunc(r.Groups, func(a, b groupStatus) int { return cmp.Compare(a.Name, b.Name) })
}

func (g *groupStatus) line() string {
	text := "in the ring: " + g.Why
	if g.Offloaded {
		text = "offloaded"
	}
	if g.PID != 0 {
		text += fmt.Sprintf(" (node %d, process %d)", g.Node, g.PID)
	}
	return fmt.Sprintf("%q, members: %d, %s", g.Name, g.Members, text)
}
