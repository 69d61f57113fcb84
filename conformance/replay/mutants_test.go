package replay

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// These tests change recordings, to see that a difference is found, and that
// what the recording need not have is not needed.

var mutable = []string{"3.1.7-knet", "3.1.7-knet-aes256-sha256", "3.1.7-knet-zlib", "3.1.7-udpu", "3.1.7-udp-multicast"}

func TestUnchanged(t *testing.T) {
	for _, name := range mutable {
		replay(t, load(t, name).write(t), Options{}).agreed(t)
	}
}

func TestOtherKey(t *testing.T) {
	m := load(t, "3.1.7-knet-aes256-sha256")
	key := m.sidecar["authkey_hex"].(string)
	m.sidecar["authkey_hex"] = strings.Replace(key, "07", "06", 1)
	r := replay(t, m.write(t), Options{})
	if r.status != ExitDiffer || r.packets == 0 || r.decoded != 0 || r.identical != 0 || r.matched != 0 {
		t.Errorf("%d packets, %d decoded, %d matched, status %d", r.packets, r.decoded, r.matched, r.status)
	}
}

func TestOtherCipher(t *testing.T) {
	m := load(t, "3.1.7-knet-aes256-sha256")
	conf := m.sidecar["corosync_conf"].(string)
	m.sidecar["corosync_conf"] = strings.Replace(conf, "aes256", "aes192", 1)
	if r := replay(t, m.write(t), Options{}); r.status != ExitDiffer || r.decoded != 0 {
		t.Errorf("%d packets, %d decoded, status %d", r.packets, r.decoded, r.status)
	}
}

// Without the messages that membership and content hang on, events go missing.
func TestDroppedMessages(t *testing.T) {
	for _, name := range mutable {
		for _, kind := range []string{"cpg join", "cpg mcast", "sync barrier", "sync service build"} {
			m := load(t, name)
			m.keep(func(f rawFrame) bool { return !f.packet.carries(kind) })
			r := replay(t, m.write(t), Options{})
			if r.status != ExitDiffer || r.identical != r.packets || r.matched >= r.events {
				t.Errorf("%s without %s: %d of %d events match, status %d", name, kind, r.matched, r.events, r.status)
			}
			if !strings.Contains(r.out, "the recording lacks") {
				t.Errorf("%s without %s: the gaps are not told:\n%s", name, kind, r.out)
			}
		}
	}
}

// Where a node comes from is told by commit tokens, and by its own words too.
func TestDroppedCommitTokens(t *testing.T) {
	for _, name := range mutable {
		m := load(t, name)
		m.keep(func(f rawFrame) bool {
			return f.packet == nil || f.packet.message == nil || typeOf(f.packet.message) != totem.TypeCommitToken
		})
		r := replay(t, m.write(t), Options{})
		if r.matched < r.events/2 {
			t.Errorf("%s: %d of %d events match", name, r.matched, r.events)
		}
	}
}

// Nothing hangs on heartbeats, joins, merge detection or hold cancels, nor on a
// part of the tokens.
func TestUnneededPackets(t *testing.T) {
	for _, name := range mutable {
		m := load(t, name)
		tokens := 0
		m.keep(func(f rawFrame) bool {
			if f.packet == nil {
				return true
			}
			if _, ok := f.packet.knet.(*knet.PMTUD); ok {
				return false
			}
			if f.packet.message == nil {
				return true
			}
			switch typeOf(f.packet.message) {
			case totem.TypeMergeDetect, totem.TypeHoldCancel:
				return false
			case totem.TypeToken:
				tokens++
				return tokens%7 != 0
			case totem.TypeJoin:
				return f.packet.message.(*totem.Join).IsLeave()
			}
			return true
		})
		replay(t, m.write(t), Options{}).agreed(t)
	}
}

func typeOf(m totem.Message) totem.Type {
	for t := totem.TypeToken; t <= totem.TypeHoldCancel; t++ {
		if fmt.Sprintf("%T", totem.New(t)) == fmt.Sprintf("%T", m) {
			return t
		}
	}
	return 255
}

// A frame that was recorded twice is a packet twice, and nothing else.
func TestDuplicatedFrames(t *testing.T) {
	for _, name := range mutable {
		m := load(t, name)
		var twice []rawFrame
		for _, f := range m.frames {
			twice = append(twice, f, f)
		}
		m.frames = twice
		replay(t, m.write(t), Options{}).agreed(t)
	}
}

// Each destination's copy of a message will do.
func TestOneCopy(t *testing.T) {
	for _, name := range []string{"3.1.7-knet", "3.1.7-udpu"} {
		m := load(t, name)
		seen := make(map[*orderedMcast]bool)
		m.keep(func(f rawFrame) bool {
			if f.packet == nil || f.packet.mcast == nil || f.packet.inner != nil {
				return true
			}
			again := seen[f.packet.mcast]
			seen[f.packet.mcast] = true
			return !again
		})
		replay(t, m.write(t), Options{}).agreed(t)
	}
}

