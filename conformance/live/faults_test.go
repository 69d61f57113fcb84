package live

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// fault lets something happen to node i and checks that the others and it are
// well afterwards.
func (r *ring) fault(name string, i int, happen func(i int, others []int)) {
	r.t.Helper()
	r.serial++
	r.t.Logf("-- %d: %s node %d", r.serial, name, i+1)
	var others []int
	for j := range r.Hosts {
		if j != i {
			others = append(others, j)
		}
	}
	happen(i, others)
	r.order(50, 0, 1, 2)
}

func nodes(hosts []int) []int {
	var ids []int
	for _, h := range hosts {
		ids = append(ids, h+1)
	}
	return ids
}

// told waits until the clients of hosts were told that pid of node i left, and
// checks the reason: 3 node down, 5 process down.
func (r *ring) told(hosts []int, i, pid int, reasons ...int) {
	r.t.Helper()
	for _, h := range hosts {
		var found string
		prefix := fmt.Sprintf("%d:%d:", i+1, pid)
		r.must(r.clients[h].Wait(15*time.Second, func(lines []string) bool {
			for _, l := range slices.Backward(lines) {
				_, left, ok := strings.Cut(l, " l=")
				if !ok {
					continue
				}
				left, _, _ = strings.Cut(left, " ")
				for _, entry := range strings.Split(left, ",") {
					if reason, ok := strings.CutPrefix(entry, prefix); ok {
						found = reason
						return true
					}
				}
			}
			return false
		}), "client of node %d is told that %s left", h+1, prefix)
		if !slices.Contains(reasons, int(found[0]-'0')) {
			r.t.Errorf("client of node %d was told reason %s for node %d, not one of %v", h+1, found, i+1, reasons)
		}
	}
}

// kill ends a node's daemon without warning and starts it again.
func (r *ring) kill(i int, others []int) {
	r.t.Helper()
	pid := r.clients[i].PID()
	r.must(r.Hosts[i].Kill(), "kill")
	r.clients[i].Kill()
	r.form(nodes(others)...)
	r.told(others, i, pid, 3)
	r.order(50, others...)
	r.start(i)
	r.form(1, 2, 3)
	r.join(i)
}

// cut takes a node off the network and puts it back. Its client stays.
func (r *ring) cut(i int, others []int) {
	r.t.Helper()
	pid := r.clients[i].PID()
	r.must(r.Hosts[i].Cut(), "cut")
	r.form(nodes(others)...)
	r.told(others, i, pid, 3)
	r.order(50, others...)
	r.must(r.WaitRing(20*time.Second, i+1), "node %d alone", i+1)
	r.must(r.Hosts[i].Join(), "join")
	r.form(1, 2, 3)
	r.everybodySees(3)
}

// stop asks a node's daemon to end and starts it again. The others must go on
// without waiting for the token to be missed.
func (r *ring) stop(i int, others []int) {
	r.t.Helper()
	pid := r.clients[i].PID()
	begin := time.Now()
	r.must(r.Hosts[i].Stop(), "stop")
	stopped := time.Now()
	r.clients[i].Kill()
	r.must(r.WaitRing(20*time.Second, nodes(others)...), "ring of %v", nodes(others))
	r.t.Logf("stopped in %v, the others went on %v later", stopped.Sub(begin).Round(time.Millisecond), time.Since(stopped).Round(time.Millisecond))
	r.told(others, i, pid, 3, 5)
	r.order(50, others...)
	r.start(i)
	r.form(1, 2, 3)
	r.join(i)
}
