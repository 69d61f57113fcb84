package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// tune keeps the heap small: what the daemon holds is mostly buffers that are
// used again, so that frequent collections cost little. There is no limit beyond
// which the runtime would collect without end: clients that read slowly may
// rightly need more.
func tune() {
	debug.SetGCPercent(50)
	go func() {
		var h heap
		for range time.Tick(restTime) {
			if h.rests() {
				debug.FreeOSMemory()
				h.rested()
			}
		}
	}()
}

// restTime is how long the daemon must have had next to nothing to do before it
// returns memory.
const restTime = 10 * time.Second

// A heap is watched for what a burst has left there: a daemon that has nothing to
// do allocates nothing, so that the runtime would not collect it for minutes.
type heap struct {
	allocated uint64 // bytes ever, when last looked at
	live      uint64 // bytes that stayed when memory was returned
}

const (
	quietBytes = 1 << 20  // allocated in restTime
	spareBytes = 16 << 20 // worth returning
)

// rests reports whether there is memory to return and nothing to do.
func (h *heap) rests() bool {
	allocated, used := heapBytes()
	quiet := allocated-h.allocated < quietBytes
	h.allocated = allocated
	return quiet && used > h.live+spareBytes
}

// rested says that memory was returned.
func (h *heap) rested() { _, h.live = heapBytes() }

// heapBytes are those ever allocated, and those that objects take, dead ones too.
func heapBytes() (allocated, used uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