// A recording may begin when the ring is already there.
func TestStartInMiddle(t *testing.T) {
	for _, name := range mutable {
		m := load(t, name)
		begun := false
		before := 0
		m.keep(func(f rawFrame) bool {
			if !begun && f.packet.carries("cpg join") {
				begun = true
			}
			if !begun && f.packet.carries("sync barrier") {
				before++
			}
			return begun
		})
		if before == 0 {
			t.Errorf("%s: the ring was not there yet", name)
		}
		replay(t, m.write(t), Options{}).agreed(t)
	}
}

// A client that was there before the recording is followed from where it is
// first heard of.
func TestStartAfterJoin(t *testing.T) {
	m := load(t, "3.1.7-knet")
	joins := make(map[*orderedMcast]bool)
	m.keep(func(f rawFrame) bool {
		if f.packet.carries("cpg join") {
			joins[f.packet.mcast] = true
		}
		return len(joins) > 3 // the fourth is that of node 3, started again
	})
	r := replay(t, m.write(t), Options{})
	if r.identical != r.packets || !strings.Contains(r.out, "3.1.7-knet.n3-again.events.jsonl: node 3 pid 9419 group \"cap\": 13 of 13") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
}

// A damaged packet counts as not decoded, whatever the damage.
func TestDamagedPackets(t *testing.T) {
	for _, name := range mutable {
		m := load(t, name)
		damaged := 0
		for i := range m.frames {
			if f := &m.frames[i]; f.packet != nil && i%50 == 0 {
				f.data = bytes.Clone(f.data)
				f.data[len(f.data)-f.packet.size%1000] ^= 0x41 // in totem's or knet's first bytes, if short
				damaged++
			}
		}
		r := replay(t, m.write(t), Options{})
		if r.status == ExitUsage || r.packets == 0 {
			t.Errorf("%s: status %d, %d packets", name, r.status, r.packets)
		}
		if strings.Contains(name, "sha256") && r.decoded != r.packets-damaged {
			t.Errorf("%s: %d of %d decoded, %d damaged", name, r.decoded, r.packets, damaged)
		}
	}
}

// An event that differs, is missing or is too many is found.
func TestOtherEvents(t *testing.T) {
	const file = "3.1.7-knet.n1.events.jsonl"
	lines := func(m *mutant) []string { return strings.SplitAfter(string(m.events[file]), "\n") }
	tests := []struct {
		name    string
		change  func(m *mutant, l []string) []string
		matched int // of this file
	}{
		{"length", func(_ *mutant, l []string) []string {
			l[5] = strings.Replace(l[5], `"len":64`, `"len":65`, 1)
			return l
		}, 5},
		{"reason", func(_ *mutant, l []string) []string {
			l[0] = strings.Replace(l[0], ",1]]", ",4]]", 1)
			return l
		}, 0},
		{"swapped", func(_ *mutant, l []string) []string { l[2], l[3] = l[3], l[2]; return l }, 2},
		{"one missing", func(_ *mutant, l []string) []string { return append(l[:7], l[8:]...) }, 7},
		{"one invented", func(_ *mutant, l []string) []string { return append(l[:len(l)-1], l[2]) }, 37},
	}
	for _, tt := range tests {
		m := load(t, "3.1.7-knet")
		all := 0
		for _, text := range m.events {
			all += bytes.Count(text, []byte("\n"))
		}
		l := tt.change(m, lines(m))
		was := bytes.Count(m.events[file], []byte("\n"))
		m.events[file] = []byte(strings.Join(l, ""))
		is := bytes.Count(m.events[file], []byte("\n"))
		r := replay(t, m.write(t), Options{})
		if r.status != ExitDiffer || r.events != all-was+is || r.matched != all-was+tt.matched {
			t.Errorf("%s: %d events, %d matched, want %d and %d; status %d", tt.name, r.events, r.matched, all-was+is, all-was+tt.matched, r.status)
		}
	}
}

// A record that ends early leaves events over, which are told and not counted.
func TestBeyond(t *testing.T) {
	const file = "3.1.7-knet.n1.events.jsonl"
	m := load(t, "3.1.7-knet")
	l := strings.SplitAfter(string(m.events[file]), "\n")
	m.events[file] = []byte(strings.Join(l[:10], ""))
	r := replay(t, m.write(t), Options{})
	r.agreed(t)
	if !strings.Contains(r.out, "10 of 10 events match, 27 rebuilt beyond the last") {
		t.Error(r.out)
	}
}

func TestUsage(t *testing.T) {
	if r := replay(t, "no/such/file.json", Options{}); r.status != ExitUsage || !strings.Contains(r.errors, "no/such/file.json") {
		t.Errorf("no sidecar: %+v", r)
	}
	m := load(t, "3.1.7-knet-ipv6")
	path := m.write(t)
	m.frames = m.frames[1:]
	other := m.write(t)
	pcap := func(sidecar string) string { return strings.TrimSuffix(sidecar, ".json") + ".pcapng" }
	if err := os.Rename(pcap(other), pcap(path)); err != nil {
		t.Fatal(err)
	}
	if r := replay(t, path, Options{}); r.status != ExitUsage || !strings.Contains(r.errors, "SHA-256") {
		t.Errorf("another recording: %+v", r)
	}
}
