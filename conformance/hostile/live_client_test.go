package hostile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cpgol/compat/abi"
	ipc "cpgol/compat/ipc/client"
	"cpgol/conformance/lab"
)

// sockets are the names that the daemon serves.
var sockets = []string{"cmap", "cfg", "cpg", "quorum", "votequorum"}

// A served ring has good clients, on the victim and on a stock node, that must
// not notice what the bad ones do.
type served struct {
	*ring
	good   [2]*lab.Client
	seed   *rand.Rand
	rounds int
}

func newServed(t *testing.T) *served {
	s := &served{ring: newRing(t, lab.Ring{Transport: "knet"}), seed: rand.New(rand.NewPCG(5, 6))}
	for i := range s.good {
		c, err := s.Hosts[i].StartClient(clientBinary, "good")
		if err != nil {
			t.Fatal(err)
		}
		s.good[i] = c
		if err := c.WaitCount(10*time.Second, "confchg", 1); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// well lets the good clients talk to each other.
func (s *served) well(when string) {
	s.t.Helper()
	const each = 20
	s.rounds++
	begin := time.Now()
	for _, c := range s.good {
		c.Send(each, 300)
	}
	for i, c := range s.good {
		// What hostile clients say to the group does not count: it is shorter.
		err := c.Wait(10*time.Second, func(lines []string) bool {
			n := 0
			for _, l := range lines {
				if strings.HasPrefix(l, "deliver ") && strings.Contains(l, " 300 ") {
					n++
				}
			}
			return n >= s.rounds*each*len(s.good)
		})
		if err != nil {
			s.t.Fatalf("%s: the good client of node %d: %v", when, i+1, err)
		}
	}
	if d := time.Since(begin); d > 3*time.Second {
		s.t.Errorf("%s: the good clients waited %v", when, d)
	}
}

// try runs one kind of hostile client and judges what it did.
func (s *served) try(name string, hostile func()) {
	s.t.Helper()
	before := s.begin()
	hostile()
	s.well(name)
	s.judge(name, before)
}

// unixAddr is a service's name in the abstract namespace, as long as libqb's.
func unixAddr(service string) *net.UnixAddr {
	return &net.UnixAddr{Net: "unix", Name: "@" + service + strings.Repeat("\x00", 107-len(service))}
}

// dial opens a socket to a service from the victim's network.
func (s *served) dial(service string) (c *net.UnixConn, err error) {
	err = s.victim.Do(func() error {
		c, err = net.DialUnix("unix", nil, unixAddr(service))
		return err
	})
	return c, err
}

// connect does a service's handshake with the project's own client.
func (s *served) connect(service string, max int) (c *ipc.Conn, err error) {
	err = s.victim.Do(func() error {
		c, err = ipc.Dial(service, ipc.Options{MaxMessage: max, Timeout: 5 * time.Second})
		return err
	})
	return c, err
}

func hello(size, max uint32) []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 0xFFFFFFFF)
	binary.LittleEndian.PutUint32(b[8:], size)
	binary.LittleEndian.PutUint32(b[16:], max)
	return b
}

// TestHostileClients: what clients of our daemon do wrong, or to it, costs
// themselves.
func TestHostileClients(t *testing.T) {
	if *stockVictim {
		t.Skip("stock daemons do not survive this")
	}
	s := newServed(t)
	s.well("at first")
	s.try("bad greetings", s.greetings)
	s.try("a crowd", s.crowd)
	s.try("strange requests", s.requests)
	s.try("spoilt rings", s.scribble)
	s.try("cut files", s.truncate)
	s.try("deaf clients", s.deaf)
	s.try("clients that die", s.die)
}

