package replay

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// The kinds of event.
const (
	eventConfchg = "confchg"
	eventRing    = "ring"
	eventDeliver = "deliver"
)

// An address is a process in a membership list: node, pid, reason.
type address [3]uint32

// An event is something that a CPG client was told. Its kind says which fields
// count.
type event struct {
	kind  string
	group string
	// confchg
	members, left, joined []address
	// ring
	ring  totem.RingID
	nodes []totem.NodeID
	// deliver
	node  totem.NodeID
	pid   uint32
	size  int
	fnv1a uint32
}

func deliverEvent(group exec.GroupName, from totem.NodeID, pid uint32, data []byte) event {
	sum := fnv.New32a()
	sum.Write(data)
	return event{kind: eventDeliver, group: displayName(group), node: from, pid: pid, size: len(data), fnv1a: sum.Sum32()}
}

// displayName is the name as the recorder prints it: clients commonly count a
// trailing NUL.
func displayName(g exec.GroupName) string {
	b := g.Bytes()
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return string(b)
}

func (e event) equal(f event) bool {
	return e.kind == f.kind && e.group == f.group &&
		slices.Equal(e.members, f.members) && slices.Equal(e.left, f.left) && slices.Equal(e.joined, f.joined) &&
		e.ring == f.ring && slices.Equal(e.nodes, f.nodes) &&
		e.node == f.node && e.pid == f.pid && e.size == f.size && e.fnv1a == f.fnv1a
}

// The forms that the kinds have in the recorded files.
type (
	confchgJSON struct {
		Event   string    `json:"event"`
		Group   string    `json:"group"`
		Members []address `json:"members"`
		Left    []address `json:"left"`
		Joined  []address `json:"joined"`
	}
	ringJSON struct {
		Event   string         `json:"event"`
		Rep     totem.NodeID   `json:"rep"`
		Seq     uint64         `json:"seq"`
		Members []totem.NodeID `json:"members"`
	}
	deliverJSON struct {
		Event string       `json:"event"`
		Group string       `json:"group"`
		Node  totem.NodeID `json:"node"`
		PID   uint32       `json:"pid"`
		Len   int          `json:"len"`
		FNV1a uint32       `json:"fnv1a"`
	}
)

// MarshalJSON gives the form of the recorded files.
func (e event) MarshalJSON() ([]byte, error) {
	switch e.kind {
	case eventConfchg:
		return json.Marshal(confchgJSON{e.kind, e.group, notNil(e.members), notNil(e.left), notNil(e.joined)})
	case eventRing:
		return json.Marshal(ringJSON{e.kind, e.ring.Rep, e.ring.Seq, e.nodes})
	}
	return json.Marshal(deliverJSON{e.kind, e.group, e.node, e.pid, e.size, e.fnv1a})
}

func notNil(a []address) []address {
	if a == nil {
		return []address{}
	}
	return a
}

// UnmarshalJSON reads a line of a recorded file.
func (e *event) UnmarshalJSON(b []byte) error {
	var kind struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return err
	}
	*e = event{kind: kind.Event}
	switch kind.Event {
	case eventConfchg:
		var v confchgJSON
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		e.group, e.members, e.left, e.joined = v.Group, v.Members, v.Left, v.Joined
	case eventRing:
		var v ringJSON
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		e.ring, e.nodes = totem.RingID{Rep: v.Rep, Seq: v.Seq}, v.Members
	case eventDeliver:
		var v deliverJSON
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		e.group, e.node, e.pid, e.size, e.fnv1a = v.Group, v.Node, v.PID, v.Len, v.FNV1a
	default:
		return fmt.Errorf("event %q is unknown", kind.Event)
	}
	return nil
}

func (e event) String() string {
	b, err := e.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}
