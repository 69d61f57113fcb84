// Package hostile attacks this project's own daemon: whole nodes in virtual
// time, and running daemons in network namespaces of its own. It has tests only.
//
// Inside (inside_test.go), three nodes run as the daemon wires them, on knet's
// links over a wire in memory. The second node is in the attacker's hands: what
// it sends is sealed and numbered as a member's packets are, so everything
// behind the links is exposed. Each attack is a generator of packets; a seed says
// which ones run, for how long, and with what numbers. While they run nothing
// may panic, and memory and log lines stay bounded; once the attacker is silent
// the three nodes must be one ring again, whose clients are served.
//
//	go test ./conformance/hostile -run TestInside -seed=17 -v    plays seed 17 again
//
//	world_test.go    time and the wire
//	node_test.go     one node: the daemon's inside, knet's links
//	health_test.go   what a healthy ring is
//	lines_test.go    what is logged, by cause and second
//	corpus_test.go   sound packets to start from: recorded ones and our own
//	mutate_test.go   what is done to them
//	attacks_test.go  the attacks
//	fuzz_test.go     FuzzNode: the same, led by the fuzzer
//
// The others need root and skip without it (package lab). A daemon of ours among
// stock ones is flooded (live_net_test.go), has bad clients (live_client_test.go) and
// many (live_leak_test.go)
// and is started with configurations that are none (config_test.go). It must live
// within its bounds, stay a member where it can, keep its log short and be idle
// afterwards; good clients must not notice.
//
//	go test ./conformance/hostile -run 'Flood|Clients' -attack=15s -v    as long as you like
//	go test ./conformance/hostile -run FloodKnet -stock -v               what stock does under the same
package hostile
