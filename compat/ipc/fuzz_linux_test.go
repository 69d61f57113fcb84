package ipc_test

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cpgol/compat/ipc"
	"cpgol/compat/ipc/internal/dgram"
	"cpgol/compat/ipc/internal/shm"
)

// Operations of FuzzSockets.
const (
	opSend     = iota // the client sends a datagram
	opStranger        // somebody else does
	opControl         // the client writes into the control file
	opCut             // and cuts it short
	opStep            // the server's turn
	opFlow            // the service sets the flow-control word
	opEvent           // and sends events
	opReceive         // the client takes messages
	opHangUp
	opAsk // the client sends a request that is one
	fuzzOps
)

// strangerMark is in every message of a stranger's, and in no one else's.
const strangerMark = 0xEE

// FuzzSockets runs a connection over sockets through arbitrary datagrams of its
// client and of strangers, arbitrary words in its control file, and a service
// that sends and holds back. Nothing panics; the service gets requests that are
// as long as they say, and none of a stranger; at the end everything is given
// back.
func FuzzSockets(f *testing.F) {
	f.Add([]byte{opAsk, 0, 40, opStep, 0, opEvent, 0, 9, opReceive, 0, opHangUp, 0, opStep, 0})
	f.Add([]byte{opStranger, 0, 30, opStep, 0, opAsk, 0, 20, opSend, 0, 16, 1, 2, 3, 4, opStep, 0, opReceive, 0})
	f.Add([]byte{opAsk, 0, 30, opStep, 0, opFlow, 2, opAsk, 0, 30, opStep, 0, opFlow, 0, opStep, 0, opControl, 7, 255, opCut, 0, opAsk, 0, 20, opStep, 0})
	f.Add([]byte{opEvent, 0, 30, opStep, 0, opSend, 0, 0, opStep, 0})
	dir, err := os.MkdirTemp("/dev/shm", "cpgol-ipc-")
	if err != nil {
		f.Skip(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	f.Fuzz(func(t *testing.T, script []byte) {
		p := newPlay(t, dir)
		for i := 0; len(script) > 0 && i < 300; i++ {
			script = p.step(script)
		}
		p.end()
	})
}

// A play is one run of a script.
type play struct {
	t      *testing.T
	poll   *stepper
	server *ipc.Server
	h      *fuzzed
	now    time.Duration

	setup    *net.UnixConn
	client   *dgram.Socket
	events   *dgram.Socket
	stranger *dgram.Socket
	control  string
	dir      string
	buf      []byte
}

func newPlay(t *testing.T, parent string) *play {
	p := &play{t: t, poll: &stepper{ready: make(map[int]func(uint32))}, h: &fuzzed{t: t, echo: newEcho()}, buf: make([]byte, 20_000)}
	var err error
	p.dir, err = os.MkdirTemp(parent, "")
	p.must(err)
	p.server, err = ipc.NewServer(p.poll, ipc.Options{Transport: ipc.Sockets, Dir: p.dir, ForceFile: "/nonexistent", MaxQueue: 1 << 20})
	p.must(err)
	name := uniqueName()
	_, err = p.server.Listen(name, p.h)
	p.must(err)
	abstract, err := shm.AbstractName(name)
	p.must(err)
	p.setup, err = net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: abstract})
	p.must(err)
	_, err = p.setup.Write((&shm.ConnectRequest{MaxMessage: 1}).Append(nil))
	p.must(err)
	p.poll.step()
	p.poll.step()
	res, err := readResponse(p.setup)
	p.must(err)
	p.control = res.Request
	p.client = p.open(res.Response, "response", "request")
	p.events = p.open(res.Response, "event", "event-tx")
	p.stranger = p.open(res.Response, "", "request")
	return p
}

func (p *play) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) open(base, local, remote string) *dgram.Socket {
	s, err := dgram.Open()
	p.must(err)
	if local != "" {
		n, err := dgram.MakeName(base, local)
		p.must(err)
		p.must(s.Bind(&n))
	}
	n, err := dgram.MakeName(base, remote)
	p.must(err)
	p.must(s.Connect(&n))
	return s
}

// step plays the script's first operation and returns the rest.
func (p *play) step(script []byte) []byte {
	op := script[0] % fuzzOps
	script = script[1:]
	next := func() (b byte) {
		if len(script) > 0 {
			b, script = script[0], script[1:]
		}
		return b
	}
	arg := next()
	switch op {
	case opSend:
		n := min(int(next())|int(arg&15)<<8, 20_000)
		msg := make([]byte, n)
		script = script[copy(msg, script):]
		for i := range msg {
			if msg[i] == strangerMark {
				msg[i]--
			}
		}
		p.client.Send(msg, nil)
	case opAsk:
		p.client.Send(request(uint32(arg%5), make([]byte, 8+int(next()))), nil)
	case opStranger:
		p.stranger.Send(request(reqAsync, append(make([]byte, int(next())), strangerMark)), nil)
	case opControl:
		if f, err := os.OpenFile(p.control, os.O_WRONLY, 0); err == nil {
			f.WriteAt([]byte{next()}, int64(arg%shm.ControlSize))
			f.Close()
		}
	case opCut:
		os.Truncate(p.control, int64(arg%2)*shm.ControlSize)
	case opStep:
		p.turn()
	case opFlow:
		for c := range p.h.conns {
			c.SetFlow(int32(arg % 3))
		}
	case opEvent:
		count := next() % 64
		for c := range p.h.conns {
			for i := range count {
				c.Event(event(uint32(i), uint32(arg)*100))
			}
		}
	case opReceive:
		for range int(arg) + 1 {
			p.client.Recv(p.buf)
			p.events.Recv(p.buf)
		}
	case opHangUp:
		p.setup.CloseWrite()
	}
	return script
}

func (p *play) turn() {
	p.now += time.Millisecond
	p.poll.step()
	p.server.Tick(p.now)
}

func (p *play) end() {
	for range 3 {
		p.turn()
	}
	p.setup.Close()
	for i := 0; len(p.h.conns) > 0; i++ {
		for c := range p.h.conns {
			c.SetFlow(0)
		}
		p.turn()
		if i > 1000 {
			p.t.Fatal("the connection does not end")
		}
	}
	st := p.server.Stats()
	p.server.Close()
	for _, s := range []*dgram.Socket{p.client, p.events, p.stranger} {
		s.Close()
	}
	if st.QueuedBytes != 0 || st.Active != 0 || len(p.poll.ready) > 0 {
		p.t.Fatalf("%+v, %d descriptors polled", st, len(p.poll.ready))
	}
	left, err := filepath.Glob(filepath.Join(p.dir, "*"))
	if err != nil || len(left) > 0 {
		p.t.Fatalf("left behind: %v, %v", left, err)
	}
	os.Remove(p.dir)
}

// fuzzed checks what reaches a service.
type fuzzed struct {
	*echo
	t *testing.T
}

func (h *fuzzed) Request(c *ipc.Conn, msg []byte) {
	if len(msg) < h16 || len(msg) != int(int32(binary.NativeEndian.Uint32(msg[8:]))) {
		h.t.Fatalf("request of %d bytes: % x", len(msg), msg[:min(len(msg), 24)])
	}
	if msg[len(msg)-1] == strangerMark {
		h.t.Fatal("a stranger's request")
	}
	if id := binary.NativeEndian.Uint32(msg); id == reqEvents || id == reqFlood {
		if len(msg) >= 24 && binary.NativeEndian.Uint32(msg[16:]) > 50 {
			return
		}
	}
	h.echo.Request(c, msg)
}
