package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"cpgol/wire/exec"
	"cpgol/wire/knet"
	"cpgol/wire/pg"
	"cpgol/wire/totem"
)

// A renumbering makes the same ring of other nodes: ids, addresses, ports,
// ciphers, keys and fragment sizes. Nothing of a recording may be known here but
// what its sidecar says.
type renumbering struct {
	ids    map[totem.NodeID]totem.NodeID // ascending to ascending
	addrs  map[netip.Addr]netip.Addr
	port   uint16 // for 5405
	cipher string
	hash   string
	key    []byte
	mtu    int // of knet fragments

	crypto *knet.Crypto
	count  byte
}

func (r *renumbering) id(n totem.NodeID) totem.NodeID {
	if m, ok := r.ids[n]; ok {
		return m
	}
	return n
}

func (r *renumbering) ring(id totem.RingID) totem.RingID {
	return totem.RingID{Rep: r.id(id.Rep), Seq: id.Seq}
}

func (r *renumbering) list(nodes []totem.NodeID) {
	for i := range nodes {
		nodes[i] = r.id(nodes[i])
	}
}

// message rewrites a totem message in place.
func (r *renumbering) message(m totem.Message) {
	var h *totem.Header
	switch m := m.(type) {
	case *totem.Token:
		h, m.Ring, m.ARUAddr = &m.Header, r.ring(m.Ring), r.id(m.ARUAddr)
		for i := range m.Retransmits {
			m.Retransmits[i].Ring = r.ring(m.Retransmits[i].Ring)
		}
	case *totem.Mcast:
		h, m.Ring, m.From = &m.Header, r.ring(m.Ring), r.id(m.From)
		if m.Encapsulated == totem.Encapsulated {
			inner := new(totem.Mcast)
			if _, err := inner.Decode(bytes.Clone(m.Payload)); err == nil {
				r.message(inner)
				m.Payload = inner.Append(nil)
			}
		} else {
			m.Payload = r.frame(m.Payload)
		}
	case *totem.MergeDetect:
		h, m.Ring, m.From = &m.Header, r.ring(m.Ring), r.id(m.From)
	case *totem.Join:
		h, m.From = &m.Header, r.id(m.From)
		r.list(m.Proc)
		r.list(m.Failed)
	case *totem.CommitToken:
		h, m.Ring = &m.Header, r.ring(m.Ring)
		r.list(m.Addrs)
		for i := range m.Entries {
			m.Entries[i].Ring = r.ring(m.Entries[i].Ring)
		}
	case *totem.HoldCancel:
		h, m.Ring = &m.Header, r.ring(m.Ring)
	}
	h.Node, h.Target = r.id(h.Node), r.id(h.Target)
}

// frame rewrites the ring ids of synchronisation messages; all others name no
// node that a receiver looks at.
func (r *renumbering) frame(payload []byte) []byte {
	var f pg.Frame
	if _, err := f.Decode(bytes.Clone(payload)); err != nil {
		return payload
	}
	at := 0
	for i, n := range f.Lengths {
		piece := f.Data[at : at+int(n)]
		at += int(n)
		if i == 0 && f.Continuation != 0 || i == len(f.Lengths)-1 && f.Fragmented != 0 {
			continue
		}
		m := decodeMessage(bytes.Clone(piece), false)
		switch b := m.body.(type) {
		case *exec.Barrier:
			b.Ring = r.ring(b.Ring)
		case *exec.ServiceBuild:
			b.Ring = r.ring(b.Ring)
		default:
			continue
		}
		copy(piece, m.body.Append(pg.AppendGroup(nil, pg.GroupSync)))
	}
	return f.Append(nil)
}

// payloads makes the UDP payloads that say what the packet said. A packet that
// carried a part of a message gives none, the one that completed it all.
func (r *renumbering) payloads(p *packet) [][]byte {
	var plain [][]byte
	switch k := p.knet.(type) {
	case nil:
		r.message(p.message)
		return [][]byte{p.message.Append(nil)}
	case *knet.Ping:
		k.Node = uint16(r.id(totem.NodeID(k.Node)))
		plain = append(plain, k.Append(nil))
	case *knet.PMTUD:
		k.Node = uint16(r.id(totem.NodeID(k.Node)))
		plain = append(plain, k.Append(nil))
	case *knet.Data:
		if p.message == nil {
			return nil
		}
		r.message(p.message)
		d := *k
		d.Node, d.Method = uint16(r.id(totem.NodeID(k.Node))), knet.None
		rest := p.message.Append(nil)
		d.FragNum, d.FragSeq = uint8((len(rest)+r.mtu-1)/r.mtu), 0
		for len(rest) > 0 {
			if d.FragNum > 1 {
				d.FragSeq++
			}
			n := min(r.mtu, len(rest))
			d.Payload, rest = rest[:n], rest[n:]
			plain = append(plain, d.Append(nil))
		}
	}
	var sealed [][]byte
	for _, b := range plain {
		r.count++
		sealed = append(sealed, r.crypto.Seal(nil, b, [16]byte{r.count, 1, 2}))
	}
	return sealed
}

