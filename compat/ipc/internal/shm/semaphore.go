package shm

import "sync/atomic"

// A semaphore is glibc's sem_t on a 64-bit machine: the value in the low half
// of a 64-bit word, the number of waiters in the high half (nptl: struct
// new_sem). One end posts and the other takes. The taker is alone, so it may
// subtract where glibc compares and swaps, and neither end ever loops however
// the other one scribbles.
type semaphore struct{ word *atomic.Uint64 }

const oneWaiter = 1 << 32

func (s semaphore) value() uint32 { return uint32(s.word.Load()) }

// post adds one unit and reports whether somebody must be woken (sem_post).
// What was stored before it is seen by who has seen the unit.
func (s semaphore) post() (wake bool) { return s.word.Add(1) >= oneWaiter }

// take takes one unit; the caller has seen one (sem_trywait).
func (s semaphore) take() { s.word.Add(^uint64(0)) }

// enter and leave surround a sleep: while a waiter is counted, every post wakes
// (sem_clockwait, __new_sem_wait_slow64).
func (s semaphore) enter() { s.word.Add(oneWaiter) }
func (s semaphore) leave() { s.word.Add(^uint64(oneWaiter) + 1) }
