package exec

import (
	"fmt"

	"cpgol/wire/totem"
)

// Message ids of group "sync", which are bare numbers.
const (
	SyncBarrierID      int32 = 0 // MESSAGE_REQ_SYNC_BARRIER
	SyncServiceBuildID int32 = 1 // MESSAGE_REQ_SYNC_SERVICE_BUILD
)

// MaxSyncServices is how many services a ServiceBuild has room for.
const MaxSyncServices = 128

const (
	barrierLen      = 32
	serviceBuildLen = 552
)

// A Barrier says that its sender has sent all that one service had to tell. It
// names no service: its meaning is its place among the sender's barriers
// (struct req_exec_barrier_message, 32 bytes).
//
//	header 16 | ring id 12 | pad 4
type Barrier struct {
	Ring totem.RingID // the round's; of an older ring in a late message
	head Header
	pad  uint32
}

// Decode reads a Barrier; it fails unless b holds one of exactly 32 bytes.
func (m *Barrier) Decode(b []byte) (n int, err error) {
	if err := m.head.readExact("barrier", b, SyncBarrierID, barrierLen); err != nil {
		return 0, err
	}
	m.Ring = ringID(b[16:])
	m.pad = le.Uint32(b[28:])
	return barrierLen, nil
}

// Append appends the message's 32 bytes.
func (m *Barrier) Append(b []byte) []byte {
	b = m.head.appendAs(b, SyncBarrierID, barrierLen)
	b = appendRingID(b, m.Ring)
	return le.AppendUint32(b, m.pad)
}

// A ServiceBuild lists the services that its sender synchronises. All members
// go through the union of the lists, ascending
// (struct req_exec_service_build_message, 552 bytes).
//
//	header 16 | ring id 12 | pad 4 | count 4 | pad 4 | service 4 x 128
type ServiceBuild struct {
	Ring  totem.RingID
	Count int                    // of List, 0 to 128
	List  [MaxSyncServices]int32 // zero from Count on; garbage is kept
	head  Header
	pad   [2]uint32
}

// Services returns the listed services; the slice is m's.
func (m *ServiceBuild) Services() []int32 { return m.List[:m.Count] }

// Decode reads a ServiceBuild of exactly 552 bytes. The count, which the
// reference does not bound, must be within the list.
func (m *ServiceBuild) Decode(b []byte) (n int, err error) {
	if err := m.head.readExact("service build", b, SyncServiceBuildID, serviceBuildLen); err != nil {
		return 0, err
	}
	count := int(int32(le.Uint32(b[32:])))
	if count < 0 || count > MaxSyncServices {
		return 0, fmt.Errorf("exec: service build: %d services, at most %d", count, MaxSyncServices)
	}
	m.Ring, m.Count = ringID(b[16:]), count
	m.pad = [2]uint32{le.Uint32(b[28:]), le.Uint32(b[36:])}
	for i := range m.List {
		m.List[i] = int32(le.Uint32(b[40+4*i:]))
	}
	return serviceBuildLen, nil
}

// Append appends the message's 552 bytes.
func (m *ServiceBuild) Append(b []byte) []byte {
	b = m.head.appendAs(b, SyncServiceBuildID, serviceBuildLen)
	b = appendRingID(b, m.Ring)
	b = le.AppendUint32(b, m.pad[0])
	b = le.AppendUint32(b, uint32(m.Count))
	b = le.AppendUint32(b, m.pad[1])
	for _, id := range m.List {
		b = le.AppendUint32(b, uint32(id))
	}
	return b
}

// ringID reads the 12 packed bytes of a memb_ring_id.
func ringID(b []byte) totem.RingID {
	return totem.RingID{Rep: totem.NodeID(le.Uint32(b)), Seq: le.Uint64(b[4:])}
}

func appendRingID(b []byte, r totem.RingID) []byte {
	return le.AppendUint64(le.AppendUint32(b, uint32(r.Rep)), r.Seq)
}
