// Package link runs knet's links as a state machine: it decides which hosts are
// reachable over which links, and turns messages into datagrams and back. It
// has no socket, clock or goroutine; `now` is the time since an arbitrary origin.
//
//	Send    message > compress > number > cut > seal each piece > to the best link of each host
//	Receive datagram > open > header > host, link > by type:
//	          DATA    duplicate? > reassemble > decompress > for us? > deliver
//	          PING    move the window, echo as PONG
//	          PONG    latency, sign of life; enough of them bring the link up
//	          PMTUD   echo as PMTUD REPLY; a REPLY feeds our own probing
//	Tick    every 200 ms: pings, timeouts; probes of the path MTU when they are due
//
// A link that counted pong_count + 1 pongs is up, one without a pong for the
// timeout (ten times that right after start or a failure, shrinking each second)
// is down; a host is reachable while one of its links is up and passes packets
// of the least size.
//
// # Where it is calmer than libknet
//
// What goes over the wire is libknet 1.25's. What a node decides for itself is
// sturdier in places:
//
//   - A link whose first pongs arrived takes data at once, as libknet does since
//     1.27 ("fast data up").
//   - A ping that is not answered within 200 ms (or twice the latency) is
//     repeated every cycle while the link is up. With the default timers the
//     reference loses a link with a single lost packet.
//   - A path-MTU probe that is lost is sent again, after 100 ms and twice the
//     latency, doubling; the reference waits up to fifteen seconds for the one
//     probe and then calls the size bad. From the second try on a small probe
//     goes along: only if the small one is answered and the large one is not does
//     a try count against the size, and a size that worked before needs more of
//     them. So loss never shrinks the MTU, and never takes a link out.
//   - A link that comes up resets the data MTU to the minimum as in the reference,
//     but is probed at once, starting with the size that last worked on it: small
//     fragments last for a round trip instead of seconds. A size that was answered
//     counts at once, not at the end of the run. A new key keeps the sizes, as the
//     path did not change.
//   - Replies to probes count only for the link and the size that is awaited;
//     stray ones are counted and forgotten.
//   - A kernel that refuses a datagram for its size lowers the MTU at once.
//   - When the process was not run for a while (a stopped virtual machine), the
//     first heartbeat cycle afterwards does not judge the links: the pongs may be
//     waiting in the socket.
//   - A restarted host is told by its pings with sequence number 0 also when none
//     of its earlier pings carried another (see knet.md 2.7, corner case).
//   - A duplicated pong counts once.
//   - While two keys are loaded, a packet that one key opens to nonsense is tried
//     with the other: both may have the same hash key.
//   - While keys change, this node goes over to the new one as soon as it hears a
//     peer use it, and not only when it is told to.
//   - One host that cannot be sent to does not keep a message from the others.
//
// Everything a packet claims is checked before it is used, and stricter than 1.25:
// link numbers, lengths, fragment numbers and sizes as in 1.35, fragments that
// contradict each other, sequence number 0 in data, time stamps that were never
// ours. Each refusal has a [Cause] with a counter. Memory is bounded: at most 32
// messages in reassembly per host, each at most 64 KiB, from buffers shared by
// all hosts.
//
// Reference: libknet/threads_rx.c, threads_tx.c, threads_heartbeat.c,
// threads_pmtud.c, host.c, links.c (1.25), exec/totemknet.c (the filter).
//
// Not here: loopback to ourselves (the transport hands a node its own messages),
// dynamic links, channels other than 0, SCTP, and the time that crypto and
// compression take, which the reference measures.
//
// A new packet type is a case in receive.go; a new reason to drop one is a row
// in cause.go.
package link
