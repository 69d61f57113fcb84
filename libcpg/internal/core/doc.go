// Package core is the offloaded transport's protocol in one process of one group:
// payload first, order second.
//
//	application          core A                mesh            core B          daemons
//	Send   ------------> number, keep
//	                     Transmit ------------> bytes -------> Arrived: hold
//	                     Held <---------------- ack <--------- Hold
//	                     Submit ----------------------------------------------> the ring's order
//	       <- Release -- Ordered <--------------------------------------------- same place
//	                                                           Ordered <------- on every node
//	                                                           Release -> application
//
// A [View] is the group at a stretch of the ring's order in which every process can
// offload. Within it a message is submitted for ordering only once every other
// process holds its bytes, and the daemons order it only while no process was
// added to the group. So whatever is ordered is held by all who must deliver it,
// and no payload is ever recovered: what a process may lack was not ordered.
//
// Each submission makes the token go round, which costs the ring's nodes more than it
// costs to wait for a while; so while more is on its way to others, what they hold
// is submitted together ([Config.Batch]). A sender is told of more to send only once
// it has not enough, not with each message.
//
// When a view ends, for whatever reason, nothing of it that is not ordered yet
// will ever be: the end is at one place of the order, and submissions behind it are
// void on all nodes alike. The sender keeps such messages and sends them again, in
// the ring or in the next view; receivers let go of what they hold.
//
// One sender's messages keep their order because they leave its queue in order:
// a message goes in the ring only when nothing before it waits for its place, and
// otherwise by submission. A small one that is alone goes in the ring, where it has
// its place sooner; as soon as another of the process's is under way, it does not, as
// ten times as many find their way past the ring ([Config.SmallLimit]).
//
// Memory is bounded: own messages by [Config.Window], those of others by what is
// granted to each ([Config.Credit] in all); each message counts its bytes and
// [Config.Overhead]. A process that holds nothing new for
// [Config.AckTimeout] is suspended: the group goes back to the ring, so it costs the
// others their speed and not their progress.
//
// A [Core] is a state machine without clock, sockets or goroutines: time goes in,
// effects and a deadline come out.
package core
