package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/netip"
	"testing"

	"cpgol/wire/totem"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// FuzzFrames replays a recording of hostile frames, each behind its length: the
// first byte chooses the transport. Frames that decode encode to the same bytes,
// and nothing may panic or run away, whatever the frames claim.
func FuzzFrames(f *testing.F) {
	hosts := make(map[netip.Addr]totem.NodeID)
	for _, name := range []string{"3.1.7-knet", "3.1.7-udpu", "3.1.7-udp-multicast"} {
		c, err := loadCapture(capturesDir + "/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		for addr, id := range c.hosts {
			hosts[addr] = id
		}
		f.Add(firstFrames(f, c, 40))
	}
	ports := map[uint16]bool{5405: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > 1<<15 {
			return
		}
		c := &capture{knet: b[0]&1 == 0, hosts: hosts, ports: ports}
		d := newDecoder(c)
		for b = b[1:]; len(b) > 2; {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			frame := b[2 : 2+n : 2+n]
			b = b[2+n:]
			if ip, err := decodeEthernet(frame); err == nil && !bytes.Equal(ip.append(nil), frame) {
				t.Errorf("frame %x encodes to %x", frame, ip.append(nil))
			}
			d.frame(0, layers.LinkTypeEthernet, frame)
		}
		players := rebuild(c, d.packets, nil)
		r := &report{capture: c, packets: d.packets, out: io.Discard}
		if err := r.json(players); err != nil {
			t.Error(err)
		}
		r.problems(players)
		for _, p := range d.packets {
			if p.differs != "" {
				t.Errorf("packet %d: %s encodes to other bytes", p.no, p.differs)
			}
		}
	})
}

// firstFrames is the fuzz target's form of the frames that a recording begins with.
func firstFrames(tb testing.TB, c *capture, limit int) []byte {
	r, err := pcapgo.NewNgReader(bytes.NewReader(c.pcap), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		tb.Fatal(err)
	}
	b := []byte{1}
	if c.knet {
		b[0] = 0
	}
	for range limit {
		data, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
		b = append(b, data...)
	}
	return b
}

// TestJSON checks the form of --json: an object for each packet, then one for
// each event, then the report.
func TestJSON(t *testing.T) {
	for _, name := range mutable {
		r := replay(t, capturesDir+"/"+name+".json", Options{JSON: true})
		r.agreed(t)
		packets, events, rest := 0, 0, 0
		for line := range bytes.Lines([]byte(r.out)) {
			var v struct {
				Packet    *int
				Knet      any
				Totem     *totemJSON
				Messages  []execJSON
				Identical bool
				Node      totem.NodeID
				Told      *event
			}
			switch {
			case line[0] != '{':
				rest++
			case json.Unmarshal(line, &v) != nil || rest > 0:
				t.Fatalf("%s: %s", name, line)
			case v.Packet != nil && *v.Packet == packets && events == 0 && v.Identical:
				packets++
			case v.Told != nil && v.Node != 0:
				events++
			default:
				t.Fatalf("%s: %s", name, line)
			}
		}
		if packets != r.packets || events < r.events {
			t.Errorf("%s: %d packets of %d, %d events of %d", name, packets, r.packets, events, r.events)
		}
	}
}