func (r *renumbering) apply(t *testing.T, m *mutant) {
	t.Helper()
	var err error
	if r.crypto, err = knet.NewCrypto(r.cipher, r.hash, r.key); err != nil {
		t.Fatal(err)
	}
	var frames []rawFrame
	for _, f := range m.frames {
		if f.packet == nil {
			continue
		}
		ip, err := decodeEthernet(f.data)
		if err != nil || ip.fragmented() {
			t.Fatalf("%v, fragmented %v", err, ip.fragmented())
		}
		udp, err := decodeUDP(ip.payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range r.payloads(f.packet) {
			u := udpDatagram{udp.srcPort, udp.dstPort - 5405 + r.port, uint16(8 + len(payload)), 0, payload}
			ip.length = uint16(int(ip.length) - len(ip.payload) + int(u.length))
			ip.payload = u.append(nil)
			q := ip
			if a, ok := r.addrs[ip.src]; ok {
				q.src = a
			}
			if a, ok := r.addrs[ip.dst]; ok {
				q.dst = a
			}
			frames = append(frames, rawFrame{at: f.at, data: q.append(nil)})
		}
	}
	m.frames = frames
	r.describe(t, m)
}

// describe rewrites sidecar and events.
func (r *renumbering) describe(t *testing.T, m *mutant) {
	t.Helper()
	conf := m.sidecar["corosync_conf"].(string)
	for old, id := range r.ids {
		conf = strings.Replace(conf, fmt.Sprintf("nodeid: %d\n", old), fmt.Sprintf("nodeid: *%d\n", id), 1)
	}
	conf = strings.ReplaceAll(conf, "nodeid: *", "nodeid: ")
	for _, key := range []string{"crypto_cipher", "crypto_hash", "mcastport"} {
		conf = strings.ReplaceAll(conf, "  "+key, "  # "+key)
	}
	if m.capture.knet {
		conf = strings.Replace(conf, "version: 2", "version: 2\n crypto_cipher:"+r.cipher+"\n crypto_hash: "+r.hash, 1)
	}
	conf = strings.Replace(conf, "totem {", fmt.Sprintf("totem {\n interface {\n  linknumber: 0\n  mcastport: %d\n }", r.port), 1)
	m.sidecar["corosync_conf"] = conf
	m.sidecar["authkey_hex"] = fmt.Sprintf("%x", r.key)
	for _, n := range m.sidecar["nodes"].([]any) {
		node := n.(map[string]any)
		node["nodeid"] = r.id(totem.NodeID(node["nodeid"].(float64)))
		addrs := node["addresses"].([]any)
		for i, a := range addrs {
			if b, ok := r.addrs[netip.MustParseAddr(a.(string))]; ok {
				addrs[i] = b.String()
			}
		}
	}
	for name, text := range m.events {
		var out bytes.Buffer
		for line := range bytes.Lines(text) {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			for _, list := range [][]address{e.members, e.left, e.joined} {
				for i := range list {
					list[i][0] = uint32(r.id(totem.NodeID(list[i][0])))
				}
			}
			r.list(e.nodes)
			e.ring, e.node = r.ring(e.ring), r.id(e.node)
			fmt.Fprintln(&out, e)
		}
		m.events[name] = out.Bytes()
	}
}

func TestOtherNodes(t *testing.T) {
	addr := netip.MustParseAddr
	addrs := map[netip.Addr]netip.Addr{
		addr("10.77.0.1"): addr("192.168.44.9"), addr("10.77.0.2"): addr("172.16.0.254"), addr("10.77.0.3"): addr("10.77.0.1"),
	}
	key := bytes.Repeat([]byte{3, 1, 4, 1, 5}, 60)
	for _, name := range mutable {
		for i, r := range []*renumbering{
			{ids: map[totem.NodeID]totem.NodeID{1: 7, 2: 300, 3: 65535}, addrs: addrs, port: 7405, cipher: "aes128", hash: "sha512", mtu: 401},
			{ids: map[totem.NodeID]totem.NodeID{1: 2, 2: 3, 3: 4}, port: 5405, cipher: "none", hash: "md5", mtu: 1200},
			{ids: map[totem.NodeID]totem.NodeID{1: 256, 2: 1024, 3: 4097}, addrs: addrs, port: 1, cipher: "none", hash: "none", mtu: 1400},
		} {
			m := load(t, name)
			r.key = key
			r.apply(t, m)
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				replay(t, m.write(t), Options{}).agreed(t)
			})
		}
	}
}
