package conf

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFormulas checks values seen on running daemons (the first five), and where
// C's arithmetic shows.
func TestFormulas(t *testing.T) {
	for _, c := range []struct{ token, retransmit, hold, consensus uint32 }{
		{3000, 714, 561, 3600},
		{3650, 869, 685, 4380},
		{9500, 2261, 1798, 11400},
		{126, 30, 14, 151},
		{125, 29, 13, 150},
		// Single precision shows from here on.
		{3500003, 833334, 666657, 4200003},
		{20000001, 4761905, 3809514, 24000002},
		{4294967295, 1022611260, 818088998, 1 << 31},
	} {
		r := retransmitOf(c.token, defaultRetransmits)
		if r != c.retransmit || holdOf(r) != c.hold || consensusOf(c.token) != c.consensus {
			t.Errorf("token %d: retransmit %d hold %d consensus %d, want %+v", c.token, r, holdOf(r),
				consensusOf(c.token), c)
		}
	}
	if minHold != 14 || minTimeout != 30 {
		t.Errorf("minima %d %d", minHold, minTimeout)
	}
}

// TestTokenGrows with the nodes on link 0.
func TestTokenGrows(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 3000, 2: 3000, 3: 3650, 12: 9500} {
		var b strings.Builder
		b.WriteString("totem {\nversion: 2\n}\nnodelist {\n")
		for i := range n {
			fmt.Fprintf(&b, "node {\nname: node%d\nnodeid: %d\nring0_addr: 192.0.2.%d\n}\n", i+1, i+1, i+1)
		}
		b.WriteString("}\n")
		c, err := Load("node.toml", tomlHost(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if c.Totem.Token != want*time.Millisecond {
			t.Errorf("%d nodes: %v", n, c.Totem.Token)
		}
	}
}
