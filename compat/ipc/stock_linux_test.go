package ipc_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cpgol/compat/ipc"
)

// stockClient builds testdata/client.c with the host's libqb, once.
var stockClient = sync.OnceValues(func() (path string, err error) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return "", errors.New("no gcc")
	}
	dir, err := os.MkdirTemp("", "cpgol-ipc-c-")
	if err != nil {
		return "", err
	}
	stockDir = dir
	path = filepath.Join(dir, "client")
	out, err := exec.Command(gcc, "-std=gnu11", "-Wall", "-O1", "-o", path, "testdata/client.c", "-lqb").CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("qb/qbipcc.h")) || bytes.Contains(out, []byte("-lqb")) {
			return "", errors.New("no libqb-dev")
		}
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if stockDir != "" {
		os.RemoveAll(stockDir)
	}
	os.Exit(code)
}

// stockDir is where the client was built.
var stockDir string

// stock is a command of the C client, or skips the test.
func stock(t testing.TB, name, mode string, args ...int) *exec.Cmd {
	t.Helper()
	path, err := stockClient()
	if err != nil {
		if strings.HasPrefix(err.Error(), "no ") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	argv := []string{name, mode}
	for _, a := range args {
		argv = append(argv, fmt.Sprint(a))
	}
	return exec.CommandContext(t.Context(), path, argv...)
}

// run runs the C client to its end, which must be a good one.
func run(t testing.TB, name, mode string, args ...int) string {
	t.Helper()
	out, err := stock(t, name, mode, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", mode, args, err, out)
	}
	return string(out)
}

func TestStockSizes(t *testing.T) { overBoth(t, testStockSizes) }

func testStockSizes(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	for _, c := range []struct {
		ask  int
		want string
	}{
		{100, "max 12328\n"}, {12328, "max 12328\n"}, {1 << 20, "max 1048576\n"}, {4_000_000, "max 4000000\n"},
	} {
		if got := run(t, name, "connect", c.ask); got != c.want {
			t.Errorf("asked for %d: %q, want %q", c.ask, got, c.want)
		}
	}
}

func TestStockRefused(t *testing.T) { overBoth(t, testStockRefused) }

func testStockRefused(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EAGAIN, syscall.ENOSYS, syscall.EMFILE} {
		l.Do(func() { e.refuse = errno })
		out, err := stock(t, name, "connect", 1<<20).CombinedOutput()
		if want := fmt.Sprintf("refused: %d\n", errno); err == nil || string(out) != want {
			t.Errorf("%q, %v; want %q", out, err, want)
		}
	}
}

func TestStockEcho(t *testing.T) { overBoth(t, testStockEcho) }

func testStockEcho(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	for _, c := range []struct{ rounds, size int }{
		{2000, 0}, {2000, 61}, {300, 4097}, {100, 300_001}, {50, sendable(t, via, 1<<20-h24, 300_001)},
	} {
		run(t, name, "echo", c.rounds, c.size)
	}
}

// TestStockEvents is far past the 278 bytes that the socket takes and, with the
// larger sizes, past the ring.
func TestStockEvents(t *testing.T) { overBoth(t, testStockEvents) }

func testStockEvents(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	large := 1 << 20
	if os.Getuid() != 0 { // who may send more than the limit
		large = sendable(t, via, 1<<20, 300_001)
	}
	for _, c := range []struct{ count, size, delay int }{
		{2000, 32, 0}, {2000, 61, 50}, {2000, 5000, 100}, {30, large, 1000}, {270, 100, 0}, {280, 100, 0}, {10_000, 40, 0},
	} {
		run(t, name, "events", c.count, c.size, c.delay)
	}
	run(t, name, "prompt", 500)
}

// TestStockAsync: requests of a process that exits at once are run.
func TestStockAsync(t *testing.T) { overBoth(t, testStockAsync) }

func testStockAsync(t *testing.T, via ipc.Transport) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: via})
	for round := range int64(20) {
		run(t, name, "async", 200)
		if err := e.await(t); !errors.Is(err, ipc.ErrHungUp) {
			t.Fatalf("closed for %v", err)
		}
		if n := e.async.Load(); n != 200*(round+1) {
			t.Fatalf("%d requests were run, want %d", n, 200*(round+1))
		}
	}
}

func TestStockFlow(t *testing.T) { overBoth(t, testStockFlow) }

