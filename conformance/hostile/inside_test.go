package hostile

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"cpgol/wire/knet"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "play this seed of TestInside only, and print what the nodes log with -v")
	seedCount = flag.Int("seeds", 25, "how many seeds TestInside plays")
	firstSeed = flag.Uint64("firstseed", 1, "the first seed TestInside plays")
)

// heal is how long a ring may take to be healthy after an attack. The longest
// way back is that of a ring whose token speaks of messages that never were: the
// member that lacks them gives up after fail_recv_const visits of the token, 2500
// by default, each as long as an idle ring holds it. The reference takes as long.
const heal = 20 * time.Minute

// maxHeap bounds the memory of three nodes under attack.
const maxHeap = 1 << 30

var sealer *knet.Crypto

func cryptoOf(t testing.TB) *knet.Crypto {
	if sealer == nil {
		key := make([]byte, 256)
		for i := range key {
			key[i] = byte(i)
		}
		var err error
		if sealer, err = knet.NewCrypto("aes256", "sha256", key); err != nil {
			t.Fatal(err)
		}
	}
	return sealer
}

// maxLines is how many lines of one cause fall into one second of the clock, if
// they are at least a second apart.
const maxLines = 2

// TestInside plays seeds: each forms a ring, attacks it and waits for it to be
// healthy.
func TestInside(t *testing.T) {
	first, count := *firstSeed, *seedCount
	if *oneSeed != 0 {
		first, count = *oneSeed, 1
	}
	var slowest time.Duration
	for i := range count {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			healed := play(t, seed, *oneSeed != 0 && testing.Verbose())
			slowest = max(slowest, healed)
		})
	}
	t.Logf("the slowest ring was healthy %v after the attack", slowest.Round(time.Millisecond))
}

// TestAgain: a seed stands for one run only, or replaying it would show nothing.
func TestAgain(t *testing.T) {
	sum := func() uint64 {
		r := rand.New(rand.NewPCG(7, 7))
		w := newWorld(t, 7, options{sealed: true})
		if err := w.healthy(time.Minute); err != nil {
			t.Fatal(err)
		}
		a := inside(w, r)
		for i := range 10 * len(attacks) {
			attacks[i%len(attacks)].do(a)
			w.run(time.Millisecond)
		}
		return w.sum
	}
	if first, second := sum(), sum(); first != second {
		t.Errorf("two runs differ: %x, %x", first, second)
	}
}

// A plan is what a seed stands for.
type plan struct {
	options
	attacks []attack
	packets int           // of each wave
	pause   time.Duration // most, between two packets
	waves   int           // parts of the attack with time to breathe between
}

func planOf(r *rand.Rand) plan {
	p := plan{
		packets: 100 + r.IntN(400), waves: 1 + r.IntN(4),
		pause: pick(r, time.Microsecond, 50*time.Microsecond, time.Millisecond, 20*time.Millisecond),
	}
	p.sealed = r.IntN(4) == 0
	if r.IntN(4) > 0 {
		p.totem = " fail_recv_const: 50\n" // else healing can take minutes
	}
	for range 1 + r.IntN(3) {
		p.attacks = append(p.attacks, pick(r, attacks...))
	}
	return p
}

func play(t *testing.T, seed uint64, print bool) (healed time.Duration) {
	r := rand.New(rand.NewPCG(seed, 1))
	p := planOf(r)
	w := newWorld(t, seed, p.options)
	w.log.keep = print
	var names []string
	for _, a := range p.attacks {
		names = append(names, a.name)
	}
	again := fmt.Sprintf("%s; %d waves of %d, pause %v, %+v\nreplay: go test ./conformance/hostile -run TestInside -seed=%d -v",
		strings.Join(names, ", "), p.waves, p.packets, p.pause, p.options, seed)
	defer func() {
		if e := recover(); e != nil {
			buf := make([]byte, 16<<10)
			t.Errorf("panic: %v\n%s\n%s\n%s", e, buf[:runtime.Stack(buf, false)], w.describe(), again)
		}
		if print {
			t.Log(strings.Join(w.log.kept, "\n"))
		}
	}()
	if err := w.healthy(time.Minute); err != nil {
		t.Fatalf("before the attack: %v", err)
	}
	w.record = false
	a := inside(w, r)
	for range p.waves {
		for range p.packets {
			pick(r, p.attacks...).do(a)
			w.run(time.Duration(r.Int64N(int64(p.pause))))
		}
		w.run(time.Duration(r.Int64N(int64(2 * time.Second))))
	}
	heap := heapNow()
	end := w.now
	if err := w.healthy(heal); err != nil {
		t.Errorf("after the attack: %v\n%s", err, again)
	}
	healed = w.now - end
	if heap > maxHeap {
		t.Errorf("%d MB of heap during the attack\n%s", heap>>20, again)
	}
	if lines := w.log.worst(maxLines); len(lines) > 0 {
		t.Errorf("log lines:\n\t%s\n%s", strings.Join(lines, "\n\t"), again)
	}
	t.Logf("healthy after %v, heap %d MB, %d steps, sum %x: %s", healed.Round(time.Millisecond), heap>>20, w.steps, w.sum, strings.Join(names, ", "))
	return healed
}

func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
