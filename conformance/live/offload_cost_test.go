package live

import (
	"fmt"
	"testing"
	"time"

	"cpgol/conformance/lab"
)

// TestOffloadAllocations: what is offloaded costs a receiver no allocation for each
// message, from its socket to Next. A few there are, as each garbage collection empties
// the pools. A sender's are logged: on a busy machine it waits for room again and again,
// which costs some.
func TestOffloadAllocations(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	r := newOffload(t, cast{"ours", [3]bool{true, true, true}})
	r.binary = buildGo(t, "gobench")
	for i, size := range []int{64, 8000, 64_000} {
		group := fmt.Sprint("costs", i)
		var clients []*lab.Client
		for i, h := range r.Hosts {
			args := []string{"sink", group, "2"}
			if i == 0 {
				args = []string{"flood", group, fmt.Sprint(size), "2"}
			}
			c, err := h.StartClient(r.binary, args...)
			r.must(err, "client")
			r.must(c.WaitCount(10*time.Second, "ready", 1), "joins")
			clients = append(clients, c)
		}
		time.Sleep(300 * time.Millisecond) // the group is offloaded by now
		for _, c := range clients {
			c.Go()
		}
		for i, c := range clients {
			r.must(c.WaitCount(30*time.Second, "flood", 1), "client of node %d ends", i+1)
			var allocations, bytes, took float64
			var own, all int
			fmt.Sscanf(c.Lines("cost")[0], "cost %f %f", &allocations, &bytes)
			fmt.Sscanf(c.Lines("flood")[0], "flood %d %d %f", &own, &all, &took)
			t.Logf("%d bytes, node %d: %d messages, %.4f allocations and %.1f bytes for each", size, i+1, all, allocations, bytes)
			if most := 0.5; all < 1000 || i > 0 && allocations > most {
				t.Errorf("%d bytes, node %d: %.3f allocations for each of %d messages, at most %.1f", size, i+1, allocations, all, most)
			}
		}
	}
}
