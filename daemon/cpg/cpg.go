// Package cpg is the closed process group service: it tells every client of a
// group, in one order on all nodes, who is in the group and what they say.
//
//	client            this service                 ring
//	join     ------>  state, answer  -- PROCJOIN -->
//	mcast    ------>                 -- MCAST    -->
//	         <------  change         <- PROCJOIN --   every node, this one too
//	         <------  deliver        <- MCAST    --
//
// What nodes must agree on, the table of processes, changes only at delivery.
// After a change of the ring each node tells the others of its own processes
// (JOINLIST); those of nodes that went are removed by every node for itself.
//
// Reference: services.md section 3, ipc.md section 5.1; exec/cpg.c. Where this
// service differs, on purpose:
//
//   - cpg_leave returns the connection to unjoined when the leave is delivered,
//     as it did before 3.0.3. It leaves the group that the connection joined,
//     whatever group and process the request names.
//   - Group names of 128 bytes are refused: C peers write past a buffer when a
//     node with such a group dies. From peers they are accepted.
//   - No list of over 128 entries goes to a client: what joins or leaves comes
//     in several changes, members beyond the 128th are not told. Joins here are
//     refused (NO_RESOURCES) when a group has 128 members.
//   - Fragments that do not add up to their message's length, which overrun the
//     heap of C clients, are neither sent nor delivered, nor are fragments of a
//     process that is not in the group.
//   - The names "g" and "g\0" are two groups also when a node dies.
//   - A process that ends during a synchronisation does not stay in any table,
//     though its leave overtakes its join or crosses this node's JOINLIST: the
//     list does not name it, or its leave is sent again when the join came or
//     the round is over. Peers' lists are cleared of processes that left since.
//   - A JOINLIST of an earlier round is ignored.
//   - A zero-copy file that cannot be taken is refused, where the reference
//     aborts. Buffers are made and given up at any time: libcpg does not look
//     whether it was put off, and would send from a buffer that nobody knows.
//     Messages of over 1047552 bytes, which no other way takes in one piece and
//     nodes of corosync 2.4 write past a buffer for, are refused there too.
//
// What peers can make this node keep is bounded: maxPerNode processes of one
// node, maxProcesses in all, and as many announced ones during a round. More
// are ignored and counted.
package cpg

