package mesh

// A deque is a queue of messages that keeps its storage.
type deque struct {
	ring  []*message // as many as a power of two
	first int
	n     int
}

func (d *deque) len() int { return d.n }

func (d *deque) push(m *message) {
	if d.n == len(d.ring) {
		grown := make([]*message, max(16, 2*len(d.ring)))
		for i := range d.n {
			grown[i] = d.ring[(d.first+i)&(len(d.ring)-1)]
		}
		d.ring, d.first = grown, 0
	}
	d.ring[(d.first+d.n)&(len(d.ring)-1)] = m
	d.n++
}

func (d *deque) pop() *message {
	m := d.ring[d.first]
	d.ring[d.first] = nil
	d.first = (d.first + 1) & (len(d.ring) - 1)
	d.n--
	return m
}
