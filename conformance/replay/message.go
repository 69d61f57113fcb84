package replay

import (
	"bytes"
	"fmt"

	"cpgol/wire/exec"
	"cpgol/wire/pg"
)

// The services that speak in group "a" (corodefs.h).
const (
	serviceCMAP       = 0
	serviceCFG        = 1
	serviceCPG        = 2
	serviceVotequorum = 5
)

// A codec is what every message of package exec can do.
type codec interface {
	Decode([]byte) (int, error)
	Append([]byte) []byte
}

// execMessages are the messages by service and function.
var execMessages = map[[2]int]struct {
	name string
	make func() codec
}{
	{serviceCMAP, exec.CmapMcast}:                {"cmap mcast", func() codec { return new(exec.CmapItems) }},
	{serviceCFG, exec.CfgRingReenableFn}:         {"cfg ring reenable", func() codec { return new(exec.CfgRingReenable) }},
	{serviceCFG, exec.CfgKillNodeFn}:             {"cfg kill node", func() codec { return new(exec.CfgKillNode) }},
	{serviceCFG, exec.CfgShutdownFn}:             {"cfg shutdown", func() codec { return new(exec.CfgShutdown) }},
	{serviceCFG, exec.CfgReloadFn}:               {"cfg reload", func() codec { return new(exec.CfgReload) }},
	{serviceCFG, exec.CfgCryptoFn}:               {"cfg crypto", func() codec { return new(exec.CfgCrypto) }},
	{serviceCPG, exec.CPGProcJoin}:               {"cpg join", func() codec { return new(exec.ProcChange) }},
	{serviceCPG, exec.CPGProcLeave}:              {"cpg leave", func() codec { return new(exec.ProcChange) }},
	{serviceCPG, exec.CPGJoinList}:               {"cpg joinlist", func() codec { return new(exec.JoinList) }},
	{serviceCPG, exec.CPGMcast}:                  {"cpg mcast", func() codec { return new(exec.Mcast) }},
	{serviceCPG, exec.CPGDownlistOld}:            {"cpg old downlist", func() codec { return new(exec.DownlistOld) }},
	{serviceCPG, exec.CPGDownlist}:               {"cpg downlist", func() codec { return new(exec.Downlist) }},
	{serviceCPG, exec.CPGPartialMcast}:           {"cpg partial mcast", func() codec { return new(exec.PartialMcast) }},
	{serviceVotequorum, exec.VoteNodeInfoFn}:     {"votequorum nodeinfo", func() codec { return new(exec.VoteNodeInfo) }},
	{serviceVotequorum, exec.VoteReconfigureFn}:  {"votequorum reconfigure", func() codec { return new(exec.VoteReconfigure) }},
	{serviceVotequorum, exec.VoteDeviceFn}:       {"votequorum device", func() codec { return new(exec.VoteDevice) }},
	{serviceVotequorum, exec.VoteDeviceRenameFn}: {"votequorum device rename", func() codec { return new(exec.VoteDeviceRename) }},
	{serviceVotequorum, exec.VoteExtraInfoFn}:    {"votequorum extra info", func() codec { return new(exec.VoteExtraInfo) }},
}

// An execMessage is a whole message of the services.
type execMessage struct {
	name string
	size int
	body codec // nil if no codec knows it
	err  error
	same bool // encoded again, it is the same bytes
}

// decodeMessage decodes a whole message, group header included.
func decodeMessage(msg []byte, bigEndian bool) *execMessage {
	m := &execMessage{size: len(msg), name: "unknown"}
	names, payload, err := pg.CutGroup(msg, bigEndian)
	if err != nil {
		m.err = err
		return m
	}
	var again []byte
	if names.Len() == 1 {
		for name := range names.All() {
			again = pg.AppendGroup(nil, string(name))
		}
	} else {
		again = append(again, msg[:len(msg)-len(payload)]...) // nobody sends these
	}
	var header exec.Header
	if _, err := header.Decode(payload); err != nil {
		m.err = err
		return m
	}
	switch {
	case names.Has(pg.GroupSync) && header.ID == exec.SyncBarrierID:
		m.name, m.body = "sync barrier", new(exec.Barrier)
	case names.Has(pg.GroupSync) && header.ID == exec.SyncServiceBuildID:
		m.name, m.body = "sync service build", new(exec.ServiceBuild)
	case names.Has(pg.GroupServices):
		service, fn := exec.SplitID(header.ID)
		row, ok := execMessages[[2]int{service, fn}]
		if !ok {
			// A service of which stock sends nothing worth knowing: pload, mon, wd.
			m.name = fmt.Sprintf("service %d message %d", service, fn)
			m.same = true
			return m
		}
		m.name, m.body = row.name, row.make()
	default:
		m.err = fmt.Errorf("message of %d bytes for no known group", len(msg))
		return m
	}
	n, err := m.body.Decode(payload)
	if err != nil {
		m.err = err
		return m
	}
	m.same = bytes.Equal(m.body.Append(again), msg[:len(msg)-len(payload)+n])
	return m
}

// note records on the packets that completed a message how decoding it went.
func (mc *orderedMcast) note(end int, m *execMessage) {
	if mc.messages == nil {
		mc.messages = make(map[int]*execMessage)
	}
	mc.messages[end] = m
	for _, p := range mc.copies {
		if m.err != nil && p.err == nil {
			p.err = m.err
		}
		if m.err == nil && !m.same && p.differs == "" {
			p.differs = m.name
		}
	}
}
