package mesh

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"cpgol/compat/abi"
	"cpgol/wire/offload"
)

// childEnv makes the test's program a member that sends back what it gets.
const childEnv = "CPGOL_MESH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// invitation is what a child is told: the certificate for its key, and the view.
type invitation struct {
	Cert, Root []byte
	Peers      []abi.OffloadPeer
}

// An echo sends back what it gets, once it can.
type echo struct {
	*Mesh
	counter
	up chan struct{}
}

func (e *echo) Up(offload.Member, offload.View) { close(e.up) }

func (e *echo) Arrived(from offload.Member, v offload.View, seq uint64, b *Buffer) {
	<-e.up
	e.Hold(from, v, seq, 1<<30)
	e.Transmit(v, seq, b, []offload.Member{from})
	b.Release()
}

// child is a member until its standard input ends.
func child() {
	e := &echo{up: make(chan struct{})}
	m, err := New(Options{Self: member(1, uint32(os.Getpid())), Group: testGroup, Listen: loopback, Handler: e})
	if err != nil {
		panic(err)
	}
	e.Mesh = m
	defer m.Close()
	json.NewEncoder(os.Stdout).Encode(m.Endpoint())
	in := json.NewDecoder(os.Stdin)
	var to invitation
	if err := in.Decode(&to); err != nil {
		panic(err)
	}
	if err := m.SetIdentity(to.Cert, to.Root); err != nil {
		panic(err)
	}
	m.SetView(view(1), to.Peers)
	for _, p := range to.Peers {
		m.Hold(p.Member, view(1), 0, 1<<30)
	}
	io.Copy(io.Discard, os.Stdin)
}

// TestProcesses: two processes of one node speak over the Unix socket, as the kernel
// says that they are who they say. Who listens between them is left aside, and they
// speak over TCP.
func TestProcesses(t *testing.T) {
	for _, c := range []struct {
		name  string
		relay bool
		way   way
	}{{"unix", false, overUnix}, {"with a relay", true, overTCP}} {
		t.Run(c.name, func(t *testing.T) {
			self, err := os.Executable()
			must(t, err)
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), childEnv+"=1")
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			must(t, err)
			stdout, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			t.Cleanup(func() { stdin.Close(); cmd.Wait() })

			w := newWorld(t)
			a := w.add(member(1, uint32(os.Getpid())))
			them := abi.OffloadPeer{Member: member(1, uint32(cmd.Process.Pid))}
			must(t, json.NewDecoder(bufio.NewReader(stdout)).Decode(&them.Endpoint))
			var said atomic.Int64
			honest := them
			if c.relay {
				them.Endpoint.Socket = relay(t, them.Endpoint.Socket, &said)
			}
			mine := w.peers()[0]
			cert, root := w.issuer.certificate(t, them.Endpoint.Key[:], them.Member, testGroup)
			must(t, json.NewEncoder(stdin).Encode(invitation{cert, root, []abi.OffloadPeer{mine, honest}}))
			a.begin(view(1), []abi.OffloadPeer{mine, them})

			b := &node{id: them.Member}
			a.awaitUp(b)
			for i, size := range sizes {
				a.send(uint64(i+1), size, b)
			}
			a.expect(b, sizes...)
			a.Mesh.mu.Lock()
			defer a.Mesh.mu.Unlock()
			if way := wayOf(a.Mesh.peers[b.id].out.layer.conn); way != c.way {
				t.Errorf("way %v, want %v", way, c.way)
			}
			if n := said.Load(); n > 0 {
				t.Errorf("the relay was told %d bytes", n)
			}
		})
	}
}

// relay listens and hands all on to a member's socket.
func relay(t *testing.T, to string, said *atomic.Int64) (name string) {
	name = socketPrefix + t.Name()[len("TestProcesses/"):]
	l, err := net.Listen("unix", "@"+name)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			member, err := net.Dial("unix", "@"+to)
			if err != nil {
				conn.Close()
				continue
			}
			go func() { io.Copy(conn, member); conn.Close() }()
			go func() {
				n, _ := io.Copy(member, conn)
				said.Add(n)
				member.Close()
			}()
		}
	}()
	return name
}
