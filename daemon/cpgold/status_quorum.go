package main

import (
	"fmt"
	"time"

	"cpgol/compat/abi"
	"cpgol/compat/conf"
	"cpgol/compat/ipc/client"
	"cpgol/wire/totem"
)

// A ringStatus is the ring that the daemon is in.
type ringStatus struct {
	ID      string         `json:"id"` // representative and sequence number, as corosync-quorumtool has them
	Members []totem.NodeID `json:"members"`
	Quorate bool           `json:"quorate"` // may act; always without a provider
}

// A voteStatus is what votequorum counts.
type voteStatus struct {
	Expected uint32 `json:"expected"`
	Total    uint32 `json:"total"`
	Quorum   uint32 `json:"quorum"`
}

// cmapStats is the number of the map of statistics (CMAP_MAP_STATS).
const cmapStats = 1

// localCounters returns the map of statistics of the daemon on this host.
func localCounters() ([]conf.Key, error) {
	c, err := client.Dial("cmap", client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := &cmapReader{c: c}
	err = r.call((&abi.CmapSetMapRequest{Map: cmapStats}).Append(nil), func(b []byte) (abi.Status, error) {
		_, _, st, err := abi.CutResponse(b)
		return st, err
	})
	if err != nil {
		return nil, err
	}
	return r.all()
}

// askQuorum asks for the ring, and for the votes if there are any.
func (r *statusReport) askQuorum() {
	ring, err := askRing()
	r.Ring = ring
	r.failed("quorum", err)
	votes, err := askVotes()
	r.Quorum = votes
	if err != nil && ring == nil {
		r.failed("votes", err)
	}
}

const askPatience = 5 * time.Second

// askRing wants to hear of the present ring, as quorumtool does.
func askRing() (*ringStatus, error) {
	c, err := client.Dial("quorum", client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for _, request := range []abi.QuorumWord{{ID: abi.QuorumModelID, Word: 1}, {ID: abi.QuorumTrackStartID, Word: trackCurrent}} {
		if err := answered(c, request.Append(nil)); err != nil {
			return nil, err
		}
	}
	var m abi.QuorumChange
	for {
		b, err := c.Event(nil, askPatience)
		if err != nil {
			return nil, err
		}
		if len(b) > 0 && int32(b[0]) != abi.QuorumV1Event {
			continue // the list of nodes comes beside it
		}
		if _, err := m.Decode(b); err != nil {
			return nil, err
		}
		break
	}
	return &ringStatus{ID: fmt.Sprintf("%d.%x", m.Ring.Rep, m.Ring.Seq), Members: m.Members, Quorate: m.Quorate}, nil
}

// trackCurrent asks for one event about how it is now (CS_TRACK_CURRENT).
const trackCurrent = 1

// answered sends a request and waits for an answer that says yes.
func answered(c *client.Conn, request []byte) error {
	if err := c.Send(request, nil); err != nil {
		return err
	}
	b, err := c.Recv(nil, askPatience)
	if err != nil {
		return err
	}
	if _, _, st, err := abi.CutResponse(b); err != nil || st != abi.OK {
		return fmt.Errorf("answered %v %w", st, err)
	}
	return nil
}

func askVotes() (*voteStatus, error) {
	c, err := client.Dial("votequorum", client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b, err := c.Call((&abi.VoteWordRequest{ID: abi.VoteGetInfoID}).Append(nil), nil, nil)
	if err != nil {
		return nil, err
	}
	var m abi.VoteInfo
	if _, err := m.Decode(b); err != nil {
		return nil, err
	}
	if m.Status != abi.OK {
		return nil, fmt.Errorf("votes: %v", m.Status)
	}
	return &voteStatus{Expected: m.Expected, Total: m.Total, Quorum: m.Quorum}, nil
}
