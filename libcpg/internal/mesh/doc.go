// Package mesh moves messages between the processes of one group: sockets,
// handshakes, sealed chunks. It knows nothing of their order (package core does).
//
//	sender                                                    receiver
//	dial: Unix on the own node, otherwise TCP, address by address
//	TLS 1.3, both with the daemon's certificates  <-------->  who is it?
//	hello: I am, you are, my view, over what       -------->  a member? (it may wait for the view)
//	                                               <--------  welcome
//	begin; from here on records in a layer of our own ----->
//	Held, Up                                       <--------  hold: last number, credit
//	key; chunk, bytes; chunk, bytes ...            -------->  Arrived
//	Held                                           <--------  hold ...
//	Progress                                       <--------  progress, if a message takes long
//
// Each sender dials each receiver, so two members have two connections, each
// with messages one way and holds the other way. A connection belongs to two
// processes and their keys and not to a view: it stays while both are in the view
// that follows. What it may carry does belong to a view: nothing is transmitted
// before the receiver told its hold of that view, which it does when it has come to
// it; so a message never comes before its view. When a connection breaks, what
// was under way is forgotten, the next one begins with the receiver's last hold,
// and the sender's core transmits again from there. With a member that was given up
// for a while they are made anew: the way there may be lost, and another of its addresses
// is not.
//
// # How bytes are sealed
//
// TLS is for the handshake. Behind it, over TCP, records are sealed with AES-256-GCM
// under a key for each direction that is exported from TLS (RFC 8446, 7.5), numbered
// by their place. A message's bytes are sealed chunk by chunk under a key of the
// sender's, once for all receivers, each of which is given the key in a record; the
// chunk's record is what is authenticated with it. The key is a random one
// for each view and after each leave, and its nonces are a counter. So nobody outside
// reads, alters, leaves out, repeats or moves anything. Over the Unix socket, which is
// memory of one kernel, both go as they are.
//
// Sealing once was chosen over TLS to each receiver by measurement (BenchmarkBulk:
// three processes on two cores of an AMD EPYC, loopback; MB/s of messages, once for all
// receivers, and in brackets MB for each second of processor time, all ends
// together; one run, whose values scatter by a fifth):
//
//	                         64 B         1 kB         8 kB        64 kB         1 MB
//	1 to 2, sealed once    39 (20)   321 (163)   565  (302)   651  (342)   884  (456)
//	        TLS each      116 (58)   408 (207)   554  (285)   629  (320)   819  (416)
//	        Unix          136 (68)  1054 (546)  1974 (1114)  2582 (1460)  2132 (1716)
//	3 to 2, sealed once    40 (20)   328 (167)   837  (421)   831  (422)  1044  (529)
//	        TLS each       99 (50)   474 (239)   512  (263)   682  (348)   621  (314)
//	        Unix          108 (54)   853 (452)  2265 (1267)  2762 (1546)  1934 (1115)
//
// With two receivers it is up to 1.7 times as fast for what is large, as that is sealed
// once and not copied; with more the difference grows. Below 8 kB TLS is faster:
// several messages share one of its records, where here a record and its bytes are
// sealed apart, and it takes AES-128. Those messages are bounded by other
// things, chiefly by what their place in the order costs. A message of 64 bytes is transmitted and held
// by two others after 50 µs, over the Unix socket after 30. The choice is in layer.go.
//
// # Bounds
//
// For each member: a queue of what was transmitted, which the core bounds by its window;
// the same again sealed, from the first receiver's place to the last one's; a
// message that is being read, within the credit that Hold gave; about 100 kB of
// buffers, two sockets and five goroutines. For connections whose other end is not known:
// [Options.Handshakes], each for [Options.HandshakeTime], 16 kB of what it says and, while
// it says nothing, less than 16 kB of memory. No message allocates
// but its [Buffer], which comes from a pool.
//
// # Who can do what
//
// Trusted are the kernel and root of the members' nodes, the daemons, and the ring
// between them if it has a key. From there come the endpoints' public keys, through
// the order, and the certificates.
//
// A process on the network, with no certificate: finds a TLS 1.3 port on ring
// addresses, and learns from its certificate which node, process and group it is
// (TLS shows a server's to whoever asks). It can take part in nothing, also if it is on
// the path: then it can delay and cut connections, as it can the ring's. It may hold
// [Options.Handshakes] places and cost a hundred signatures a second; members' addresses
// have places of their own. Bytes recorded today stay secret if keys are lost later.
//
// An unprivileged process on a member's node: the same; at the Unix socket and from
// the node's address it competes for places with the members there, which get
// through, if more slowly, as whose place is taken is left to chance. It can't stand
// between two members on one node, as each asks the kernel who the other is.
//
// A process of another group, or one that was authorised once: its certificate names
// its group and process, and its key is not in the view; it is a stranger. A process
// that left has no key to what is sent from then on. After the cluster's key has changed
// no certificate of before is good, and all connections are made anew.
//
// In a ring without a key certificates prove nothing; the public keys that were
// announced are all there is. They are as good as the ring: whoever can speak in it can
// announce itself as whom it likes.
//
// A member that is not itself any more: it gets the group's messages, as is its right,
// and sends what it likes as itself. It can't make this process keep more than its
// credit, is cut off for the view if it tries, and can slow the group down for
// the time it takes to be suspended. It holds the other senders' keys: if it is on the path
// as well (it is root on a node between, not only a process), it can replace bytes of
// a message between two others by bytes of its own, though not their number, place
// or length. TLS to each receiver would keep it from that; so would not running group
// members as root on routers. It can announce addresses of others, whom
// members will dial and say a TLS hello to; sockets only such as are named like ours,
// and only if the process that listens is the member.
//
// A node that is not itself any more (its root, its daemon): has the cluster's key
// and can issue certificates; what it can do, it can do in the ring too. It can't
// read groups that have no member on it without announcing one, which all see in the
// membership. With the cluster's key it does not read what was recorded.
package mesh
