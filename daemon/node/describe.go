package node

import (
	"context"

	"cpgol/daemon/logs"
	"cpgol/daemon/service"
)

// descriptions are the reference's names of its service engines, as it logs them.
var descriptions = map[service.ID]string{
	0: "corosync configuration map access",
	1: "corosync configuration service",
	2: "corosync cluster closed process group service v1.01",
	3: "corosync cluster quorum service v0.1",
	4: "corosync profile loading service",
	5: "corosync vote quorum service v1.0",
	6: "corosync resource monitoring service",
	7: "corosync watchdog service",
}

func describe(s service.Service) string {
	if d, ok := descriptions[s.ID()]; ok {
		return d
	}
	return s.Name()
}

// tellUnloaded says that services end (exec/service.c:corosync_service_unlink_all);
// the one that has to leave the quorum goes first there.
func (n *Node) tellUnloaded() {
	n.serv.Log(context.Background(), levelNotice, "Unloading all Corosync service engines.")
	for _, id := range []service.ID{5, 0, 1, 2, 3, 4, 6, 7} {
		s := n.slot(id)
		if s == nil {
			continue
		}
		if len(s.requests) > 0 {
			logs.Subsystem(n.log, "QB").Info("withdrawing server sockets")
		}
		n.serv.Log(context.Background(), levelNotice, "Service engine unloaded: "+describe(s.Service))
	}
}
