// Package net is where the daemon meets the kernel's network: the [Poller] that
// the loop sleeps in, UDP [Socket]s that send and receive in batches, and the
// three transports that Totem runs over.
//
//	loop ── Wait ──> Poller ──> Socket ── datagram ──> transport ── packet ──> engine
//	engine ── Multicast, Unicast ──> transport ── Flush ──> Socket ── sendmmsg ──> kernel
//
//	UDPU   one datagram to each member            totem.md 5.2   exec/totemudpu.c
//	UDP    multicast or broadcast, token unicast  totem.md 5.1   exec/totemudp.c
//	Knet   package link over one socket a link    knet.md 3, 5.4 exec/totemknet.c
//
// All of it belongs to one goroutine and starts none. Nothing here waits but
// Poller.Wait.
//
// # Bursts
//
// A system call per datagram is what limits a plain sender. So equal-sized
// datagrams to one peer go to the kernel as one message that it cuts apart
// (UDP_SEGMENT), up to 64 messages in one sendmmsg; and what arrives joined
// (UDP_GRO) is fetched so, up to 32 messages in one recvmmsg, and cut apart
// here. Each datagram is on the wire by itself: a peer that knows none of this
// receives what a plain sender would have sent. Where the kernel will not cut
// (EIO without checksum offload, EMSGSIZE above the route's MTU), datagrams go
// one by one, still many a call.
//
// # When the kernel takes no more
//
// What it refuses for now (EAGAIN) is copied to a bounded backlog and goes out
// when the socket is writable, or a millisecond later if a device queue is full
// (ENOBUFS). The backlog full, datagrams are dropped and counted: Totem repairs
// loss, and no peer can make this process grow.
//
// # Addresses that come and go
//
// Where an address is not there, knet binds regardless (IP_FREEBIND). The others
// look again each downcheck interval, and meanwhile drop what they are to send:
// the engine, which needs no transport to hear itself, forms a ring of one.
// There is no socket bound to the loopback address and no socketpair to oneself,
// as the reference has.
//
// Package nettest has a Transport in memory that loses, delays, duplicates and
// partitions. Not here: SCTP (knet's other transport), nozzle devices.
//
// A new transport is a file like udpu.go: a config, the methods of [Transport],
// and a test in a pair of network namespaces beside it.
package net
