package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cpgol/libcpg"
)

// Messages of a bench begin with what they are.
const (
	benchData  = 'd' // at 8 when it was sent, for the sender's own use
	benchReady = 'r' // then what is to be measured, and the role
	benchOver  = 'o' // nothing of the measurement follows
)

const (
	benchLeast  = 16 // bytes that a message needs
	benchSample = 64 // bytes of a probe's messages
)

// A benchMember is this process in the group. Its events are read by one
// goroutine, its messages may be sent by another.
type benchMember struct {
	opt    *benchOptions
	c      *libcpg.Conn
	ev     libcpg.Event
	epoch  time.Time
	buf    []byte        // the message being sent
	back   chan struct{} // one of our own has come
	flying atomic.Int64  // bytes of our own that have not

	ready   []benchCall
	result  *benchResult
	samples []time.Duration
}

// benchTransport takes all measurements of one transport.
func benchTransport(ctx context.Context, opt benchOptions, transport string, show func(*benchResult), stderr io.Writer) error {
	c, err := libcpg.Open(libcpg.Options{InRing: transport == benchRing})
	if err != nil {
		return err
	}
	defer c.Close()
	m := &benchMember{opt: &opt, c: c, epoch: time.Now(), back: make(chan struct{}, 1)}
	if err := c.Join(ctx, opt.group+"-"+transport); err != nil {
		return err
	}
	for len(m.ev.Members) < opt.members {
		if err := c.Next(ctx, &m.ev); err != nil {
			return err
		}
	}
	offloaded := false
	if transport == benchOffload {
		var why string
		if offloaded, why, err = m.awaitOffload(ctx); err != nil {
			return err
		}
		if !offloaded {
			fmt.Fprintf(stderr, "cpgold bench: the group is not offloaded: %s\n", why)
		}
	}
	for _, size := range opt.sizes {
		m.result = &benchResult{Transport: transport, Role: opt.role, Size: size, Members: opt.members}
		m.samples = m.samples[:0]
		if err := m.measure(ctx, size); err != nil {
			return err
		}
		m.result.Offloaded, _ = c.Offload()
		m.result.Offloaded = m.result.Offloaded && offloaded
		m.sum()
		show(m.result)
	}
	return nil
}

// awaitOffload gives the group some time. Views come with events, and other
// members may be ready before that.
func (m *benchMember) awaitOffload(ctx context.Context) (on bool, why string, err error) {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if on, why = m.c.Offload(); on {
			break
		}
		look, done := context.WithTimeout(ctx, 50*time.Millisecond)
		err := m.next(look)
		done()
		switch {
		case err == nil:
			m.hearReady()
		case !errors.Is(err, context.DeadlineExceeded):
			return on, why, err
		}
	}
	return on, why, nil
}

// hearReady keeps what a member has said of being ready.
func (m *benchMember) hearReady() {
	if m.ev.Kind == libcpg.Message && len(m.ev.Data) > 0 && m.ev.Data[0] == benchReady {
		m.ready = append(m.ready, benchCall{m.ev.From, string(m.ev.Data[1:])})
	}
}

// A benchCall is a member's word that it is ready.
type benchCall struct {
	from libcpg.Member
	what string // to be measured, and the role
}

// measure takes the latency of one size, of the first sender's messages while
// nobody else sends, and then the throughput of all senders.
func (m *benchMember) measure(ctx context.Context, size int) error {
	first, err := m.gather(ctx, fmt.Sprintf("latency %d", size))
	if err != nil {
		return err
	}
	if first == m.c.Self() {
		err = m.beside(ctx, func(ctx context.Context) error { return m.ping(ctx, size, m.opt.duration()/4) })
	} else {
		err = m.beside(ctx, func(context.Context) error { return nil })
	}
	if err != nil {
		return err
	}
	if _, err := m.gather(ctx, fmt.Sprintf("throughput %d", size)); err != nil {
		return err
	}
	m.result.Messages, m.result.Own = 0, 0
	begin := time.Now()
	err = m.beside(ctx, func(ctx context.Context) error {
		switch m.opt.role {
		case benchSender:
			return m.flood(ctx, size, m.opt.duration())
		case benchProbe:
			m.samples = m.samples[:0]
			return m.ping(ctx, benchSample, m.opt.duration())
		}
		return nil
	})
	m.result.Seconds = time.Since(begin).Seconds()
	m.result.MBs = float64(m.result.Messages) * float64(size) / m.result.Seconds / 1e6
	return err
}

