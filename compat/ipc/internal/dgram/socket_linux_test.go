package dgram

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

var bases atomic.Int64

// pair is two sockets that are connected to each other, as a server's and a
// client's are.
func pair(t testing.TB) (server, client *Socket) {
	t.Helper()
	base := fmt.Sprintf("/cpgol-dgram-test-%d-%d", os.Getpid(), bases.Add(1))
	names := make([]Name, 2)
	ends := make([]*Socket, 2)
	for i, suffix := range []string{"request", "response"} {
		var err error
		if names[i], err = MakeName(base, suffix); err != nil {
			t.Fatal(err)
		}
		if ends[i], err = Open(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ends[i].Close)
		if err := ends[i].Bind(&names[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, end := range ends {
		if err := end.Connect(&names[1-i]); err != nil {
			t.Fatal(err)
		}
		if _, err := end.Reserve(1 << 20); err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}

func TestMakeName(t *testing.T) {
	n, err := MakeName("/dev/shm/qb-1-2-3-abcdef/qb-cpg", "event-tx")
	want := "\x00/dev/shm/qb-1-2-3-abcdef/qb-cpg-event-tx"
	if err != nil || n.sa.Family != unix.AF_UNIX {
		t.Fatal(n, err)
	}
	for i, c := range n.path() {
		if i < len(want) && c != want[i] || i >= len(want) && c != 0 {
			t.Fatalf("byte %d is %d", i, c)
		}
	}
	for _, base := range []string{"", "relative", "/" + strings.Repeat("x", 104)} {
		if _, err := MakeName(base, "r"); !errors.Is(err, unix.ENAMETOOLONG) {
			t.Errorf("base of %d bytes: %v", len(base), err)
		}
	}
	if _, err := MakeName("/"+strings.Repeat("x", 103), "r"); err != nil {
		t.Error(err)
	}
}

func TestMessages(t *testing.T) {
	server, client := pair(t)
	buf := make([]byte, 1<<20)
	for _, c := range []struct{ head, body string }{
		{"", ""}, {"head", ""}, {"", "body"}, {"head", "body"}, {strings.Repeat("h", 1000), strings.Repeat("b", 100_000)},
	} {
		if err := client.Send([]byte(c.head), []byte(c.body)); err != nil {
			t.Fatal(err)
		}
		n, whole, err := server.Recv(buf)
		if err != nil || !whole || string(buf[:n]) != c.head+c.body {
			t.Errorf("%d and %d bytes: got %d, %v, %v", len(c.head), len(c.body), n, whole, err)
		}
	}
	if _, _, err := server.Recv(buf); !Full(err) {
		t.Errorf("nothing there: %v", err)
	}
	client.Send(make([]byte, 100), nil)
	if n, whole, err := server.Recv(buf[:99]); n != 99 || whole || err != nil {
		t.Errorf("too long: %d, %v, %v", n, whole, err)
	}
	for i := 0; ; i++ {
		if err := client.Send(buf[:10_000], nil); Full(err) {
			break
		} else if err != nil || i > 100_000 {
			t.Fatal(i, err)
		}
	}
}

func TestSender(t *testing.T) {
	server, client := pair(t)
	if _, ok := server.Credentials(); ok {
		t.Error("credentials before any message")
	}
	if err := server.PassCredentials(); err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "gift")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before, _ := os.ReadDir("/proc/self/fd")
	if err := unix.Sendmsg(client.FD(), []byte("x"), unix.UnixRights(int(file.Fd()), int(file.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, _, err := server.Recv(buf); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	cred, ok := server.Credentials()
	if !ok || int(cred.Pid) != os.Getpid() || int(cred.Uid) != os.Getuid() || int(cred.Gid) != os.Getgid() {
		t.Errorf("credentials %+v, %v", cred, ok)
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) != len(before) {
		t.Errorf("%d descriptors, %d before a message with some", len(after), len(before))
	}
	if from := server.From(); *from == (Name{}) {
		t.Error("no name")
	}
	nameless, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer nameless.Close()
	if err := nameless.address(unix.SYS_CONNECT, server.name(t)); !errors.Is(err, unix.EPERM) {
		t.Errorf("a stranger connects: %v", err)
	}
}

// name asks the kernel for the socket's own.
func (s *Socket) name(t *testing.T) *Name {
	t.Helper()
	sa, err := unix.Getsockname(s.fd)
	if err != nil {
		t.Fatal(err)
	}
	var n Name
	n.sa.Family = unix.AF_UNIX
	copy(n.path()[1:], sa.(*unix.SockaddrUnix).Name[1:])
	return &n
}

func TestClosed(t *testing.T) {
	server, client := pair(t)
	client.Send([]byte("before"), nil)
	server.CloseRead()
	if err := client.Send([]byte("after"), nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("send to who reads no more: %v", err)
	}
	buf := make([]byte, 10)
	if n, _, err := server.Recv(buf); string(buf[:n]) != "before" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if _, _, err := server.Recv(buf); !Full(err) {
		t.Errorf("after the last: %v", err)
	}
}

func TestAllocations(t *testing.T) {
	server, client := pair(t)
	server.PassCredentials()
	head, body, buf := make([]byte, 24), make([]byte, 500), make([]byte, 1000)
	n := testing.AllocsPerRun(1000, func() {
		client.Send(head, body)
		server.Recv(buf)
		if _, ok := server.Credentials(); !ok || *server.From() == (Name{}) {
			t.Fatal("nobody sent it")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
