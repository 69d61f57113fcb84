package ipc_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cpgol/compat/ipc"
)

// TestSweep has one directory for each reason to let it be.
func TestSweep(t *testing.T) {
	// A process that has been waited for: its number is nobody's.
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Skip(err)
	}
	dead, alive, self := gone.Process.Pid, os.Getppid(), os.Getpid()

	parent := t.TempDir()
	old := time.Now().Add(-time.Hour)
	make := func(name string, age time.Time, files ...string) string {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o770); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		os.Chtimes(dir, age, age)
		return name
	}
	cmap := []string{
		"qb-request-cmap-header", "qb-request-cmap-data", "qb-response-cmap-header",
		"qb-response-cmap-data", "qb-event-cmap-header", "qb-event-cmap-data",
	}
	stays := []string{
		make(fmt.Sprintf("qb-%d-7-20-alive0", alive), old, cmap...),
		make(fmt.Sprintf("qb-%d-7-20-young0", dead), time.Now(), cmap...),
		make(fmt.Sprintf("qb-%d-7-20-pacema", dead), old, "qb-request-cib_rw-header"),
		make(fmt.Sprintf("qb-%d-7-20-pacem2", dead), old, "qb-control-cib_rw"),
		make(fmt.Sprintf("qb-%d-7-20-addit0", dead), old, append(slices.Clone(cmap), "file")...),
		make(fmt.Sprintf("qb-%d-7-20-toolong", dead), old, cmap...),
		make(fmt.Sprintf("qb-%d-7-toofew", dead), old, cmap...),
		make("qb-0-7-20-nobody", old, cmap...),
		make("qb--1-7-20-minus1", old, cmap...),
		make("unrelated", old),
	}
	make(fmt.Sprintf("qb-%d-7-20-XXXXX1", dead), old, cmap...)
	make(fmt.Sprintf("qb-%d-7-20-XXXXX2", dead), old, "qb-event-cpg-data")
	make(fmt.Sprintf("qb-%d-7-20-XXXXX3", dead), old)
	make(fmt.Sprintf("qb-%d-7-20-XXXXX4", self), old, cmap...)
	make(fmt.Sprintf("qb-%d-7-20-XXXXX5", dead), old, "qb-control-cmap")

	l, name := serve(t, newEcho(), ipc.Options{Dir: parent})
	c := dial(t, name)
	call(t, c, "x")
	os.Chtimes(c.Dir(), old, old)
	stays = append(stays, filepath.Base(c.Dir()))

	l.Do(func() {
		n, err := l.Server.Sweep("cmap", "cpg", name)
		if n != 5 || err != nil {
			t.Errorf("Sweep = %d, %v; want 5", n, err)
		}
	})
	slices.Sort(stays)
	if got := list(t, parent); !slices.Equal(got, stays) {
		t.Errorf("left: %q\nwant: %q", got, stays)
	}
	call(t, c, "still here")
}