import (
	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Bounds of the tables.
const (
	// maxPerNode is how many processes a node can announce: as many as fit in
	// one message of 1 MiB.
	maxPerNode = (1<<20 - exec.ResponseHeaderLen) / 144
	// maxProcesses is how many processes of all nodes are kept.
	maxProcesses = 1 << 16
	// maxName is how long a name clients may join with.
	maxName = exec.MaxGroupName - 1
	// maxIterations is how many iterations one connection may have open.
	maxIterations = 64
	// maxIterated is how many items the iterations of all connections hold.
	maxIterated = 1 << 18
)

// A Service is the cpg engine of one node. Its methods are called from the
// node's loop only, and the node's Conn.Event must not call back.
type Service struct {
	host service.Host
	self totem.NodeID

	procs  table
	groups map[exec.GroupName]*group

	clients map[service.Conn]*client
	came    uint64             // connections so far
	open    []*client          // in the order they came, without finalised ones
	local   map[member]*client // the joined ones, from join request to own leave
	flying  map[member]int     // own joins and leaves that are not delivered yet
	dying   map[member]bool    // left during a synchronisation, not delivered yet
	unsent  []exec.ProcChange  // leaves that found the queue full
	retry   bool               // a timer will send them

	members    []totem.NodeID // of the last round begun
	oldMembers []totem.NodeID // of the last round completed
	ring       totem.RingID   // of the last round begun
	round      round

	handle   uint64 // of the last iteration
	iterated int    // items in all iterations
	zero     buffers
	observer Observer // nil: none
	stats    Stats

	mcast   exec.Mcast        // scratch
	partial exec.PartialMcast // scratch
	change  abi.CPGChange     // scratch
	head    []byte            // scratch
	buf     []byte            // scratch
}

var (
	_ service.Service = (*Service)(nil)
	_ service.Syncer  = (*Service)(nil)
)

// Stats counts what went wrong, by cause.
type Stats struct {
	Malformed     uint64 // messages of peers that do not decode
	UnknownSender uint64 // messages from a node without a process in the group
	BadFragment   uint64 // fragments that do not fit their message
	Refused       uint64 // processes of peers beyond the bounds
	Stale         uint64 // joinlists outside a round
	Dropped       uint64 // mcast requests that could not be sent
}

// New makes the service of one node.
func New(host service.Host) *Service {
	return &Service{
		host:    host,
		self:    host.Self(),
		groups:  make(map[exec.GroupName]*group),
		clients: make(map[service.Conn]*client),
		local:   make(map[member]*client),
		flying:  make(map[member]int),
		dying:   make(map[member]bool),
		procs:   table{perNode: make(map[totem.NodeID]int)},
	}
}

// ID returns service.CPG.
func (s *Service) ID() service.ID { return service.CPG }

// Name returns the name of the socket.
func (s *Service) Name() string { return "cpg" }

// Stats returns the counters.
func (s *Service) Stats() Stats { return s.stats }

// Requests is the table of what clients ask (cpg_lib_engine).
func (s *Service) Requests() []service.Request {
	const h16 = abi.RequestLen
	return s.withObserver([]service.Request{
		abi.CPGJoinID:         {Name: "join", Size: abi.CPGJoinLen, Throttled: true, Handle: s.join},
		abi.CPGLeaveID:        {Name: "leave", Size: abi.CPGLeaveLen, Throttled: true, Handle: s.leave},
		abi.CPGMcastID:        {Name: "mcast", Size: abi.CPGMcastLen, Throttled: true, Async: true, Handle: s.send},
		abi.CPGMembershipID:   {Name: "membership", Size: abi.CPGMembershipLen, Handle: s.membership},
		abi.CPGLocalID:        {Name: "local_get", Size: h16, Handle: s.localGet},
		abi.CPGIterInitID:     {Name: "iteration_initialize", Size: abi.CPGIterInitLen, Handle: s.iterInit},
		abi.CPGIterNextID:     {Name: "iteration_next", Size: abi.CPGIterHandleLen, Handle: s.iterNext},
		abi.CPGIterFinalizeID: {Name: "iteration_finalize", Size: abi.CPGIterHandleLen, Handle: s.iterFinalize},
		abi.CPGFinalizeID:     {Name: "finalize", Size: h16, Throttled: true, Handle: s.finalize},
		abi.CPGZeroAllocID:    {Name: "zc_alloc", Size: abi.CPGZeroAllocLen, Handle: s.zeroAlloc},
		abi.CPGZeroFreeID:     {Name: "zc_free", Size: abi.CPGZeroFreeLen, Handle: s.zeroFree},
		abi.CPGZeroExecuteID:  {Name: "zc_execute", Size: abi.CPGZeroExecuteLen, Throttled: true, Handle: s.zeroExecute},
		abi.CPGPartialID:      {Name: "partial_mcast", Size: abi.CPGPartialLen, Throttled: true, Handle: s.sendPart},
	})
}

// Messages is the table of what nodes say to each other (cpg_exec_engine).
func (s *Service) Messages() []service.Message {
	return []service.Message{
		exec.CPGProcJoin:     {Name: "procjoin", Size: 168, Handle: s.procChange},
		exec.CPGProcLeave:    {Name: "procleave", Size: 168, Handle: s.procChange},
		exec.CPGJoinList:     {Name: "joinlist", Size: exec.ResponseHeaderLen, Handle: s.joinList},
		exec.CPGMcast:        {Name: "mcast", Size: exec.McastLen, Handle: s.deliver},
		exec.CPGDownlistOld:  {Name: "downlist_old", Size: exec.HeaderLen, Handle: s.downlist},
		exec.CPGDownlist:     {Name: "downlist", Size: exec.HeaderLen, Handle: s.downlist},
		exec.CPGPartialMcast: {Name: "partial_mcast", Size: exec.PartialMcastLen, Handle: s.deliverPart},
	}
}

// downlist takes a peer's downlist, which since 1.4 tells nothing: every node
// uses the one it computes itself.
func (s *Service) downlist(totem.NodeID, []byte) {}

// status answers with a result and no body.
func (s *Service) status(c service.Conn, id int32, st abi.Status) {
	s.buf = abi.AppendStatus(s.buf[:0], id, st)
	c.Respond(s.buf)
}

// localGet answers with this node's id.
func (s *Service) localGet(c service.Conn, _ []byte) {
	s.buf = abi.AppendCPGLocalRes(s.buf[:0], s.self)
	c.Respond(s.buf)
}