// greetings are no, half, wrong and silent ones; a hundred are left open.
func (s *served) greetings() {
	var open []*net.UnixConn
	for i := range 300 {
		c, err := s.dial(sockets[i%len(sockets)])
		if errors.Is(err, syscall.EAGAIN) {
			time.Sleep(time.Millisecond) // more at once than are let in
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		b := hello(pick(s.seed, uint32(24), 0, 0xFFFFFFFF), uint32(edge(s.seed)))
		switch i % 4 {
		case 0:
			b = b[:s.seed.IntN(24)]
		case 1:
			b = mutate(s.seed, b)
			if len(b) > 1<<12 {
				b = b[:1<<12]
			}
		case 2:
			b = append(b, make([]byte, 4096)...)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		c.Write(b)
		if i%3 == 0 {
			open = append(open, c)
		} else {
			c.Close()
		}
	}
	s.well("bad greetings that are left open")
	for _, c := range open {
		c.Close()
	}
}

// crowd connects until no more are let in, with few descriptors left to the
// daemon.
func (s *served) crowd() {
	var was unix.Rlimit
	if err := unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 300, Max: 20000}, &was); err != nil {
		s.t.Fatal(err)
	}
	var crowd []*net.UnixConn
	refused := 0
	s.victim.Do(func() error {
		for i := range 600 {
			c, err := net.DialUnix("unix", nil, unixAddr(sockets[i%len(sockets)]))
			if err != nil {
				refused++
				time.Sleep(time.Millisecond)
				continue
			}
			crowd = append(crowd, c)
			c.Write(hello(24, 12328))
			c.SetReadDeadline(time.Now().Add(2 * time.Second))
			answer := make([]byte, 12328)
			if _, err := io.ReadFull(c, answer); err != nil || binary.LittleEndian.Uint32(answer[16:]) != 0 {
				refused++
			}
		}
		return nil
	})
	s.well("a crowd")
	if refused == 0 {
		s.t.Error("a crowd: all were let in")
	}
	for _, c := range crowd {
		c.Close()
	}
	unix.Prlimit(s.pid, unix.RLIMIT_NOFILE, &was, nil)
	time.Sleep(100 * time.Millisecond)
	if c, err := s.connect("cmap", 0); err != nil {
		s.t.Errorf("after the crowd: %v", err)
	} else {
		c.Close()
	}
}

// requests have every number and size, and contents to no purpose. Those that
// stop a daemon, kill a node or change votes are obeyed, as they should be; they
// are left out.
func (s *served) requests() {
	for _, service := range sockets {
		for id := int32(-3); id < 20; id++ {
			switch {
			case service == "cfg" && (id == abi.CfgKillNodeID || id == abi.CfgTryShutdownID || id == abi.CfgReloadConfigID),
				service == "votequorum" && id != abi.VoteGetInfoID && id != abi.VoteTrackStartID && id != abi.VoteTrackStopID:
				continue
			}
			c, err := s.connect(service, 0)
			if err != nil {
				s.t.Fatalf("%s: %v", service, err)
			}
			for range 12 {
				size := pick(s.seed, 16, 17, 24, 32, 160, 168, 200, 300, 1000, 70_000) + s.seed.IntN(9)
				b := make([]byte, size)
				for range s.seed.IntN(30) {
					put32(b, 16+4*s.seed.IntN(60), uint32(edge(s.seed)), false)
				}
				if service == "cmap" && s.seed.IntN(2) == 0 && size > 300 {
					put16(b, 16, 5, false)
					copy(b[24:], "test.")
				}
				put32(b, 0, uint32(id), false)
				put32(b, 8, uint32(pick(s.seed, size, size, size, 0, 15, size+1, int(int32(edge(s.seed))))), false)
				if c.Send(b, nil) != nil {
					break // disconnected, as it should be for some
				}
				c.Recv(nil, 20*time.Millisecond)
			}
			c.Close()
		}
	}
}

// files are the ring files of a connection.
func (s *served) files(c *ipc.Conn) []string {
	in, err := filepath.Rel("/dev/shm", c.Dir())
	if err != nil {
		s.t.Fatal(err)
	}
	list, _ := filepath.Glob(filepath.Join(s.victim.Shm(), in, "*"))
	return list
}

