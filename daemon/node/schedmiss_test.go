package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/compat/conf"
	"cpgol/daemon/cmap"
	"cpgol/daemon/link"
	"cpgol/daemon/net"
)

// A loop that is late by more than 0.8 of the token's time is told of and counted,
// the newest first, ten at most.
func TestSchedmiss(t *testing.T) {
	c := &conf.Config{Self: 1, StateDir: t.TempDir(), Transport: "udpu", NetMTU: 1500}
	c.Totem.Token = 3 * time.Second
	wire := func(func([]byte), func(link.Effect)) net.Transport { return struct{ net.Transport }{} }
	var now time.Duration
	var log bytes.Buffer
	inside, err := NewInside(c, slog.New(slog.NewTextHandler(&log, nil)), func() time.Duration { return now }, wire)
	if err != nil {
		t.Fatal(err)
	}
	n := inside.n
	n.timers.heap = nil // nothing but what is tested here
	n.watchSchedule()
	at := func(d time.Duration) {
		now += d
		n.timers.run(now)
	}
	delays := func() (list []float64) {
		for i := range 12 {
			v, ok := stats{n}.Get(fmt.Sprintf("stats.schedmiss.%d.delay", i))
			if !ok {
				break
			}
			list = append(list, float64(math.Float32frombits(uint32(v.Uint()))))
			if when, ok := (stats{n}).Get(fmt.Sprintf("stats.schedmiss.%d.timestamp", i)); !ok || when.Type() != cmap.TypeUint64 || v.Type() != cmap.TypeFloat32 {
				t.Errorf("timestamp %v, delay %v", when, v)
			}
		}
		return list
	}
	at(time.Second)
	at(2400 * time.Millisecond)
	if d := delays(); d != nil || log.Len() > 0 && strings.Contains(log.String(), "scheduled") {
		t.Errorf("%v, %s", d, log.String())
	}
	at(2401 * time.Millisecond)
	at(time.Second)
	at(5500 * time.Microsecond * 1000)
	if d := cmp.Diff([]float64{5500, 2401}, delays()); d != "" {
		t.Error(d)
	}
	if want := "for 2401.0000 ms (threshold is 2400.0000 ms). Consider token timeout increase."; !strings.Contains(log.String(), want) {
		t.Error(log.String())
	}
	for i := range 12 {
		at(time.Duration(10+i) * time.Second)
	}
	got := delays()
	slices.Reverse(got)
	if len(got) != 10 || got[0] != 12000 || got[9] != 21000 {
		t.Errorf("%v", got)
	}
	stats{n}.Clear("schedmiss")
	if d := delays(); d != nil {
		t.Errorf("%v", d)
	}
}
