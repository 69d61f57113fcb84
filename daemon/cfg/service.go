// Package cfg tells clients of links and addresses, and takes what they ask of
// the whole daemon: to stop, to end another node, to read its configuration
// again.
//
//	tryshutdown --> every tracker is asked --> all agree, or it was forced
//	                                              |
//	                   SHUTDOWN through the ring --> this daemon stops
//
//	reload --> RELOAD through the ring --> every node reads its own file,
//	           the one that was asked answers its client
//
// Reading the configuration again is the node's part (Service.Reload); without
// it a reload is not supported.
//
// Reference: services.md section 6, ipc.md section 5.3; exec/cfg.c.
package cfg

import (
	"fmt"
	"log/slog"
	"net/netip"

	"cpgol/compat/abi"
	"cpgol/daemon/cmap"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Links is what the service asks its node about the ring's links.
type Links interface {
	// Interfaces lists the links that are configured for a node, by number. It
	// is empty for a node that nobody knows.
	Interfaces(n totem.NodeID) []Interface
	// NodeStatus tells how a node is reached; ok is false for a node that
	// nobody knows.
	NodeStatus(n totem.NodeID) (st abi.CfgNodeStatus, ok bool)
}

// An Interface is a link of a node.
type Interface struct {
	Link int
	Addr netip.Addr
	// Status of a local link: on knet one character for each node, by number
	// ("n" for this one, else a digit, 1 enabled + 2 connected + 4 dynamically
	// connected); else "OK".
	Status string
}

// A Service is the engine cfg. Its hooks are set before the first call, if at
// all.
type Service struct {
	// Log gets the service's lines.
	Log *slog.Logger
	// Reload reads the configuration again and puts it into force, or refuses it
	// and changes nothing; then the error says what was tried and why not. It
	// reports whether keys for encryption changed, which every node then changes
	// over to at its own CfgCrypto messages. nil: not supported.
	Reload func() (cryptoChanged bool, err error)
	// CryptoPhase performs a phase of a change of keys (exec.CryptoActivate,
	// exec.CryptoCleanup).
	CryptoPhase func(phase uint32)
	// ReopenLogs opens log files anew. nil: not supported.
	ReopenLogs func() error

	host     service.Host
	m        *cmap.Map
	links    Links
	trackers []*tracker // newest first
	asked    negotiation
	tried    map[service.Conn]bool // has asked for a shutdown before
	reloads  map[uint64]service.Conn
	token    uint64 // of the last reload
	refused  uint64
}

var _ service.Service = (*Service)(nil)

// levelNotice is syslog's notice.
const levelNotice = slog.LevelInfo + 2

// New makes the service.
func New(host service.Host, m *cmap.Map, links Links) *Service {
	return &Service{
		Log:  slog.New(slog.DiscardHandler),
		host: host, m: m, links: links,
		tried:   make(map[service.Conn]bool),
		reloads: make(map[uint64]service.Conn),
	}
}

// ID is service.CFG.
func (s *Service) ID() service.ID { return service.CFG }

// Name is "cfg".
func (s *Service) Name() string { return "cfg" }

// Requests lists what clients can ask.
func (s *Service) Requests() []service.Request {
	const now, wait = false, true
	row := func(name string, response int32, size int, throttled bool, f func(service.Conn, []byte) error) service.Request {
		return service.Request{Name: name, Size: size, Throttled: throttled, Handle: func(c service.Conn, msg []byte) {
			if err := f(c, msg); err != nil {
				s.refused++
				s.Log.Debug("refused request", "pid", c.PID(), "err", err)
				s.status(c, response, abi.InvalidParam)
			}
		}}
	}
	return []service.Request{
		abi.CfgRingStatusGetID:   row("ringstatusget", abi.CfgRingStatusGetRes, abi.RequestLen, wait, s.ringStatus),
		abi.CfgRingReenableID:    row("ringreenable", abi.CfgRingReenableRes, abi.RequestLen, wait, s.ringReenable),
		abi.CfgKillNodeID:        row("killnode", abi.CfgKillNodeRes, abi.CfgKillNodeLen, wait, s.killNode),
		abi.CfgTryShutdownID:     row("tryshutdown", abi.CfgTryShutdownRes, abi.CfgWordLen, wait, s.tryShutdown),
		abi.CfgReplyToShutdownID: row("replytoshutdown", abi.CfgReplyToShutdownRes, abi.CfgWordLen, wait, s.replyToShutdown),
		abi.CfgGetNodeAddrsID:    row("get_node_addrs", abi.CfgGetNodeAddrsRes, abi.CfgWordLen, now, s.nodeAddrs),
		abi.CfgLocalGetID:        row("local_get", abi.CfgLocalGetRes, abi.RequestLen, now, s.localGet),
		abi.CfgReloadConfigID:    row("reload_config", abi.CfgReloadConfigRes, abi.RequestLen, wait, s.reloadRequest),
		abi.CfgReopenLogFilesID:  row("reopen_log_files", abi.CfgReopenLogFilesRes, abi.RequestLen, now, s.reopenLogs),
		abi.CfgNodeStatusGetID:   row("nodestatusget", abi.CfgNodeStatusGetRes, abi.CfgNodeStatusGetLen, now, s.nodeStatus),
		abi.CfgTrackStartID:      row("trackstart", abi.CfgTrackStartRes, abi.CfgWordLen, wait, s.trackStart),
		abi.CfgTrackStopID:       row("trackstop", abi.CfgTrackStopRes, abi.RequestLen, wait, s.trackStop),
	}
}

// Messages lists what the services of the nodes say to each other.
func (s *Service) Messages() []service.Message {
	row := func(name string, size int, f func(from totem.NodeID, msg []byte) error) service.Message {
		return service.Message{Name: name, Size: size, Handle: func(from totem.NodeID, msg []byte) {
			if err := f(from, msg); err != nil {
				s.refused++
				s.Log.Warn(fmt.Sprintf("node %d: %v", from, err))
			}
		}}
	}
	return []service.Message{
		exec.CfgRingReenableFn: row("ringreenable", 32, func(totem.NodeID, []byte) error { return nil }),
		exec.CfgKillNodeFn:     row("killnode", 288, s.killed),
		exec.CfgShutdownFn:     row("shutdown", 16, s.shutdown),
		exec.CfgReloadFn:       row("reload config", 32, s.reload),
		exec.CfgCryptoFn:       row("reconfig crypto", 24, s.cryptoPhase),
	}
}

// Refused counts requests and messages that were malformed.
func (s *Service) Refused() uint64 { return s.refused }

// Connected has nothing to do before a request.
func (s *Service) Connected(service.Conn) {}

// Closed takes c out of everything: what it asked for is cancelled, what it was
// asked it agrees to.
func (s *Service) Closed(c service.Conn) {
	s.leaveNegotiation(c)
	delete(s.tried, c)
	for token, waiting := range s.reloads {
		if waiting == c {
			delete(s.reloads, token)
		}
	}
}

func (s *Service) status(c service.Conn, id int32, st abi.Status) {
	c.Respond(abi.AppendStatus(nil, id, st))
}

func (s *Service) send(m interface{ Append([]byte) []byte }) bool {
	return s.host.Multicast(m.Append(nil), nil) == nil
}
