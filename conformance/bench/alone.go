package main

import (
	"fmt"
	"strconv"
	"time"

	"cpgol/conformance/lab"
)

// alone is the pseudo-transport of a host that is its own ring: what is left is
// the way from a client's library into the daemon and back.
const alone = "ipc"

// aloneSizes are the messages' sizes, as one request each: the largest is just
// below where the library begins to send in parts.
var aloneSizes = []int{64, 1000, 8000, 64_000, 1_000_000}

// idlers are connections that do nothing.
const idlers = 100

// measureAlone starts one daemon and takes every figure of its clients' side.
func (b *bench) measureAlone(_, kind string) error {
	l, err := b.cluster(alone, kind, lab.Ring{Transport: "knet"}, 1)
	if err != nil {
		return err
	}
	defer l.Close()
	add := func(name, unit string, v float64) { b.record(alone, kind, name, unit, v) }
	if err := b.idle(l, add); err != nil {
		return err
	}
	for _, size := range aloneSizes {
		if err := b.size(l, size, "", add); err != nil {
			return err
		}
	}
	stop(l)
	return nil
}

// size adds rate and round trip of one size.
func (b *bench) size(l *lab.Lab, size int, when string, add func(name, unit string, v float64)) error {
	p50, p99, err := b.latency(l, size)
	if err != nil {
		return err
	}
	add(fmt.Sprintf("rtt %d B p50%s", size, when), "µs", p50)
	add(fmt.Sprintf("rtt %d B p99%s", size, when), "µs", p99)
	return b.flood(l, size, when, add)
}

// idle adds what connections cost that do nothing: the daemon's resident memory,
// shared memory included, and what they leave of the speed.
func (b *bench) idle(l *lab.Lab, add func(name, unit string, v float64)) error {
	before, err := resident(l.Hosts[0])
	if err != nil {
		return err
	}
	c, err := l.Hosts[0].StartClient(b.client, "idle", "idle", strconv.Itoa(idlers))
	if err != nil {
		return err
	}
	defer c.Kill()
	if err := c.WaitCount(10*time.Second, "ready", 1); err != nil {
		return err
	}
	c.Go()
	if err := c.WaitCount(60*time.Second, "idle", 1); err != nil {
		return err
	}
	time.Sleep(time.Second)
	after, err := resident(l.Hosts[0])
	if err != nil {
		return err
	}
	add("memory of an idle client", "kB", (after-before)*1000/idlers)
	share, err := idleCPU(l.Hosts[0], 3*time.Second)
	if err != nil {
		return err
	}
	add(fmt.Sprintf("idle, %d clients", idlers), "% of a core", share)
	return b.size(l, 64, fmt.Sprintf(", %d idle clients", idlers), add)
}
