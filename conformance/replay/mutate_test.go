package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A rawFrame is a frame of a recording, with the packet that it completes, if
// any.
type rawFrame struct {
	at     time.Time
	data   []byte
	packet *packet
}

// A mutant is a recording about to be changed.
type mutant struct {
	name    string
	sidecar map[string]any
	capture *capture
	frames  []rawFrame
	events  map[string][]byte // by file name
}

// load reads a recording, decodes it and plays it, so that a test can choose
// frames by what they carry.
func load(t *testing.T, name string) *mutant {
	t.Helper()
	path := filepath.Join(capturesDir, name+".json")
	c, err := loadCapture(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &mutant{name: name, capture: c, events: make(map[string][]byte)}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m.sidecar); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(capturesDir, name+".n*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if m.events[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(c.pcap), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(c)
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		before := len(d.packets)
		d.frame(0, layers.LinkTypeEthernet, data)
		f := rawFrame{at: info.Timestamp, data: data}
		if len(d.packets) > before {
			f.packet = d.packets[before]
		}
		m.frames = append(m.frames, f)
	}
	rebuild(c, d.packets, nil)
	return m
}

// carries reports whether the packet completes a multicast in which a service's
// message of that name ends.
func (p *packet) carries(name string) bool {
	if p == nil || p.mcast == nil {
		return false
	}
	for _, m := range p.mcast.messages {
		if strings.HasPrefix(m.name, name) {
			return true
		}
	}
	return false
}

// write writes the recording with its frames as they are now, and returns the
// sidecar's path.
func (m *mutant) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var pcap bytes.Buffer
	w, err := pcapgo.NewNgWriter(&pcap, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.frames {
		info := gopacket.CaptureInfo{Timestamp: f.at, CaptureLength: len(f.data), Length: len(f.data)}
		if err := w.WritePacket(info, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pcap.Bytes())
	m.sidecar["pcap_sha256"] = hex.EncodeToString(sum[:])
	text, err := json.Marshal(m.sidecar)
	if err != nil {
		t.Fatal(err)
	}
	sidecar := filepath.Join(dir, m.name+".json")
	files := map[string][]byte{sidecar: text, filepath.Join(dir, m.name+".pcapng"): pcap.Bytes()}
	for name, text := range m.events {
		files[filepath.Join(dir, name)] = text
	}
	for path, text := range files {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return sidecar
}

// keep keeps the frames that yes says yes to.
func (m *mutant) keep(yes func(f rawFrame) bool) {
	var kept []rawFrame
	for _, f := range m.frames {
		if yes(f) {
			kept = append(kept, f)
		}
	}
	m.frames = kept
}
