package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestHeapRests: memory is returned once, when nothing happens and there is some.
func TestHeapRests(t *testing.T) {
	runtime.GC()
	var h heap
	h.rests()
	h.rested()
	if h.rests() {
		t.Error("there is nothing to return")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // garbage stays, as in an idle daemon
	burst := make([][]byte, 4)
	for i := range burst {
		burst[i] = make([]byte, spareBytes)
	}
	runtime.KeepAlive(burst)
	burst = nil
	if h.rests() {
		t.Error("returned in the middle of a burst")
	}
	if !h.rests() {
		t.Error("not returned after it")
	}
	_, before := heapBytes()
	debug.FreeOSMemory()
	h.rested()
	if h.live > before-4*spareBytes+spareBytes/2 {
		t.Errorf("%d bytes stay of %d", h.live, before)
	}
	if h.rests() {
		t.Error("returned twice")
	}
}
