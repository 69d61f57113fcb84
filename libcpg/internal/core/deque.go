package core

// A deque is a queue that keeps its storage.
type deque[T any] struct {
	ring  []T
	first int
	n     int
}

func (d *deque[T]) len() int { return d.n }

// at is the i-th item from the front.
func (d *deque[T]) at(i int) *T { return &d.ring[(d.first+i)&(len(d.ring)-1)] }

func (d *deque[T]) push(v T) {
	if d.n == len(d.ring) {
		grown := make([]T, max(16, 2*len(d.ring))) // a power of two
		for i := range d.n {
			grown[i] = *d.at(i)
		}
		d.ring, d.first = grown, 0
	}
	d.n++
	*d.at(d.n - 1) = v
}

func (d *deque[T]) pop() (v T) {
	front := d.at(0)
	v, *front = *front, v
	d.first = (d.first + 1) & (len(d.ring) - 1)
	d.n--
	return v
}
