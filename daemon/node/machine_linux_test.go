package node

import (
	"os"
	"testing"
)

func TestMemoryUsed(t *testing.T) {
	const text = "MemTotal:        8000 kB\nMemFree:         1000 kB\nMemAvailable:    7000 kB\nBuffers:          10 kB\nCached:         4000 kB\nSwapCached:            0 kB\n" +
		"SwapTotal:       2000 kB\nSwapFree:        2000 kB\n"
	if n, err := memoryUsed([]byte(text)); n != 30 || err != nil {
		t.Errorf("%d %%, %v", n, err)
	}
	for _, bad := range []string{"", "MemTotal:", "MemTotal: x kB\nSwapTotal: 1 kB\nMemFree: 1\nCached: 1\nSwapFree: 1\n", text[:20]} {
		if n, err := memoryUsed([]byte(bad)); err == nil {
			t.Errorf("%q: %d %%", bad, n)
		}
	}
}

func TestMachine(t *testing.T) {
	if n, err := (machine{}).MemoryUsed(); err != nil || n > 100 {
		t.Errorf("%d %% of the memory, %v", n, err)
	}
	if load, err := (machine{}).Load(); err != nil || load < 0 {
		t.Errorf("load %v, %v", load, err)
	}
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (machine{}).OpenDog(name); err == nil {
		t.Error("a file is no watchdog")
	}
	if b, _ := os.ReadFile(name); string(b) != "mine" {
		t.Errorf("a file that is no watchdog now holds %q", b)
	}
}
