// Package ipc is the server's end of libqb's IPC over shared memory, as stock
// libcpg, libcmap, libcfg, libquorum and libvotequorum speak it to their daemon.
//
//	client                                    server
//	connect to abstract "cmap", 24 bytes ---> credentials, [Handler.Accept]
//	                                     <--- 12328 bytes: errno, or ring paths
//	request ring:  chunk, post, 1 byte   ---> [Handler.Request]
//	response ring                        <--- [Conn.Respond]: chunk, post
//	event ring                           <--- [Conn.Event]: chunk, post, 1 byte
//	flow-control word                    <--- [Conn.SetFlow]
//	socket closed                        ---> requests left are run, [Handler.Closed]
//
// A [Server] starts no goroutine and keeps no clock. It is driven by a [Poller]
// that tells of its descriptors and by [Server.Tick], both from one goroutine,
// which is also the only one that may call its other methods and those of its
// connections. Every call returns at once; what cannot be done now is due at
// [Server.Deadline].
//
// Three things differ from the reference on purpose. Bytes on the socket wake
// the server and are not counted against requests, so no client can make it
// wait (qb_ipcs_dispatch_connection_request blocks for them). The bytes for
// events go out together when the loop's turn ends or a response is due,
// instead of one system call each. And whatever a client left in its request
// ring when it hung up is still run: a cpg_mcast_joined that returned CS_OK is
// not lost because its process exited.
//
// A client owns its ring files and may write anything into them or cut them
// short; package internal/shm says how that is survived. What a
// client can make the server keep is bounded: requests by their ring, answers by
// not reading more requests before they fit into theirs, events by
// [Options.MaxQueue] and [Options.MaxQueued], rings by [Options.MaxMessage]
// and [Options.MaxConnections].
//
// Not done: the socket transport (system.qb_ipc_type: socket). It would be
// another way to make what [Conn] sends to and takes from, chosen where the
// rings are made.
//
// To serve another name, give [Server.Listen] a [Handler]. Package client is the
// other end.
//
// Reference: libqb lib/ipcs.c, lib/ipc_setup.c, lib/ipc_shm.c, lib/ringbuffer.c;
// corosync exec/ipc_glue.c.
package ipc
