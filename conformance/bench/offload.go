package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cpgol/conformance/lab"
)

// offloaded is the pseudo-transport of payloads that go from library to library,
// on an encrypted ring, against the same transfers through the ring.
const offloaded = "offload"

// offloadKinds are what it compares: stock's daemons with stock's library, ours
// with stock's library, and ours with our library, which offloads; only the last
// if no ring but that is asked for.
func offloadKinds(rings []string) []string {
	if slices.Equal(rings, []string{"offloaded"}) {
		return rings
	}
	return []string{"stock", "ours", "offloaded"}
}

// offloadSizes are the messages' sizes.
var offloadSizes = []int{64, 1000, 8000, 64_000, 1_000_000}

// buildGo compiles gobench.
func (b *bench) buildGo() error {
	b.goClient = filepath.Join(b.dir, "gobench")
	cmd := exec.Command("go", "build", "-o", b.goClient, "cpgol/conformance/gobench")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build gobench: %w: %s", err, out)
	}
	return nil
}

// measureOffload takes every figure of one kind.
func (b *bench) measureOffload(_, kind string) error {
	client, ring := b.client, kind
	if kind == "offloaded" {
		client, ring = b.goClient, "ours"
	}
	l, err := b.cluster(offloaded, ring, transports["knet-crypto"], 3)
	if err != nil {
		return err
	}
	defer l.Close()
	add := func(name, unit string, v float64) { b.record(offloaded, kind, name, unit, v) }
	for _, size := range b.sizesOr(offloadSizes) {
		for _, s := range []struct {
			name    string
			senders int
		}{{"one sender", 1}, {"three senders", 3}} {
			rate, err := b.transfer(l, client, size, s.senders)
			if err != nil {
				return fmt.Errorf("%d bytes, %s: %w", size, s.name, err)
			}
			name := fmt.Sprintf("%d B, %s", size, s.name)
			if size == 64 {
				add(name, "messages/s", rate)
			} else {
				add(name, "MB/s", rate*float64(size)/1e6)
			}
		}
	}
	if err := b.besides(l, client, add); err != nil {
		return err
	}
	stop(l)
	return nil
}

// transfer has some of three members send as fast as they can, and is the
// messages a second that the last one is told.
func (b *bench) transfer(l *lab.Lab, client string, size, senders int) (rate float64, err error) {
	b.serial++
	group := fmt.Sprintf("bench%d", b.serial)
	var clients []*lab.Client
	for i, h := range l.Hosts {
		args := []string{"flood", group, strconv.Itoa(size), fmt.Sprint(b.seconds)}
		if i >= senders {
			args = []string{"sink", group, fmt.Sprint(b.seconds)}
		}
		c, err := h.StartClient(client, args...)
		if err != nil {
			return 0, err
		}
		defer c.Kill()
		if err := c.WaitCount(10*time.Second, "ready", 1); err != nil {
			return 0, err
		}
		clients = append(clients, c)
	}
	time.Sleep(300 * time.Millisecond) // a group that can offloads by now
	for _, c := range clients {
		c.Go()
	}
	last := clients[len(clients)-1]
	if err := last.WaitCount(time.Duration(b.seconds*float64(time.Second))+30*time.Second, "flood", 1); err != nil {
		return 0, err
	}
	var own, all int
	var took float64
	if _, err := fmt.Sscanf(last.Lines("flood")[0], "flood %d %d %f", &own, &all, &took); err != nil {
		return 0, err
	}
	return float64(all) / took, nil
}

// besides measures what bulk costs a small message of another group: its round
// trip, alone and while a member on another node sends messages of 64,000 bytes
// as fast as it can.
func (b *bench) besides(l *lab.Lab, client string, add func(name, unit string, v float64)) error {
	rounds := b.rounds(l.Hosts[0])
	time.Sleep(5 * time.Second)
	if p99, err := rounds(); err != nil {
		return err
	} else if p99 > 0 {
		add("token round p99, idle", "µs", p99)
	}
	rtt := func(how string) error {
		rounds := b.rounds(l.Hosts[0])
		p50, p99, err := b.latency(l, 64)
		if err != nil {
			return err
		}
		add("rtt 64 B p50, "+how, "µs", p50)
		add("rtt 64 B p99, "+how, "µs", p99)
		if p99, err = rounds(); p99 > 0 {
			add("token round p99, "+how, "µs", p99)
		}
		return err
	}
	if err := rtt("alone"); err != nil {
		return err
	}
	b.serial++
	group := fmt.Sprintf("bulk%d", b.serial)
	for i, h := range l.Hosts {
		args := []string{"sink", group, "60"}
		if i == 1 {
			args = []string{"flood", group, "64000", "60"}
		}
		c, err := h.StartClient(client, args...)
		if err != nil {
			return err
		}
		defer c.Kill()
		if err := c.WaitCount(10*time.Second, "ready", 1); err != nil {
			return err
		}
		c.Go()
	}
	time.Sleep(time.Second)
	return rtt("beside bulk")
}

// rounds clears a daemon's counters, and returns a function that gives the p99 of the
// token's rounds since, its rests left out, in microseconds; 0 if the daemon does
// not tell, as stock does not. It is the representative's to tell: only it knows its rests.
func (b *bench) rounds(h *lab.Host) func() (p99 float64, err error) {
	out, err := h.Tool("corosync-cmapctl", "-C", "totem")
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return func() (float64, error) {
		if err != nil {
			return 0, err
		}
		out, err := h.Tool("corosync-cmapctl", "-m", "stats", "-g", "stats.token.round_p99_us")
		if err != nil {
			return 0, nil
		}
		_, text, _ := strings.Cut(strings.TrimSpace(out), "= ")
		return strconv.ParseFloat(text, 64)
	}
}
