package link

import "math"

// LinkStats counts what happened on one link since start or
// [Links.ClearStats]. Bytes sent are datagrams as they leave, bytes received are
// counted after the envelope was opened, both as in the reference
// (struct knet_link_stats).
type LinkStats struct {
	TxDataPackets, RxDataPackets, TxDataBytes, RxDataBytes uint64
	TxPingPackets, RxPingPackets, TxPingBytes, RxPingBytes uint64
	TxPongPackets, RxPongPackets, TxPongBytes, RxPongBytes uint64
	// Probes; what is received counts probes and replies, what is sent only
	// probes.
	TxPMTUPackets, RxPMTUPackets, TxPMTUBytes, RxPMTUBytes uint64

	TxDataErrors, TxPingErrors, TxPongErrors, TxPMTUErrors     uint32
	TxDataRetries, TxPingRetries, TxPongRetries, TxPMTURetries uint32

	// Latencies are averages over the samples in microseconds; LatencyMin is
	// 2^32-1 until there is one.
	LatencyMin, LatencyMax, LatencyAve, LatencySamples uint32
	DownCount, UpCount                                 uint32
}

// newLinkStats is what a link starts with: enabling it counts as a first down.
func newLinkStats() LinkStats { return LinkStats{LatencyMin: math.MaxUint32, DownCount: 1} }

func newLoopStats() LinkStats { return LinkStats{LatencyMin: math.MaxUint32} }

// Stats counts for all links together (struct knet_handle_stats). The
// reference also measures the time that crypto and compression take; here
// nobody looks at a clock.
type Stats struct {
	TxUncompressedPackets                                                 uint64
	TxCompressedPackets, TxCompressedOriginalBytes, TxCompressedSizeBytes uint64
	RxCompressedPackets, RxCompressedOriginalBytes, RxCompressedSizeBytes uint64
	TxCryptPackets, TxCryptByteOverhead /* of data */, RxCryptPackets/* data */ uint64

	// Dropped counts packets and messages by [Cause].
	Dropped [numCauses]uint64
}

// A Value is one statistics key: its name after the prefix, its width in bits
// (8, 32, 64) and its value.
type Value struct {
	Name string
	Bits int
	Num  uint64
}

// Values appends the keys under stats.knet.nodeN.linkL. of cmap, with the
// reference's names and widths (services.md 7.6, exec/stats.c). One of them is
// misnamed there: rx_total_retries counts sending.
func (s *LinkStatus) Values(v []Value) []Value {
	v = append(v, Value{"enabled", 8, bit(s.Enabled)}, Value{"connected", 8, bit(s.Connected)}, Value{"mtu", 32, uint64(s.MTU)})
	add := func(bits int, name string, n uint64) { v = append(v, Value{name, bits, n}) }
	add(64, "tx_data_packets", s.TxDataPackets)
	add(64, "rx_data_packets", s.RxDataPackets)
	add(64, "tx_data_bytes", s.TxDataBytes)
	add(64, "rx_data_bytes", s.RxDataBytes)
	add(64, "tx_ping_packets", s.TxPingPackets)
	add(64, "rx_ping_packets", s.RxPingPackets)
	add(64, "tx_ping_bytes", s.TxPingBytes)
	add(64, "rx_ping_bytes", s.RxPingBytes)
	add(64, "tx_pong_packets", s.TxPongPackets)
	add(64, "rx_pong_packets", s.RxPongPackets)
	add(64, "tx_pong_bytes", s.TxPongBytes)
	add(64, "rx_pong_bytes", s.RxPongBytes)
	add(64, "tx_pmtu_packets", s.TxPMTUPackets)
	add(64, "rx_pmtu_packets", s.RxPMTUPackets)
	add(64, "tx_pmtu_bytes", s.TxPMTUBytes)
	add(64, "rx_pmtu_bytes", s.RxPMTUBytes)
	add(64, "tx_total_packets", s.TxDataPackets+s.TxPingPackets+s.TxPongPackets+s.TxPMTUPackets)
	add(64, "rx_total_packets", s.RxDataPackets+s.RxPingPackets+s.RxPongPackets+s.RxPMTUPackets)
	add(64, "tx_total_bytes", s.TxDataBytes+s.TxPingBytes+s.TxPongBytes+s.TxPMTUBytes)
	add(64, "rx_total_bytes", s.RxDataBytes+s.RxPingBytes+s.RxPongBytes+s.RxPMTUBytes)
	add(64, "tx_total_errors", uint64(s.TxDataErrors)+uint64(s.TxPingErrors)+uint64(s.TxPongErrors)+uint64(s.TxPMTUErrors))
	add(64, "rx_total_retries", uint64(s.TxDataRetries)+uint64(s.TxPingRetries)+uint64(s.TxPongRetries)+uint64(s.TxPMTURetries))
	add(32, "tx_pmtu_errors", uint64(s.TxPMTUErrors))
	add(32, "tx_pmtu_retries", uint64(s.TxPMTURetries))
	add(32, "tx_ping_errors", uint64(s.TxPingErrors))
	add(32, "tx_ping_retries", uint64(s.TxPingRetries))
	add(32, "tx_pong_errors", uint64(s.TxPongErrors))
	add(32, "tx_pong_retries", uint64(s.TxPongRetries))
	add(32, "tx_data_errors", uint64(s.TxDataErrors))
	add(32, "tx_data_retries", uint64(s.TxDataRetries))
	add(32, "latency_min", uint64(s.LatencyMin))
	add(32, "latency_max", uint64(s.LatencyMax))
	add(32, "latency_ave", uint64(s.LatencyAve))
	add(32, "latency_samples", uint64(s.LatencySamples))
	add(32, "down_count", uint64(s.DownCount))
	add(32, "up_count", uint64(s.UpCount))
	return v
}

// Values appends the keys under stats.knet.handle. of cmap. Times nobody
// measured have the values of an idle reference: the least is 2^64-1, the others
// 0.
func (s *Stats) Values(v []Value) []Value {
	add := func(name string, n uint64) { v = append(v, Value{name, 64, n}) }
	times := func(prefix string) {
		add(prefix+"_time_min", math.MaxUint64)
		add(prefix+"_time_max", 0)
		add(prefix+"_time_ave", 0)
	}
	add("tx_uncompressed_packets", s.TxUncompressedPackets)
	add("tx_compressed_packets", s.TxCompressedPackets)
	add("tx_compressed_original_bytes", s.TxCompressedOriginalBytes)
	add("tx_compressed_size_bytes", s.TxCompressedSizeBytes)
	times("tx_compress")
	add("rx_compressed_packets", s.RxCompressedPackets)
	add("rx_compressed_original_bytes", s.RxCompressedOriginalBytes)
	add("rx_compressed_size_bytes", s.RxCompressedSizeBytes)
	times("rx_compress")
	add("tx_crypt_packets", s.TxCryptPackets)
	add("tx_crypt_byte_overhead", s.TxCryptByteOverhead)
	times("tx_crypt")
	add("rx_crypt_packets", s.RxCryptPackets)
	times("rx_crypt")
	return v
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
