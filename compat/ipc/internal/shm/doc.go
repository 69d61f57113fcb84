// Package shm is the shared memory of one libqb IPC connection, as both ends
// see it: three one-way rings, the semaphores in their headers, the files that
// hold them, and the two messages of the handshake that names those files.
//
//	header file, 8248 bytes (the server makes it 8252)
//	  0     write_pt    word index where the writer puts its next chunk
//	  4     read_pt     word index of the oldest chunk
//	  8     word_size   N, the ring's length in 32-bit words
//	  12    hdr_path    4096, C string
//	  4108  data_path   4096, C string
//	  8204  ref_count   1 made, 2 attached, 0 closed
//	  8208  sem_t       32: value, waiters, 128 = shared between processes
//	  8240  user_data   flow-control word (request ring only)
//
//	data file, N words; a chunk at word p (all indices modulo N)
//	  p     length of the payload in bytes
//	  p+1   magic: a1a1a1a1 valid, a110ced0 being written, d0d0d0d0 taken
//	  p+2…  payload, padded to a word
//
// The other end is not trusted: it may write any byte of both files at any
// time, and cut the files short. [Reader] and [Writer] therefore keep their own
// cursor and geometry, load every shared word once, and bound it before use;
// [Memory.Guard] turns the fault of a file cut short into an error.
//
// Words are in the machine's order; the semaphore is glibc's on a 64-bit
// machine (musl's has the opposite selector, 32-bit glibc's another shape).
// The plain files (ring, semaphore, handshake) know no system calls.
//
// Reference: libqb lib/ringbuffer.c, lib/ringbuffer_int.h,
// lib/ringbuffer_helper.c, lib/unix.c, lib/ipc_int.h; glibc nptl/sem_post.c,
// nptl/sem_waitcommon.c.
package shm
