// Command demo shows cpgold in a ring with two stock daemons, on this machine,
// in network namespaces, and takes everything down again.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"cpgol/conformance/lab"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		fmt.Println("\nVERDICT: FAILED")
		os.Exit(1)
	}
	fmt.Println("\nVERDICT: cpgold is a member like the others: one ring, one order, leaves and returns.")
}

// say prints one step of the story.
func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }

func run() error {
	if err := lab.Available(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cpgol-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	client, err := lab.BuildClient(dir, "cpgclient")
	if err != nil {
		return err
	}
	daemon, err := lab.BuildDaemon(dir)
	if err != nil {
		return err
	}
	say("Three hosts on one machine; stock corosync on 1 and 2, cpgold on 3; knet, aes256 + sha256")
	l, err := lab.New(lab.Options{Prefix: "demo", Nodes: 3, Log: func(f string, a ...any) { fmt.Printf("   "+f+"\n", a...) }})
	if err != nil {
		return err
	}
	defer l.Close()
	d := demo{l, client, daemon, l.Conf(lab.Ring{Transport: "knet", Cipher: "aes256", Hash: "sha256"})}
	if err := d.play(); err != nil {
		return fmt.Errorf("%w\n-- node 1 says --\n%s\n-- node 3 says --\n%s", err, l.Hosts[0].Tail(15), l.Hosts[2].Tail(15))
	}
	return nil
}

type demo struct {
	*lab.Lab
	client, daemon, conf string
}

func (d *demo) play() error {
	for _, h := range d.Hosts[:2] {
		if err := h.StartStock(d.conf, lab.Key()); err != nil {
			return err
		}
	}
	if err := d.startOurs(); err != nil {
		return err
	}
	if err := d.beside("corosync-quorumtool", "-s"); err != nil {
		return err
	}
	say("One client of stock libcpg beside each daemon; each sends 500 messages of 64 to 200,000 bytes")
	clients, err := d.clients()
	if err != nil {
		return err
	}
	if err := exchange(clients); err != nil {
		return err
	}
	say("cpgold leaves in good order")
	if err := d.Hosts[2].Stop(); err != nil {
		return err
	}
	if err := d.WaitRing(10*time.Second, 1, 2); err != nil {
		return err
	}
	gone := fmt.Sprintf("l=3:%d:", clients[2].PID())
	for _, c := range clients[:2] {
		if err := c.Wait(5*time.Second, func(lines []string) bool {
			return slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, gone) })
		}); err != nil {
			return fmt.Errorf("the others were not told that node 3's client left: %w", err)
		}
	}
	fmt.Println("   nodes 1 and 2 went on without it, and their clients were told")
	say("cpgold comes back")
	if err := d.startOurs(); err != nil {
		return err
	}
	back, err := d.clients()
	if err != nil {
		return err
	}
	return exchange(back)
}

func (d *demo) startOurs() error {
	if err := d.Hosts[2].StartOurs(d.daemon, d.conf, lab.Key()); err != nil {
		return err
	}
	begin := time.Now()
	if err := d.WaitRing(30*time.Second, 1, 2, 3); err != nil {
		return err
	}
	fmt.Printf("   ring of three after %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// beside prints what a stock tool says on node 1 (stock) and node 3 (ours).
func (d *demo) beside(tool string, args ...string) error {
	stock, err := d.Hosts[0].Tool(tool, args...)
	if err != nil {
		return err
	}
	ours, err := d.Hosts[2].Tool(tool, args...)
	if err != nil {
		return err
	}
	say("%s %s: on node 1 (stock) and on node 3 (cpgold)", tool, strings.Join(args, " "))
	a, b := strings.Split(stock, "\n"), strings.Split(ours, "\n")
	for i := range max(len(a), len(b)) {
		fmt.Printf("   %-52s| %s\n", line(a, i), line(b, i))
	}
	return nil
}

func line(l []string, i int) string {
	if i < len(l) {
		return l[i]
	}
	return ""
}

// clients starts one on each host, in a group of their own.
func (d *demo) clients() ([]*lab.Client, error) {
	group := fmt.Sprintf("demo%d", time.Now().UnixNano())
	var all []*lab.Client
	for i, h := range d.Hosts {
		c, err := h.StartClient(d.client, group)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		// Each is told of itself before the next one joins.
		if err := all[0].WaitCount(10*time.Second, "confchg", i+1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// exchange sends from every client and compares what all of them were told.
func exchange(clients []*lab.Client) error {
	begin := time.Now()
	sizes := []int{64, 1400, 5000, 70_000, 200_000}
	for _, c := range clients {
		for _, size := range sizes {
			if err := c.Send(100, size); err != nil {
				return err
			}
		}
	}
	want := len(clients) * 100 * len(sizes)
	for i, c := range clients {
		if err := c.WaitCount(60*time.Second, "deliver", want); err != nil {
			return fmt.Errorf("node %d: %w", i+1, err)
		}
	}
	for i, c := range clients[1:] {
		if !slices.Equal(clients[0].Lines("deliver"), c.Lines("deliver")) {
			return fmt.Errorf("clients of nodes 1 and %d were told different orders", i+2)
		}
	}
	fmt.Printf("   %d messages each, the same ones in the same order beside all three, in %.1f s\n", want, time.Since(begin).Seconds())
	return nil
}
