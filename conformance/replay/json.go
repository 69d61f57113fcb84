package replay

import (
	"encoding/json"
	"maps"
	"slices"

	"cpgol/wire/exec"
	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// A packetJSON is what --json tells of a packet.
type packetJSON struct {
	Packet    int        `json:"packet"`
	Time      float64    `json:"time"` // seconds since the first frame
	From      string     `json:"from"`
	To        string     `json:"to"`
	Bytes     int        `json:"bytes"`
	Frames    int        `json:"frames"`
	Knet      *knetJSON  `json:"knet,omitempty"`
	Totem     *totemJSON `json:"totem,omitempty"`
	PG        *pgJSON    `json:"pg,omitempty"`
	Messages  []execJSON `json:"messages,omitempty"` // whole messages that end in this frame
	Decoded   bool       `json:"decoded"`
	Identical bool       `json:"identical"`
	Error     string     `json:"error,omitempty"`
	Differs   string     `json:"differs,omitempty"` // the layer that encodes to other bytes
}

type knetJSON struct {
	Type     string `json:"type"`
	Node     uint16 `json:"node"`
	Link     *uint8 `json:"link,omitempty"`
	Seq      uint16 `json:"seq"`
	Fragment string `json:"fragment,omitempty"`
	Compress string `json:"compress,omitempty"`
	MTU      uint16 `json:"mtu,omitempty"`
}

type totemJSON struct {
	Type         string         `json:"type"`
	Node         totem.NodeID   `json:"node"`
	Target       totem.NodeID   `json:"target,omitempty"`
	Ring         string         `json:"ring,omitempty"`
	Seq          *totem.Seq     `json:"seq,omitempty"`
	TokenSeq     *totem.Seq     `json:"token_seq,omitempty"`
	ARU          *totem.Seq     `json:"aru,omitempty"`
	Retransmits  int            `json:"retransmits,omitempty"`
	Leave        bool           `json:"leave,omitempty"`
	RingSeq      uint64         `json:"ring_seq,omitempty"`
	Members      []totem.NodeID `json:"members,omitempty"`
	Failed       []totem.NodeID `json:"failed,omitempty"`
	Encapsulates *totemJSON     `json:"encapsulates,omitempty"`
}

type pgJSON struct {
	Lengths      []uint16 `json:"lengths"`
	Fragmented   uint8    `json:"fragmented,omitempty"`
	Continuation uint8    `json:"continuation,omitempty"`
}

type execJSON struct {
	Message string `json:"message"`
	Bytes   int    `json:"bytes"`
	Group   string `json:"group,omitempty"`
	PID     uint32 `json:"pid,omitempty"`
	Ring    string `json:"ring,omitempty"`
}

// An eventJSON is what --json tells of a rebuilt event.
type eventJSON struct {
	Node  totem.NodeID `json:"node"`
	PID   uint32       `json:"pid"`
	Life  int          `json:"life"` // of the node's daemon, from 1
	Told  event        `json:"told"`
	Group string       `json:"group"`
}

// json prints the packets, then node by node what its clients were told. Of a
// node that was not heard again both possible ends are told, the one that the
// records agree with is in the report.
func (r *report) json(players []*player) error {
	e := json.NewEncoder(r.out)
	for _, p := range r.packets {
		if err := e.Encode(p.json()); err != nil {
			return err
		}
	}
	lives := make(map[totem.NodeID]int)
	for _, p := range players {
		lives[p.life.node]++
		for _, c := range p.cpg.clients {
			for _, told := range c.events {
				if err := e.Encode(eventJSON{c.node, c.pid, lives[p.life.node], told, displayName(c.group)}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *packet) json() packetJSON {
	j := packetJSON{
		Packet: p.no, Time: p.time.Seconds(), From: p.from.String(), To: p.to.String(), Bytes: p.size, Frames: p.frames,
		Decoded: p.decoded(), Identical: p.identical(), Differs: p.differs,
	}
	if p.err != nil {
		j.Error = p.err.Error()
	}
	switch k := p.knet.(type) {
	case *knet.Data:
		j.Knet = &knetJSON{Type: k.Type.String(), Node: k.Node, Seq: k.Seq, Fragment: p.part}
		if k.Method != knet.None {
			j.Knet.Compress = k.Method.String()
		}
	case *knet.Ping:
		j.Knet = &knetJSON{Type: k.Type.String(), Node: k.Node, Link: &k.Link, Seq: k.Seq}
	case *knet.PMTUD:
		j.Knet = &knetJSON{Type: k.Type.String(), Node: k.Node, Link: &k.Link, MTU: k.Size}
	}
	if p.message != nil {
		j.Totem = totemOf(p.message)
	}
	if p.inner != nil {
		j.Totem.Encapsulates = totemOf(p.inner)
	}
	if p.frame != nil {
		j.PG = &pgJSON{p.frame.Lengths, p.frame.Fragmented, p.frame.Continuation}
	}
	if p.mcast != nil {
		for _, end := range slices.Sorted(maps.Keys(p.mcast.messages)) {
			j.Messages = append(j.Messages, p.mcast.messages[end].json())
		}
	}
	return j
}

func totemOf(m totem.Message) *totemJSON {
	switch m := m.(type) {
	case *totem.Token:
		return &totemJSON{Type: m.Type.String(), Node: m.Node, Target: m.Target, Ring: m.Ring.String(), Seq: &m.Seq,
			TokenSeq: &m.TokenSeq, ARU: &m.ARU, Retransmits: len(m.Retransmits)}
	case *totem.Mcast:
		return &totemJSON{Type: m.Type.String(), Node: m.Node, Target: m.Target, Ring: m.Ring.String(), Seq: &m.Seq}
	case *totem.MergeDetect:
		return &totemJSON{Type: m.Type.String(), Node: m.Node, Target: m.Target, Ring: m.Ring.String()}
	case *totem.Join:
		return &totemJSON{Type: m.Type.String(), Node: m.From, Target: m.Target, RingSeq: m.RingSeq,
			Members: m.Proc, Failed: m.Failed, Leave: m.IsLeave()}
	case *totem.CommitToken:
		return &totemJSON{Type: m.Type.String(), Node: m.Node, Target: m.Target, Ring: m.Ring.String(),
			TokenSeq: &m.TokenSeq, Members: m.Addrs}
	case *totem.HoldCancel:
		return &totemJSON{Type: m.Type.String(), Node: m.Node, Target: m.Target, Ring: m.Ring.String()}
	}
	return nil
}

func (m *execMessage) json() execJSON {
	j := execJSON{Message: m.name, Bytes: m.size}
	switch b := m.body.(type) {
	case *exec.ProcChange:
		j.Group, j.PID = displayName(b.Group), b.PID
	case *exec.Mcast:
		j.Group, j.PID = displayName(b.Group), b.PID
	case *exec.PartialMcast:
		j.Group, j.PID = displayName(b.Group), b.PID
	case *exec.Barrier:
		j.Ring = b.Ring.String()
	case *exec.ServiceBuild:
		j.Ring = b.Ring.String()
	}
	return j
}
