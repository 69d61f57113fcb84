package hostile

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"

	"cpgol/wire/totem"
)

// A corpus is sound bytes to start from.
type corpus struct {
	packets   [][]byte // totem's, a few of each type and size
	datagrams [][]byte // knet's, sealed if the ring is
	seen      map[[2]int]int
}

// perShape is how many packets of one type and size are kept.
const perShape = 3

func (c *corpus) take(kind, size int) bool {
	if c.seen == nil {
		c.seen = map[[2]int]int{}
	}
	c.seen[[2]int{kind, size}]++
	return c.seen[[2]int{kind, size}] <= perShape
}

func (c *corpus) addPacket(b []byte) {
	if h, err := totem.ParseHeader(b); err == nil && c.take(int(h.Type), len(b)) {
		c.packets = append(c.packets, append([]byte(nil), b...))
	}
}

func (c *corpus) addDatagram(b []byte) {
	if c.take(-1, len(b)) {
		c.datagrams = append(c.datagrams, append([]byte(nil), b...))
	}
}

// recorded are the totem packets of a recorded ring of stock daemons.
var recorded = sync.OnceValues(func() (corpus, error) {
	f, err := os.Open(filepath.Join("..", "..", "captures", "3.1.7-udpu.pcapng"))
	if err != nil {
		return corpus{}, err
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return corpus{}, err
	}
	var c corpus
	for {
		frame, _, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		if payload, ok := udpPayload(frame); ok {
			c.addPacket(payload)
		}
	}
})

// udpPayload cuts the payload out of an Ethernet frame with a whole IPv4
// datagram.
func udpPayload(b []byte) ([]byte, bool) {
	const ether, udp = 14, 8
	if len(b) < ether+20+udp || binary.BigEndian.Uint16(b[12:]) != 0x0800 || b[ether+9] != 17 || binary.BigEndian.Uint16(b[ether+6:])&0x3fff != 0 {
		return nil, false
	}
	ip := b[ether:]
	head, size := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if size > len(ip) || head+udp > size {
		return nil, false
	}
	return ip[head+udp : size], true
}

// TestRecorded: the recording has every type of packet.
func TestRecorded(t *testing.T) {
	c, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	types := map[totem.Type]int{}
	for _, p := range c.packets {
		types[totem.Type(p[3])]++
	}
	if len(types) != 6 {
		t.Errorf("packets by type: %v", types)
	}
}
