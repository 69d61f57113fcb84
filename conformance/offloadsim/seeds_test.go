package offloadsim

import (
	"flag"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "play this seed only, and print what happens with -v")
	seedCount = flag.Int("seeds", 200, "how many seeds TestSeeds plays")
	firstSeed = flag.Uint64("firstseed", 1, "the first seed TestSeeds plays")
)

// TestSeeds plays many worlds. A failing one names the command that plays it
// again.
func TestSeeds(t *testing.T) {
	if *oneSeed != 0 {
		var log func(string, ...any)
		if testing.Verbose() {
			log = t.Logf
		}
		w := newWorld(*oneSeed, t.TempDir(), log)
		if err := w.play(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d steps, %v, %d processes, sum %x, %+v", w.steps, w.now, len(w.procs), w.sum, w.counted)
		return
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	var mu sync.Mutex
	all := make(counts)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(*seedCount) {
					return
				}
				c := playSeed(t, *firstSeed+i)
				mu.Lock()
				all.add(c)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%+v", all)
	if all["offloaded"] < all["said"]/10 || all["suspends"] == 0 || all["renewals"] == 0 {
		t.Errorf("too little was offloaded to mean anything: %+v", all)
	}
}

func playSeed(t *testing.T, seed uint64) (c counts) {
	dir, err := os.MkdirTemp("", "offloadsim")
	if err != nil {
		t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	defer func() {
		if p := recover(); p != nil {
			buf := make([]byte, 8<<10)
			t.Errorf("seed %d panics: %v\n%s\nreplay: go test ./conformance/offloadsim -seed=%d -v", seed, p, buf[:runtime.Stack(buf, false)], seed)
		}
	}()
	w := newWorld(seed, dir, nil)
	if err := w.play(); err != nil {
		t.Errorf("seed %d: %v\nreplay: go test ./conformance/offloadsim -seed=%d -v", seed, err, seed)
	}
	return w.counted
}

// TestAgain: a seed stands for one run only, or replaying it would show nothing.
func TestAgain(t *testing.T) {
	for seed := range uint64(5) {
		var sums [2]uint64
		var steps [2]int
		for i := range 2 {
			w := newWorld(seed, t.TempDir(), nil)
			w.play()
			sums[i], steps[i] = w.sum, w.steps
		}
		if sums[0] != sums[1] || steps[0] != steps[1] {
			t.Errorf("seed %d: two runs differ: sums %x, steps %d", seed, sums, steps)
		}
	}
}
