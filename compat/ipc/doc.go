// Package ipc is the server's end of libqb's IPC, as stock libcpg, libcmap,
// libcfg, libquorum and libvotequorum speak it to their daemon.
//
//	client                                    server
//	connect to abstract "cmap", 24 bytes ---> credentials, [Handler.Accept]
//	                                     <--- 12328 bytes: errno, or transport and paths
//	request                              ---> [Handler.Request]
//	                         response    <--- [Conn.Respond]
//	                         event       <--- [Conn.Event]
//	                flow-control word    <--- [Conn.SetFlow]
//	socket closed                        ---> requests left are run, [Handler.Closed]
//
// The server says how messages travel, see [Transport]. What differs is a carrier,
// which is what a [Conn] takes from and sends to:
//
//	              SharedMemory                     Sockets
//	request       chunk in a ring, post, 1 byte    datagram to …-request
//	response      chunk in a ring, post            datagram to …-response
//	event         chunk in a ring, post, 1 byte    datagram …-event-tx to …-event
//	flow word     in the request ring's header     in a control file of 24 bytes
//
// A [Server] starts no goroutine and keeps no clock. It is driven by a [Poller]
// that tells of its descriptors and by [Server.Tick], both from one goroutine,
// which is also the only one that may call its other methods and those of its
// connections. Every call returns at once; what cannot be done now is due at
// [Server.Deadline].
//
// Four things differ from the reference on purpose. Bytes on the socket wake
// the server and are not counted against requests, so no client can make it
// wait (qb_ipcs_dispatch_connection_request blocks for them). The bytes for
// events go out together when the loop's turn ends or a response is due,
// instead of one system call each. Whatever a client left to be run when it hung
// up is still run: a cpg_mcast_joined that returned CS_OK is not lost because its
// process exited. And where the sockets' names are open to everybody, only the
// client's datagrams count; see the type sockets.
//
// A client owns its files and may write anything into them or cut them
// short; package internal/shm says how that is survived. What a
// client can make the server keep is bounded: requests by their ring or the
// kernel's buffer, answers by not reading more requests before they fit into
// theirs, events by [Options.MaxQueue] and [Options.MaxQueued], rings and buffers
// by [Options.MaxMessage] and [Options.MaxConnections].
//
// Over sockets a message may be no longer than the kernel's send buffer. The
// server's is as large as the message needs, if it runs as root; a client's is
// limited by net.core.wmem_max (to 416 kB where that is 212992), beyond which its
// library says EMSGSIZE, as beside the reference. Somebody else in the network
// namespace can take a client's names before the client does, whose connect
// fails then, and learn of changes of the membership; no more than that.
//
// To serve another name, give [Server.Listen] a [Handler]. Package client is the
// other end.
//
// Reference: libqb lib/ipcs.c, lib/ipc_setup.c, lib/ipc_shm.c, lib/ringbuffer.c,
// lib/ipc_socket.c; corosync exec/ipc_glue.c.
package ipc
