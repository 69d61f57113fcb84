// Package knet encodes and decodes kronosnet packets byte for byte: the
// packets themselves, the envelope that authenticates and encrypts them, and
// the compression of the messages they carry.
//
// One UDP datagram carries one packet, inside the envelope if there is one:
//
//	none/none   packet
//	none/HASH   packet | HMAC(packet)
//	AES/HASH    IV 16 | AES-CBC(packet, PKCS#7 padding) | HMAC(IV, ciphertext)
//
// Every packet starts with the same six bytes; the type says what follows:
//
//	version 1 | type 1 | node 2 | pad 2
//	DATA   seq 2 | compress 1 | pad 1 | bcast 1 | frag_num 1 | frag_seq 1 | channel 1 | bytes
//	PING   link 1 | time 16 | seq 2 | timed 1          (PONG is its echo)
//	PMTUD  link 1 | size 2 | fill                      (the reply has no fill)
//
// Node and sequence numbers are big-endian, the probe size is in the prober's
// own order (little-endian on every machine that matters), the time stamp is
// opaque to everybody but its sender.
//
// A sender compresses a whole message, numbers it, cuts it into fragments and
// seals each fragment; a receiver does the reverse in the reverse order. State
// that spans packets (duplicate window, reassembly, links) is daemon/link's.
//
// Reference: libknet/onwire.h, libknet/crypto.c, libknet/crypto_openssl.c,
// libknet/compress.c (1.25; the layouts are the same in 1.20 to 1.35).
//
// Not here: SCTP's framing, AES-CTR and the version negotiation of the
// unreleased 2.x line. A new packet type gets a constant in header.go and a
// file with its struct, Decode and Append; a new compression method a row in
// the table of compress.go.
package knet
