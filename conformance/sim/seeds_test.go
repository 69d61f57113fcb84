package sim

import (
	"flag"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "play this seed only, and print what happens with -v")
	seedCount = flag.Int("seeds", 500, "how many seeds TestSeeds plays")
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
		w := newWorld(*oneSeed, log)
		if err := w.play(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d steps, %d lives", w.steps, len(w.lives))
		return
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(*seedCount) {
					return
				}
				playSeed(t, *firstSeed+i)
			}
		})
	}
	wg.Wait()
}

func playSeed(t *testing.T, seed uint64) {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("seed %d panics: %v\nreplay: go test ./conformance/sim -run TestSeeds -seed=%d -v", seed, p, seed)
		}
	}()
	if err := newWorld(seed, nil).play(); err != nil {
		t.Errorf("seed %d: %v\nreplay: go test ./conformance/sim -run TestSeeds -seed=%d -v", seed, err, seed)
	}
}
