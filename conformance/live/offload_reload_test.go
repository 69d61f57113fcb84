package live

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// TestOffloadReload: a group offloads while keys, ciphers and addresses of its ring
// change. Nothing is lost, it offloads again after each change, and its processes
// listen on the ring's addresses and nowhere else.
func TestOffloadReload(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	c := newChanging(t, "ooo", 2)
	c.client, c.talk.size = buildGo(t, "gocpg"), 20_000
	c.start3()
	c.offloads(0)
	c.talk.begin(c.clients)
	changes := len(c.clients[0].Lines("offload"))
	c.rekeys()
	c.offloads(0)
	for id := 1; id <= 3; id++ {
		c.must(c.Hosts[id-1].AddAddr(1, otherAddr(id)), "another address")
	}
	c.stays(func() {
		c.reload(2, "a second link", func(p *plan) { p.links = []int{0, 1} })
		c.offloads(0, 1)
		c.reload(1, "no second link", func(p *plan) { p.links = []int{0} })
		c.offloads(0)
		c.reload(3, "the second link at other addresses", func(p *plan) { p.links, p.other = []int{0, 1}, true })
		c.offloads(0, 2)
		c.connected(1)
		for id := 1; id <= 3; id++ {
			c.must(c.Hosts[id-1].SetLink(0, "down"), "link 0 down")
		}
		begin := time.Now()
		c.offloadsOver([]int{0, 2}, []int{2})
		t.Logf("over the second link after %v", time.Since(begin).Round(10*time.Millisecond))
		c.talk.heard(t, c.clients)
	})
	c.talk.end(t, c.clients)
	t.Logf("changes between ring and offload: %q", c.clients[0].Lines("offload")[changes:])
}

// offloads waits until the group is offloaded, and its processes listen on these
// links and are connected over them: 0 or 1, or 2 for the other addresses of 1.
func (c *changing) offloads(links ...int) {
	c.t.Helper()
	c.offloadsOver(links, links)
}

// offloadsOver is offloads with connections over some of the links only.
func (c *changing) offloadsOver(links, used []int) {
	c.t.Helper()
	var missing string
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(100 * time.Millisecond) {
		if missing = c.offloadsNot(c.addresses(links), c.addresses(used)); missing == "" {
			return
		}
	}
	c.t.Fatal(missing)
}

// addresses are those of the first three nodes.
func (c *changing) addresses(links []int) map[string]bool {
	all := map[string]bool{}
	for id := 1; id <= 3; id++ {
		for _, link := range links {
			if link == 2 {
				all[otherAddr(id)] = true
			} else {
				all[c.Addr(id, link)] = true
			}
		}
	}
	return all
}

func (c *changing) offloadsNot(want, used map[string]bool) string {
	c.t.Helper()
	for i, client := range c.clients {
		if lines := client.Lines("offload"); len(lines) == 0 || lines[len(lines)-1] != "offload on" {
			return fmt.Sprintf("the client of node %d does not offload", i+1)
		}
		listening, connected := sockets(c.t, client.PID())
		for s := range listening {
			if !want[s.Addr().String()] {
				return fmt.Sprintf("node %d listens on %v", i+1, s)
			}
		}
		if len(listening) != len(want)/3 || len(connected) < 4 { // one each way with each of two others
			return fmt.Sprintf("node %d listens on %v and has connections %v", i+1, listening, connected)
		}
		for _, s := range connected {
			if here := listening[s.local] && used[s.local.Addr().String()]; !here && !used[s.remote.Addr().String()] {
				return fmt.Sprintf("node %d is connected from %v to %v", i+1, s.local, s.remote)
			}
		}
	}
	return ""
}

type connection struct{ local, remote netip.AddrPort }

// sockets are where TCP listens in a process's network, and its connections.
func sockets(t *testing.T, pid int) (listening map[netip.AddrPort]bool, connected []connection) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		t.Fatal(err)
	}
	listening = map[netip.AddrPort]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		local, ok := address(f[1])
		remote, _ := address(f[2])
		switch {
		case !ok:
		case f[3] == "0A":
			listening[local] = true
		case f[3] == "01":
			connected = append(connected, connection{local, remote})
		}
	}
	return listening, connected
}

// address reads an address as the kernel prints it: 0100007F:1F90.
func address(s string) (a netip.AddrPort, ok bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(b) != 4 {
		return a, false
	}
	ip := binary.NativeEndian.Uint32(b)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}), uint16(number)), true
}
