package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// A mode is a way for nodes to reach each other that few clusters use: it is
// tried more shortly than those of TestRing.
type mode struct {
	kind
	inside string            // of the totem section: a section of its own
	nodes  map[int][2]string // of single nodes: text of the configuration that is replaced, and by what
	check  func(r *ring)     // at the end, with traffic behind
}

func compression(model string) map[string]string {
	return map[string]string{"knet_compression_model": model, "knet_compression_level": "5", "knet_compression_threshold": "100"}
}

func (m mode) compresses(node int, model string) mode {
	nodes := map[int][2]string{node: {"knet_compression_model: zlib", "knet_compression_model: " + model}}
	for k, v := range m.nodes {
		nodes[k] = v
	}
	m.nodes = nodes
	return m
}

var modes = []mode{
	{kind: kind{name: "knet-active", ring: lab.Ring{Transport: "knet", Totem: map[string]string{"link_mode": "active"}}, lab: lab.Options{Links: 2}},
		check: bothLinks},
	{kind: kind{name: "knet-rr", ring: lab.Ring{Transport: "knet", Totem: map[string]string{"link_mode": "rr"}, Cipher: "aes192", Hash: "sha384"}, lab: lab.Options{Links: 2}},
		check: bothLinks},
	{kind: kind{name: "knet-hash", ring: lab.Ring{Transport: "knet", Hash: "sha512"}}},
	{kind: kind{name: "knet-zstd", ring: lab.Ring{Transport: "knet", Totem: compression("zstd"), Cipher: "aes256", Hash: "sha256"}}, check: compressed},
	mode{kind: kind{name: "knet-lz4-zlib-bzip2", ring: lab.Ring{Transport: "knet", Totem: compression("zlib")}}, check: compressed}.
		compresses(1, "lz4").compresses(3, "bzip2"),
	mode{kind: kind{name: "knet-lzo2-lzma-lz4hc", ring: lab.Ring{Transport: "knet", Totem: compression("zlib")}}, check: compressed}.
		compresses(1, "lzo2").compresses(2, "lzma").compresses(3, "lz4hc"),
	{kind: kind{name: "udp-broadcast", ring: lab.Ring{Transport: "udp"}}, inside: "interface {\n    linknumber: 0\n    broadcast: yes\n  }"},
	{kind: kind{name: "udpu-ipv6", ring: lab.Ring{Transport: "udpu"}, lab: lab.Options{IPv6: true}}},
}

// TestModes takes rings of uncommon kinds through traffic, a link that goes
// during it and comes back, and a kill.
func TestModes(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := casts[0]
			if onlyStock() {
				c = casts[2]
			}
			r := newRing(t, c, m.kind)
			if m.inside != "" {
				r.conf = strings.Replace(r.conf, "}\nlogging", "  "+m.inside+"\n}\nlogging", 1)
			}
			r.mode(m)
		})
	}
}

func (r *ring) mode(m mode) {
	common := r.conf
	configure := func(i int) {
		r.conf = strings.Replace(common, m.nodes[i+1][0], m.nodes[i+1][1], 1)
	}
	for i := range r.Hosts {
		configure(i)
		r.start(i)
	}
	r.form(1, 2, 3)
	r.join(0, 1, 2)
	r.order(1000, 0, 1, 2)
	if m.lab.Links > 1 {
		// In turns a token can meet the dead link at every try, when a merge
		// detection goes out between any two. Stock loses its ring then, too.
		stays := m.ring.Totem["link_mode"] != "rr"
		r.linkGoes(1, 1, stays)
		r.linkGoes(2, 0, stays)
	}
	if m.check != nil {
		m.check(r)
	}
	configure(1)
	r.fault("kill", 1, r.kill)
}

// linkGoes takes a link of host i away and brings it back while everybody sends:
// no message is lost and, if that can be, the ring stays. A ring may also be lost
// because a busy machine let it wait: only a second time in a row counts.
func (r *ring) linkGoes(i, link int, stays bool) {
	r.t.Helper()
	for try := 1; ; try++ {
		before, after := r.goAndCome(i, link)
		if before == after {
			return
		}
		r.t.Logf("ring %s became %s when link %d of node %d went", before, after, link, i+1)
		if !stays {
			return
		}
		if try == 2 {
			r.t.Fatal("the ring does not stay")
		}
	}
}

// goAndCome takes a link away and brings it back; it returns the ring before and after.
func (r *ring) goAndCome(i, link int) (before, after string) {
	r.t.Helper()
	before, _, err := r.Hosts[0].Ring()
	r.must(err, "ring")
	stop := make(chan error, 1)
	go func() {
		err := r.Hosts[i].SetLink(link, "down")
		time.Sleep(1500 * time.Millisecond)
		if err == nil {
			err = r.Hosts[i].SetLink(link, "up")
		}
		stop <- err
	}()
	for range 3 {
		r.order(300, 0, 1, 2)
		time.Sleep(300 * time.Millisecond)
	}
	r.must(<-stop, "link %d of node %d", link, i+1)
	r.must(r.connected(i, link, 10*time.Second), "link %d of node %d comes back", link, i+1)
	r.order(300, 0, 1, 2)
	after, _, err = r.Hosts[0].Ring()
	r.must(err, "ring")
	return before, after
}

// connected waits until every node sees host i over a link.
func (r *ring) connected(i, link int, limit time.Duration) error {
	key := fmt.Sprintf("stats.knet.node%d.link%d.connected", i+1, link)
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		sees := 0
		for j, h := range r.Hosts {
			if out, _ := h.Tool("corosync-cmapctl", "-m", "stats", "-g", key); j == i || strings.Contains(out, "= 1") {
				sees++
			}
		}
		if sees == len(r.Hosts) {
			return nil
		}
		if time.Since(begin) > limit {
			return fmt.Errorf("%s on %d hosts after %v", key, sees, limit)
		}
	}
}

// count reads a statistic beside host i.
func (r *ring) count(i int, key string) (n uint64) {
	r.t.Helper()
	out, err := r.Hosts[i].Tool("corosync-cmapctl", "-q", "-m", "stats", "-g", key)
	r.must(err, "%s", key)
	if _, err := fmt.Sscan(out, &n); err != nil {
		r.t.Fatalf("%s: %q", key, out)
	}
	return n
}

// bothLinks checks that data went both ways over both links, beside every node.
func bothLinks(r *ring) {
	for i := range r.Hosts {
		for peer := range r.Hosts {
			for link := range 2 {
				if peer == i {
					continue
				}
				key := fmt.Sprintf("stats.knet.node%d.link%d.", peer+1, link)
				if tx, rx := r.count(i, key+"tx_data_packets"), r.count(i, key+"rx_data_packets"); tx < 200 || rx < 200 {
					r.t.Errorf("node %d: %d packets to, %d from node %d over link %d", i+1, tx, rx, peer+1, link)
				}
			}
		}
	}
}

// compressed checks that every node got what others had compressed, and that
// those who can compressed themselves.
func compressed(r *ring) {
	for i, h := range r.Hosts {
		for _, key := range []string{"tx_compressed_packets", "rx_compressed_packets", "rx_compressed_size_bytes"} {
			if n := r.count(i, "stats.knet.handle."+key); n < 10 {
				r.t.Errorf("node %d (%s): %s is %d", i+1, h.Kind, key, n)
			}
		}
	}
}
