package mesh

import "testing"

var sizes = []int{0, 1, 64, tiny, tiny + 1, 8192, chunkLen - 1, chunkLen, chunkLen + 1, 3*chunkLen + 5, 100, 300_000}

// TestThree: everybody's messages come to both others, whole and in order, over TCP
// and over the Unix socket.
func TestThree(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes [3]uint32
		root  bool
	}{
		{"tcp", [3]uint32{1, 2, 3}, true},
		{"unix", [3]uint32{1, 1, 1}, true},
		{"mixed", [3]uint32{1, 1, 2}, true},
		{"no root", [3]uint32{1, 1, 2}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.issuer = newIssuer(t, c.root)
			w.setup = anyPID
			for i, node := range c.nodes {
				w.add(member(node, uint32(100+i))).credit = 1 << 20
			}
			w.begin(view(1))
			for i, n := range w.nodes {
				a, b := w.nodes[(i+1)%3], w.nodes[(i+2)%3]
				n.awaitUp(a, b)
				for j, size := range sizes {
					n.send(uint64(j+1), size, a, b)
				}
			}
			for i, n := range w.nodes {
				n.expect(w.nodes[(i+1)%3], sizes...)
				n.expect(w.nodes[(i+2)%3], sizes...)
			}
			for _, n := range w.nodes {
				if s := n.Stats(); s != (Stats{Met: 4}) {
					t.Errorf("%v: %+v", n.id, s)
				}
			}
		})
	}
}

// anyPID lets several members be in one process.
func anyPID(m *Mesh) { m.pidIs = func(_, _ uint32) bool { return true } }
