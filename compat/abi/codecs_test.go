package abi

import "strings"

// A codec is what every message type of this package is.
type codec interface {
	Decode(b []byte) (n int, err error)
	Append(b []byte) []byte
}

// codecs lists every message type once: FuzzMessages and the tests of the
// common properties run over it. Add rows at the end: the fuzz corpus names
// them by index.
var codecs = []struct {
	name   string
	new    func() codec
	sample string // one valid message with zero padding, in hexadecimal
}{
	{"cpg join", func() codec { return new(CPGJoin) },
		h16(0, 168) + g1 + "e176000000000000 0100000000000000"},
	{"cpg leave", func() codec { return new(CPGLeave) },
		h16(1, 160) + g1 + "e176000000000000"},
	{"cpg mcast", func() codec { return new(CPGMcast) },
		h24(2, 45, 0) + "0200000000000000 0500000000000000 68656c6c6f"},
	{"cpg partial mcast", func() codec { return new(CPGPartial) },
		h24(12, 61, 0) + "0200000000000000 0700000000000000 0500000000000000 0300000000000000 68656c6c6f"},
	{"cpg membership", func() codec { return new(CPGMembership) },
		h16(3, 152) + g1},
	{"cpg iteration initialize", func() codec { return new(CPGIterInit) },
		h16(5, 160) + g1 + "0200000000000000"},
	{"cpg iteration next", func() codec { return new(CPGIter) },
		h16(6, 24) + "0807060504030201"},
	{"cpg iteration finalize", func() codec { return new(CPGIter) },
		h16(7, 24) + "0807060504030201"},
	{"cpg iteration item", func() codec { return new(CPGIterItem) },
		h24(10, 168, 1) + g1 + "03000000 e1760000"},
	{"cpg members", func() codec { return new(CPGMembers) },
		h24(3, 9248, 1) + "0100000000000000" + address(3, 0) + repeat("00", 9248-56)},
	{"cpg deliver", func() codec { return new(CPGDeliver) },
		h24(5, 189, 1) + g1 + "0500000000000000 0300000000000000 e176000000000000 68656c6c6f"},
	{"cpg partial deliver", func() codec { return new(CPGPartialDeliver) },
		h24(17, 205, 1) + g1 + "0700000000000000 0500000000000000 0300000000000000" +
			"e176000000000000 0100000000000000 68656c6c6f"},
	{"cpg change", func() codec { return new(CPGChange) },
		h24(4, 184+24*4, 1) + g1 + "0200000000000000 0100000000000000 0100000000000000" +
			address(1, 0) + address(2, 0) + address(3, 5) + address(2, 1)},
	{"cpg ring", func() codec { return new(CPGRing) },
		h24(13, 48+8, 1) + "0100000000000000 0d00000000000000 02000000 01000000 02000000 00000000"},
	{"quorum trackstart", func() codec { return new(QuorumWord) },
		h16(1, 24) + "0200000000000000"},
	{"quorum model", func() codec { return new(QuorumWord) },
		h16(4, 24) + "0100000000000000"},
	{"quorum v0", func() codec { return new(QuorumChange) },
		h24(3, 48+8, 1) + "0100000000000000 0d00000000000000 02000000 01000000 02000000 00000000"},
	{"quorum v1", func() codec { return new(QuorumChange) },
		h24(6, 56+8, 1) + "0100000000000000 0100000000000000 0d00000000000000" +
			"02000000 01000000 02000000 00000000"},
	{"quorum nodelist", func() codec { return new(QuorumNodes) },
		h24(7, 64+16, 1) + "0100000000000000 0d00000000000000" +
			"0200000000000000 0100000000000000 01000000" +
			"01000000 02000000 02000000 03000000 00000000"},
	{"cmap set", func() codec { return new(CmapSetRequest) },
		h16(0, 300) + keyAB + "0400000000000000 0600000000000000 01020304"},
	{"cmap delete", func() codec { return &CmapKeyRequest{ID: CmapDeleteID} },
		h16(1, 280) + keyAB},
	{"cmap get", func() codec { return new(CmapGetRequest) },
		h16(2, 288) + keyAB + "1000000000000000"},
	{"cmap get response", func() codec { return new(CmapGetResponse) },
		h24(2, 40+16, 1) + "0400000000000000 0600000000000000 01020304" + repeat("00", 12)},
	{"cmap adjust", func() codec { return new(CmapAdjustRequest) },
		h16(3, 288) + keyAB + "ffffffff00000000"},
	{"cmap iter init", func() codec { return &CmapKeyRequest{ID: CmapIterInitID} },
		h16(4, 280) + keyAB},
	{"cmap iter init response", func() codec { return &CmapHandleResponse{ID: CmapIterInitID} },
		h24(4, 32, 1) + "0807060504030201"},
	{"cmap iter next", func() codec { return &CmapHandleRequest{ID: CmapIterNextID} },
		h16(5, 24) + "0807060504030201"},
	{"cmap iter next response", func() codec { return new(CmapIterNextResponse) },
		h24(5, 304, 1) + keyAB + "0400000000000000 0600000000000000"},
	{"cmap track add", func() codec { return new(CmapTrackAddRequest) },
		h16(7, 296) + keyAB + "0f00000000000000 0807060504030201"},
	{"cmap track add response", func() codec { return &CmapHandleResponse{ID: CmapTrackAddID} },
		h24(7, 32, 1) + "0807060504030201"},
	{"cmap notify", func() codec { return new(CmapNotify) },
		h24(9, 336+4+2, 1) + "0807060504030201" + keyAB + "0200000000000000 0600000000000000 0b00000000000000" +
			"0400000000000000 0200000000000000 01020304 6100"},
	{"cmap set current map", func() codec { return new(CmapSetMapRequest) },
		h16(9, 24) + "0100000000000000"},
	{"cfg ring status", func() codec { return new(CfgRingStatus) },
		h24(0, 10272, 1) + "0200000000000000" +
			"3020312e322e332e34" + repeat("00", 128-9) + "3120352e362e372e38" + repeat("00", 15*128-9) +
			"6e33" + repeat("00", 512-2) + "6e64" + repeat("00", 15*512-2)},
	{"cfg kill node", func() codec { return new(CfgKillNodeRequest) },
		h16(2, 288) + "0300000000000000 0500 7465737400" + repeat("00", 288-31)},
	{"cfg try shutdown", func() codec { return &CfgWordRequest{ID: CfgTryShutdownID} },
		h16(3, 24) + "0100000000000000"},
	{"cfg node status request", func() codec { return new(CfgNodeStatusRequest) },
		h16(9, 32) + "0300000000000000 0100000000000000"},
	{"cfg node status", func() codec { return new(CfgNodeStatus) },
		h24(16, 4200, 1) + "01000000 03000000 01 00 01 01 02 01 0000" +
			"01 01 00 00 bd050000 61" + repeat("00", 255) + "62" + repeat("00", 255) +
			"01 00 01 00 00000000" + repeat("00", 512) + repeat("00", 6*520)},
	{"cfg node addrs", func() codec { return new(CfgNodeAddrs) },
		h24(11, 32+32, 1) + "02000000 02000000" + "0a000001" + repeat("00", 12) + "0a010001" + repeat("00", 12)},
	{"cfg node addrs, IPv6", func() codec { return new(CfgNodeAddrs) },
		h24(11, 32+16, 1) + "0a000000 01000000" + "fd00000000000000000000000000000a"},
	{"votequorum get info", func() codec { return &VoteWordRequest{ID: VoteGetInfoID} },
		h16(0, 24) + "0300000000000000"},
	{"votequorum set expected", func() codec { return &VoteWordRequest{ID: VoteSetExpectedID} },
		h16(1, 24) + "0300000000000000"},
	{"votequorum set votes", func() codec { return new(VoteSetVotesRequest) },
		h16(2, 24) + "02000000 03000000"},
	{"votequorum track start", func() codec { return new(VoteTrackStartRequest) },
		h16(3, 32) + "0807060504030201 0200000000000000"},
	{"votequorum device register", func() codec { return &VoteDeviceRequest{ID: VoteDeviceRegisterID} },
		h16(5, 272) + "5144" + repeat("00", 254)},
	{"votequorum device update", func() codec { return new(VoteDeviceUpdateRequest) },
		h16(7, 528) + "6162" + repeat("00", 253) + "6364" + repeat("00", 255)},
	{"votequorum device poll", func() codec { return new(VoteDevicePollRequest) },
		h16(8, 296) + "5144" + repeat("00", 254) + "0100000000000000 0100000000000000 0d00000000000000"},
	{"votequorum master wins", func() codec { return new(VoteMasterWinsRequest) },
		h16(9, 280) + "5144" + repeat("00", 254) + "0100000000000000"},
	{"votequorum info", func() codec { return new(VoteInfo) },
		h24(1, 320, 1) + "01000000 01000000 01000000 03000000 03000000 03000000 02000000 02000000 01000000" +
			"5144" + repeat("00", 258)},
	{"votequorum quorum", func() codec { return new(VoteQuorum) },
		h24(3, 48+16, 1) + "0100000000000000 0807060504030201 0200000000000000 01000000 01000000 02000000 02000000"},
	{"votequorum expected", func() codec { return new(VoteExpected) },
		h24(4, 40, 1) + "0807060504030201 0500000000000000"},
	{"votequorum node list", func() codec { return new(VoteNodeList) },
		h24(5, 56+8, 1) + "0807060504030201 0100000000000000 0d00000000000000 0200000000000000 01000000 02000000"},
	{"cpg zero-copy alloc", func() codec { return new(CPGZeroAlloc) },
		h16(9, 152) + "2004000000000000 2f6465762f73686d2f 636f726f73796e635f7a65726f636f70792d 416243783132" + repeat("00", 128-33)},
	{"cpg zero-copy free", func() codec { return new(CPGZeroFree) },
		h16(10, 32) + "2004000000000000 0807060504030201"},
	{"cpg zero-copy execute", func() codec { return new(CPGZeroExecute) },
		h16(11, 24) + "0807060504030201"},
	{"offload hello", func() codec { return new(OffloadHello) },
		h16(64, 24) + "0100000000000000"},
	{"offload hello answer", func() codec { return new(OffloadHelloAnswer) },
		h24(64, 72, 1) + "01000000 02000000 0200000000000000 00000000000000000000ffffc0000201 20010db8000000000000000000000001"},
	{"offload certificate", func() codec { return new(OffloadCert) },
		h16(65, 48) + repeat("aa", 32)},
	{"offload certificate answer", func() codec { return new(OffloadCertAnswer) },
		h24(65, 37, 1) + "02000000 03000000 3001 313233"},
	{"offload announce", func() codec { return new(OffloadAnnounce) },
		h16(66, 16+104+24) + endpoint},
	{"offload submit", func() codec { return new(OffloadSubmit) },
		h16(67, 56) + view + "0900000000000000 03000000 00000000"},
	{"offload suspend", func() codec { return new(OffloadSuspend) },
		h16(68, 48) + view + "02000000 e1760000"},
	{"offload view", func() codec { return new(OffloadView) },
		h24(96, 24+136+40+8+128, 1) + g1 + view + "00000000 00000000 00000000 01000000  02000000 e1760000" + endpoint},
	{"offload no view", func() codec { return new(OffloadView) },
		h24(96, 24+136+40, 1) + g1 + repeat("00", 24) + "03000000 02000000 e1760000 00000000"},
	{"offload ordered", func() codec { return new(OffloadOrdered) },
		h24(97, 72, 1) + view + "02000000 e1760000 0900000000000000 03000000 00000000"},
	{"offload status", func() codec { return new(OffloadStatus) },
		h24(69, 32+152, 1) + "0100000000000000" + g1 + "02000000 03000000 02000000 e1760000"},
}

// view is epoch 7 of ring 1.d, endpoint one with a single address.
var view = word(1) + "0d00000000000000 0700000000000000"

var endpoint = repeat("aa", 32) + "7331" + repeat("00", 62) + word(1) + "00000000000000000000ffffc0000201 3930000000000000"

// keyAB is the cmap key "a.b" as it lies in messages.
var keyAB = "0300000000000000 612e62" + repeat("00", 253)

// g1 is the group name "g1" as it lies in messages.
var g1 = "0200000000000000 6731" + repeat("00", 126)

// h16 and h24 are a request's and a response's header.
func h16(id, size uint32) string { return word(id) + word(size) }

func h24(id, size, status uint32) string { return word(id) + word(size) + word(status) }

// address is process 30433 of a node.
func address(node, reason uint32) string { return word(node) + word(30433) + word(reason) }

// word is a number in its 8 bytes.
func word(v uint32) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for range 4 {
		s.WriteByte(digits[v>>4&15])
		s.WriteByte(digits[v&15])
		v >>= 8
	}
	return s.String() + "00000000 "
}

// repeat is strings.Repeat, short for fixtures.
func repeat(s string, n int) string { return strings.Repeat(s, n) }