// scribble writes all over the rings while the daemon uses them.
func (s *served) scribble() {
	for i := range 60 {
		c, err := s.connect(sockets[i%len(sockets)], 0)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(s.files(c)) != 6 {
			s.t.Fatalf("ring files %v", s.files(c))
		}
		request := abi.AppendRequest(nil, int32(i%8), 16)
		for range 30 {
			for _, name := range s.files(c) {
				f, err := os.OpenFile(name, os.O_RDWR, 0)
				if err != nil {
					continue
				}
				word := make([]byte, 4)
				binary.LittleEndian.PutUint32(word, uint32(edge(s.seed)))
				at := pick(s.seed, int64(0), 4, 8, 8204, 8208, 8212, 8240, s.seed.Int64N(9000)) &^ 3
				if strings.HasSuffix(name, "-data") {
					at = s.seed.Int64N(400) &^ 3
				}
				if s.seed.IntN(3) == 0 {
					f.WriteAt(word, at)
				}
				f.Close()
			}
			if c.Send(request, nil) != nil {
				break
			}
		}
		c.Close()
	}
}

// truncate cuts each ring file short while requests and answers pass.
func (s *served) truncate() {
	for i := range 48 {
		c, err := s.connect(pick(s.seed, "cmap", "cpg", "quorum"), 0)
		if err != nil {
			s.t.Fatal(err)
		}
		names := s.files(c)
		if len(names) != 6 {
			s.t.Fatalf("ring files %v", names)
		}
		os.Truncate(names[i%6], pick(s.seed, int64(0), 1, 4096))
		// Our own end of the rings faults too, which the client package bears.
		for range 5 {
			c.Send(abi.AppendRequest(make([]byte, 0, 5000), 0, 16)[:16], make([]byte, 4000))
		}
		c.Recv(nil, 10*time.Millisecond)
		c.Close()
	}
}

// deaf clients join the group and never hear what it says; one of them is
// stopped, one reads nothing. The talk goes on without them at the latest when
// they hold too much.
func (s *served) deaf() {
	var stopped []*lab.Client
	for range 2 {
		c, err := s.victim.StartClient(clientBinary, "good")
		if err == nil {
			err = c.WaitCount(10*time.Second, "confchg", 1)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if err := syscall.Kill(c.PID(), syscall.SIGSTOP); err != nil {
			s.t.Fatal(err)
		}
		stopped = append(stopped, c)
	}
	defer func() {
		for _, c := range stopped {
			c.Kill()
		}
	}()
	messages := 6000 // of 8 kB: 48 MB to each
	if *attackFor > 5*time.Second {
		messages = 60_000
	}
	if err := s.good[1].Send(messages, 8000); err != nil {
		s.t.Fatal(err)
	}
	err := s.good[0].Wait(120*time.Second, func(lines []string) bool {
		n := 0
		for _, l := range lines {
			if strings.Contains(l, " 8000 ") {
				n++
			}
		}
		return n >= messages
	})
	if err != nil {
		s.t.Fatalf("deaf clients: %v", err)
	}
	s.well("deaf clients")
}

// die lets clients end at every moment of their lives.
func (s *served) die() {
	for i := range 24 {
		c, err := s.victim.StartClient(clientBinary, fmt.Sprintf("short%d", i%3))
		if err != nil {
			s.t.Fatal(err)
		}
		if i%4 == 0 {
			c.WaitCount(time.Second, "confchg", 1)
			c.Send(1000, 5000)
		}
		time.Sleep(time.Duration(s.seed.IntN(40)) * time.Millisecond)
		if i%3 == 0 {
			syscall.Kill(c.PID(), syscall.SIGSTOP)
			time.Sleep(time.Millisecond)
		}
		c.Kill()
	}
}