func testStockFlow(t *testing.T, via ipc.Transport) {
	e := newEcho()
	l, name := serve(t, e, ipc.Options{Transport: via})
	cmd, out := start(t, name, "flow")
	expect(t, out, "ready")
	setFlow := func(word int32) {
		l.Do(func() {
			for conn := range e.conns {
				conn.SetFlow(word)
			}
		})
	}
	setFlow(1)
	expect(t, out, fmt.Sprintf("send %d", -int(syscall.EAGAIN)))
	setFlow(2)
	expect(t, out, "again 16")
	setFlow(0)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStockClosed(t *testing.T) { overBoth(t, testStockClosed) }

func testStockClosed(t *testing.T, via ipc.Transport) {
	_, name := serve(t, newEcho(), ipc.Options{Transport: via})
	lost := -int(syscall.ENOTCONN)
	want := []string{fmt.Sprintf("event %d\nsend %d\n", lost, lost)}
	if via == ipc.Sockets { // nobody reads there any more, or has the name
		want = []string{
			fmt.Sprintf("event %d\nsend %d\n", lost, -int(syscall.EPIPE)),
			fmt.Sprintf("event %d\nsend %d\n", lost, -int(syscall.ECONNREFUSED)),
		}
	}
	if got := run(t, name, "closed"); !slices.Contains(want, got) {
		t.Errorf("got %q, want one of %q", got, want)
	}
}

// TestStockUser: a client without privileges is known by its ids, may open its
// files, and owns them.
func TestStockUser(t *testing.T) { overBoth(t, testStockUser) }

func testStockUser(t *testing.T, via ipc.Transport) {
	if os.Getuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	e := newEcho()
	creds := make(chan ipc.Credentials, 1)
	e.connected = func(c *ipc.Conn) { creds <- ipc.Credentials{PID: c.PID(), UID: c.UID(), GID: c.GID()} }
	dir := shmDir(t)
	_, name := serve(t, e, ipc.Options{Transport: via, Dir: dir})
	cmd := stock(t, name, "flood", 1, 100)
	os.Chmod(filepath.Dir(cmd.Path), 0o755)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533}}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	expect(t, bufio.NewScanner(out), "ready")
	want := ipc.Credentials{PID: uint32(cmd.Process.Pid), UID: 65534, GID: 65533}
	if got := <-creds; got != want {
		t.Errorf("credentials %+v, want %+v", got, want)
	}
	conn := filepath.Join(dir, list(t, dir)[0])
	for _, path := range append(list(t, conn), ".") {
		st, err := os.Stat(filepath.Join(conn, path))
		if err != nil {
			t.Fatal(err)
		}
		if sys := st.Sys().(*syscall.Stat_t); sys.Uid != 65534 || sys.Gid != 65533 {
			t.Errorf("%s belongs to %d:%d", path, sys.Uid, sys.Gid)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	e.await(t)
}

// TestStockKilled kills clients at random moments of everything they do.
func TestStockKilled(t *testing.T) { overBoth(t, testStockKilled) }

func testStockKilled(t *testing.T, via ipc.Transport) {
	e := newEcho()
	dir := shmDir(t)
	l, name := serve(t, e, ipc.Options{Transport: via, Dir: dir, MaxQueue: 8 << 20})
	good := dial(t, name)
	call(t, good, "x")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	files := openFiles(t)
	for i := range 60 {
		var cmd *exec.Cmd
		switch i % 5 {
		case 0:
			cmd = stock(t, name, "echo", 0, random.IntN(sendable(t, via, 1<<20-h24, 300_001)))
		case 1:
			cmd = stock(t, name, "events", 9000, 32+random.IntN(10_000), 1+random.IntN(50))
		case 2:
			cmd = stock(t, name, "flood", 9000, 32+random.IntN(10_000))
		case 3:
			cmd = stock(t, name, "async", 1_000_000)
		case 4:
			cmd = stock(t, name, "churn", 1_000_000)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(20_000)) * time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
		call(t, good, "still here")
	}
	eventually(t, "everything is given back", func() bool {
		return len(list(t, dir)) == 1 && openFiles(t) <= files
	})
	l.Do(func() {
		if st := l.Server.Stats(); st.Active != 1 || st.QueuedBytes != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestStockChurn connects and disconnects with several processes at once.
func TestStockChurn(t *testing.T) { overBoth(t, testStockChurn) }

func testStockChurn(t *testing.T, via ipc.Transport) {
	e := newEcho()
	dir := shmDir(t)
	_, name := serve(t, e, ipc.Options{Transport: via, Dir: dir})
	var wg sync.WaitGroup
	for range 4 {
		cmd := stock(t, name, "churn", 100)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	eventually(t, "all are closed", func() bool { return e.closed.Load() == 400 })
	eventually(t, "all files are removed", func() bool { return len(list(t, dir)) == 0 })
}

// TestStockFlood: a stock client that does not read is disconnected, and others
// do not notice.
func TestStockFlood(t *testing.T) { overBoth(t, testStockFlood) }

func testStockFlood(t *testing.T, via ipc.Transport) {
	e := newEcho()
	_, name := serve(t, e, ipc.Options{Transport: via, MaxQueue: 4 << 20})
	cmd, out := start(t, name, "flood", 10_000, 1000)
	expect(t, out, "ready")
	if err := e.await(t); !errors.Is(err, ipc.ErrOverrun) {
		t.Errorf("closed for %v", err)
	}
	run(t, name, "echo", 100, 100)
	cmd.Process.Kill()
	cmd.Wait()
}

// start starts the C client and gives its output by lines.
func start(t *testing.T, name, mode string, args ...int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := stock(t, name, mode, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func expect(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || out.Text() != want {
		t.Fatalf("client said %q, want %q", out.Text(), want)
	}
}
