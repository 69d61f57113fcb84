package replay

import (
	"fmt"
	"strings"
	"testing"

	"cpgol/wire/exec"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// cutOff cuts the recording where the two nodes that lost node 3 have formed
// their ring, and every record at what its client had been told by then.
func cutOff(t *testing.T, name string) *mutant {
	t.Helper()
	m := load(t, name)
	ring := totem.RingID{Rep: 1}
	alone := false
	for line := range strings.Lines(string(m.events[name+".n3-again.events.jsonl"])) {
		alone = alone || strings.Contains(line, `"members":[[3,`)
		if n, _ := fmt.Sscanf(line, `{"event":"ring","rep":3,"seq":%d,`, &ring.Seq); n == 1 && alone {
			break
		}
	}
	last := 0
	for i, f := range m.frames {
		if f.packet.carries("sync barrier") && f.packet.mcast.Ring == ring {
			last = i
		}
	}
	m.frames = m.frames[:last+1]
	for file, text := range m.events {
		head, _, found := strings.Cut(string(text), fmt.Sprintf(`"seq":%d,`, ring.Seq))
		rest, _, _ := strings.Cut(string(text)[len(head):], "\n")
		if found {
			m.events[file] = []byte(head + rest + "\n")
		}
	}
	return m
}

// Whether a node that is not heard again was killed or cut off is not on the
// wire; its clients' records tell.
func TestNotHeardAgain(t *testing.T) {
	const cut = "node 3 was not heard again; going by its records it was cut off, not killed"
	for _, name := range mutable {
		if strings.Contains(name, "zlib") {
			continue // two nodes
		}
		m := cutOff(t, name)
		r := replay(t, m.write(t), Options{})
		r.agreed(t)
		// Over udp the recorder saw what the lonely node sent.
		if strings.Contains(r.out, cut) != m.capture.knet {
			t.Errorf("%s:\n%s", name, r.out)
		}

		file := name + ".n3-again.events.jsonl"
		killed, _, found := strings.Cut(string(m.events[file]), `{"event":"confchg","group":"cap","members":[[3,`)
		if !found {
			t.Fatalf("%s: node 3 was not alone:\n%s", name, m.events[file])
		}
		m.events[file] = []byte(killed)
		r = replay(t, m.write(t), Options{})
		r.agreed(t)
		if strings.Contains(r.out, cut) {
			t.Errorf("%s, killed:\n%s", name, r.out)
		}
	}
}

// A script builds a history message by message.
type script struct {
	h    *history
	ring totem.RingID
	seq  totem.Seq
}

// say multicasts one message of a node's.
func (s *script) say(from totem.NodeID, group string, m codec) {
	s.seq++
	msg := m.Append(pg.AppendGroup(nil, group))
	s.h.add(&packet{
		message: &totem.Mcast{Header: totem.Header{Node: from}, From: from, Seq: s.seq, SenderSeq: uint32(s.seq), Ring: s.ring},
		frame:   &pg.Frame{Lengths: []uint16{uint16(len(msg))}, Data: msg},
	})
}

// What a node had beyond its last token is not on the wire either: anything from
// nothing to all of it is found by what its client was told, and nothing else.
func TestHadMoreThanItsToken(t *testing.T) {
	g := name(t, "g")
	for told := range 6 {
		s := &script{h: newHistory(), ring: totem.RingID{Rep: 1, Seq: 8}}
		for _, n := range []totem.NodeID{1, 2} {
			s.say(n, pg.GroupSync, &exec.ServiceBuild{Ring: s.ring, Count: 1, List: [exec.MaxSyncServices]int32{serviceCPG}})
		}
		for _, n := range []totem.NodeID{1, 2} {
			s.say(n, pg.GroupSync, &exec.Barrier{Ring: s.ring})
		}
		for _, n := range []totem.NodeID{1, 2} {
			s.say(n, pg.GroupServices, &exec.ProcChange{Group: g, PID: uint32(n)})
		}
		s.h.add(&packet{message: &totem.Token{Header: totem.Header{Node: 2}, Ring: s.ring, Seq: s.seq, TokenSeq: 9, ARU: s.seq}})
		for i := range byte(5) {
			s.say(1, pg.GroupServices, &exec.Mcast{Group: g, PID: 1, Data: []byte{i}})
		}
		lonely := totem.RingID{Rep: 2, Seq: 12}
		s.h.add(&packet{message: &totem.CommitToken{
			Ring: totem.RingID{Rep: 1, Seq: 16}, Index: 2, Addrs: []totem.NodeID{1, 2},
			Entries: []totem.CommitEntry{{Ring: s.ring, ARU: 11}, {Ring: lonely, ARU: 3, HighDelivered: 3}},
		}})
		s.h.finish()

		rec := record{node: 2, events: []event{
			{kind: eventConfchg, group: "g", members: []address{{1, 1, 0}, {2, 2, 0}}, joined: []address{{2, 2, 1}}},
			{kind: eventRing, ring: s.ring, nodes: []totem.NodeID{1, 2}},
		}}
		for i := range told {
			rec.events = append(rec.events, deliverEvent(g, 1, 1, []byte{byte(i)}))
		}
		rec.events = append(rec.events,
			event{kind: eventConfchg, group: "g", members: []address{{2, 2, 0}}, left: []address{{1, 1, 3}}},
			event{kind: eventRing, ring: lonely, nodes: []totem.NodeID{2}})
		for _, wrong := range []bool{false, true} {
			if wrong { // what was never sent is never found
				rec.events[len(rec.events)-3].size++
				rec.events[len(rec.events)-3].pid++
			}
			p := s.h.playBest(s.h.nodes[2].lives[0], false, []record{rec})
			matched, all := p.score([]record{rec})
			if all != told+4 || (matched == all) == wrong {
				t.Errorf("%d messages told, wrong %v: %d of %d events match", told, wrong, matched, all)
			}
			if had, ok := p.had[0]; !wrong && (ok != (told > 0) || ok && had != totem.Seq(6+told)) {
				t.Errorf("%d messages told: had up to %d, %v", told, had, ok)
			}
		}
	}
}
