package cmap

import (
	"fmt"
	"log/slog"

	"cpgol/compat/abi"
	"cpgol/daemon/service"
	"cpgol/wire/exec"
	"cpgol/wire/totem"
)

// Limits on what clients can make the daemon hold. The reference has none.
const (
	maxClientKeys  = 1 << 16 // keys in the map when a client adds one
	maxClientBytes = 64 << 20
	maxHandles     = 1024    // iterators and trackers of a connection
	maxStatKeys    = 1 << 18 // that the iterators of all connections hold
	maxRoom        = 1 << 20 // that a client can ask for in an answer
)

// A Service is the engine cmap: clients read and write the map through it, and
// it tells the other nodes which configuration version this one has.
type Service struct {
	// Log gets the service's lines. Set it before the first call; without one
	// nothing is logged.
	Log *slog.Logger

	host    service.Host
	m       *Map
	stats   Stats
	conns   map[service.Conn]*client
	watch   watch
	version version

	refused  uint64
	statKeys int    // that iterators hold
	buf      []byte // of the answer or event being written
}

var _ service.Syncer = (*Service)(nil)

// New makes the service of the map m and protects the keys that no client may
// change. With no stats the map of statistics is empty.
func New(host service.Host, m *Map, stats Stats) *Service {
	if stats == nil {
		stats = noStats{}
	}
	s := &Service{
		Log:   slog.New(slog.DiscardHandler),
		host:  host,
		m:     m,
		stats: stats,
		conns: make(map[service.Conn]*client),
	}
	protectDaemonKeys(m)
	s.version.first = true
	m.Track(exec.CmapVersionKey, AllEvents, func(Change) { s.announceVersion() })
	return s
}

// ID is service.CMAP.
func (s *Service) ID() service.ID { return service.CMAP }

// Name is "cmap".
func (s *Service) Name() string { return "cmap" }

// Requests lists what clients can ask. None is throttled: a tool must be able to
// look at the map of a node that has no ring.
func (s *Service) Requests() []service.Request {
	row := func(name string, id int32, size int, f func(*client, []byte) error) service.Request {
		return service.Request{Name: name, Size: size, Handle: func(c service.Conn, msg []byte) {
			if err := f(s.client(c), msg); err != nil {
				s.refused++
				s.Log.Debug("refused request", "pid", c.PID(), "err", err)
				s.status(c, id, abi.InvalidParam)
			}
		}}
	}
	return []service.Request{
		abi.CmapSetID:           row("set", abi.CmapSetID, abi.CmapSetLen, s.set),
		abi.CmapDeleteID:        row("delete", abi.CmapDeleteID, abi.CmapDeleteLen, s.delete),
		abi.CmapGetID:           row("get", abi.CmapGetID, abi.CmapGetLen, s.get),
		abi.CmapAdjustID:        row("adjust", abi.CmapAdjustID, abi.CmapAdjustLen, s.adjust),
		abi.CmapIterInitID:      row("iter init", abi.CmapIterInitID, abi.CmapIterInitLen, s.iterInit),
		abi.CmapIterNextID:      row("iter next", abi.CmapIterNextID, abi.CmapHandleLen, s.iterNext),
		abi.CmapIterFinalizeID:  row("iter finalize", abi.CmapIterFinalizeID, abi.CmapHandleLen, s.iterFinalize),
		abi.CmapTrackAddID:      row("track add", abi.CmapTrackAddID, abi.CmapTrackAddLen, s.trackAdd),
		abi.CmapTrackDeleteID:   row("track delete", abi.CmapTrackDeleteID, abi.CmapHandleLen, s.trackDelete),
		abi.CmapSetCurrentMapID: row("set current map", abi.CmapSetCurrentMapRes, abi.CmapSetCurrentMapLen, s.setMap),
	}
}

// Messages lists what the map services of the nodes say to each other.
func (s *Service) Messages() []service.Message {
	return []service.Message{
		exec.CmapMcast: {Name: "mcast", Size: 48, Handle: s.items},
	}
}

// Refused counts requests and messages that were malformed.
func (s *Service) Refused() uint64 { return s.refused }

// items takes the configuration version of a node
// (message_handler_req_exec_cmap_mcast).
func (s *Service) items(from totem.NodeID, msg []byte) {
	var m exec.CmapItems
	if _, err := m.Decode(msg); err != nil {
		s.refused++
		s.Log.Warn(fmt.Sprintf("node %d: %v", from, err))
		return
	}
	if m.Reason != exec.CmapSync && m.Reason != exec.CmapNewVersion {
		return
	}
	v := m.Version()
	if from != s.host.Self() {
		s.version.highest = max(s.version.highest, v)
	}
	s.m.Set(fmt.Sprintf("runtime.members.%d.config_version", from), U64(v))
}
