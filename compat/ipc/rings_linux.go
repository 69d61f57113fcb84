package ipc

import "cpgol/compat/ipc/internal/shm"

// rings carry a connection over shared memory (libqb lib/ipc_shm.c).
type rings struct {
	request         *shm.Reader
	response, event ringSink
	max             int
}

var _ carrier = (*rings)(nil)

// newRings makes the three rings in the directory open at dir, whose path is
// path.
func newRings(c *Conn, dir int, path string, owner shm.Owner, res *shm.ConnectResponse) (carrier, error) {
	var mem [3]shm.Memory
	names := ringNames(c.listener.name)
	for i, base := range names {
		var err error
		if mem[i], err = shm.Create(dir, base, path+base, c.max, owner); err != nil {
			for _, m := range mem {
				m.Unmap()
			}
			return nil, err
		}
	}
	res.Transport = shm.TypeSHM
	res.Request, res.Response, res.Event = path+names[0], path+names[1], path+names[2]
	return &rings{
		request:  shm.NewReader(mem[0], c.max),
		response: ringSink{shm.NewWriter(mem[1])},
		event:    ringSink{shm.NewWriter(mem[2])},
		max:      c.max,
	}, nil
}

func (r *rings) sinks() (answers, events sink) { return r.response, r.event }
func (r *rings) longest() int                  { return r.max }
func (r *rings) told() bool                    { return true }

// Requests are told of by bytes on the socket, which are always read.
func (r *rings) hold() error    { return nil }
func (r *rings) release() error { return nil }

func (r *rings) take(buf []byte) (msg []byte, err error) {
	err = r.request.Memory().Guard(func() (err error) {
		msg, err = r.request.Take(buf)
		return err
	})
	return msg, err
}

func (r *rings) queued() (n uint32, err error) {
	mem := r.request.Memory()
	err = mem.Guard(func() error {
		n = mem.Queued()
		return nil
	})
	return n, err
}

// seal cannot keep a process that lives from writing on; the count bounds it.
func (r *rings) seal() (left uint32, err error) {
	left, err = r.queued()
	return min(left, uint32(len(r.request.Memory().Data)/headerLen)), err
}

func (r *rings) setFlow(word int32) error {
	mem := r.request.Memory()
	return mem.Guard(func() error {
		mem.SetFlow(word)
		return nil
	})
}

func (r *rings) close() {
	r.response.ring.Memory().Wake() // a waiter of ours looks at its socket; glibc's sleeps on
	for _, m := range []shm.Memory{r.response.ring.Memory(), r.event.ring.Memory(), r.request.Memory()} {
		m.Guard(func() error {
			m.Detach()
			return nil
		})
		m.Unmap()
	}
}

// A ringSink is a ring towards the client.
type ringSink struct{ ring *shm.Writer }

func (s ringSink) write(head, body []byte) error {
	var wake bool
	mem := s.ring.Memory()
	err := mem.Guard(func() (err error) {
		wake, err = s.ring.Write(head, body)
		return err
	})
	if wake {
		mem.Wake()
	}
	return err
}