// gather waits until all members are ready to measure the same, and says who is
// the first of the senders.
func (m *benchMember) gather(ctx context.Context, what string) (first libcpg.Member, err error) {
	if err := m.c.Send(ctx, []byte{benchReady}, []byte(what), []byte{' '}, []byte(m.opt.role)); err != nil {
		return first, err
	}
	for len(m.ready) < m.opt.members {
		if err := m.next(ctx); err != nil {
			return first, err
		}
		m.hearReady()
	}
	var senders []libcpg.Member
	for _, r := range m.ready {
		role, ok := strings.CutPrefix(r.what, what+" ")
		if !ok {
			return first, fmt.Errorf("%v measures %q, not %q: all members need the same sizes", r.from, r.what, what)
		}
		if role == benchSender {
			senders = append(senders, r.from)
		}
	}
	m.ready = m.ready[:0]
	if len(senders) == 0 {
		return first, errors.New("nobody sends: one member at least must have neither --receive nor --probe")
	}
	return slices.MinFunc(senders, func(a, b libcpg.Member) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.PID, b.PID))
	}), nil
}

// next is the next event; a member that goes ends the bench.
func (m *benchMember) next(ctx context.Context) error {
	if err := m.c.Next(ctx, &m.ev); err != nil {
		return err
	}
	if m.ev.Kind == libcpg.Change && len(m.ev.Members) < m.opt.members {
		return errors.New("a member is gone")
	}
	return nil
}

// beside sends while it listens until everybody has said that no more comes.
func (m *benchMember) beside(ctx context.Context, send func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sendErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		if sendErr = send(ctx); sendErr == nil {
			sendErr = m.c.Send(ctx, []byte{benchOver})
		}
		if sendErr != nil {
			cancel()
		}
	})
	err := m.listen(ctx)
	if err != nil {
		cancel()
	}
	wg.Wait()
	if sendErr != nil && !errors.Is(sendErr, context.Canceled) {
		return sendErr
	}
	return err
}

// listen counts until everybody has said that no more comes.
func (m *benchMember) listen(ctx context.Context) error {
	for over := 0; over < m.opt.members; {
		if err := m.next(ctx); err != nil {
			return err
		}
		if m.ev.Kind != libcpg.Message || len(m.ev.Data) == 0 {
			continue
		}
		switch m.ev.Data[0] {
		case benchOver:
			over++
		case benchData:
			m.heard()
		}
	}
	return nil
}

// heard counts a message. Those of probes are not of the size that is measured.
func (m *benchMember) heard() {
	data, own := m.ev.Data, m.ev.From == m.c.Self()
	if len(data) == m.result.Size {
		m.result.Messages++
		if own {
			m.result.Own++
		}
	}
	if !own || len(data) < benchLeast {
		return
	}
	if sent := time.Duration(binary.LittleEndian.Uint64(data[8:])); sent > 0 {
		m.samples = append(m.samples, time.Since(m.epoch)-sent)
	}
	m.flying.Add(-int64(len(data)))
	select {
	case m.back <- struct{}{}:
	default:
	}
}

// message is the next one to send.
func (m *benchMember) message(size int, sent time.Duration) []byte {
	if len(m.buf) != size {
		m.buf = make([]byte, size)
		m.buf[0] = benchData
	}
	binary.LittleEndian.PutUint64(m.buf[8:], uint64(sent))
	return m.buf
}

// benchWindow is how many bytes of its own a sender waits for at most: daemons
// queue what clients are slow to take, and would have to hand it out afterwards.
const benchWindow = 32 << 20

// await waits until no more than so many of our own bytes have not come back.
func (m *benchMember) await(ctx context.Context, most int64) error {
	for m.flying.Load() > most {
		select {
		case <-m.back:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// flood sends as fast as it can.
func (m *benchMember) flood(ctx context.Context, size int, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		m.flying.Add(int64(size))
		if err := m.c.Send(ctx, m.message(size, 0)); err != nil {
			return err
		}
		if err := m.await(ctx, benchWindow); err != nil {
			return err
		}
	}
	return nil
}

// ping sends one message at a time.
func (m *benchMember) ping(ctx context.Context, size int, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		m.flying.Add(int64(size))
		if err := m.c.Send(ctx, m.message(size, time.Since(m.epoch))); err != nil {
			return err
		}
		if err := m.await(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// sum works the samples out.
func (m *benchMember) sum() {
	r, n := m.result, len(m.samples)
	if r.Samples = n; n == 0 {
		return
	}
	slices.Sort(m.samples)
	at := func(percent int) float64 { return float64(m.samples[min(n-1, n*percent/100)]) / 1e3 }
	r.P50, r.P90, r.P99, r.Max = at(50), at(90), at(99), at(100)
}
