package exec

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
	sample string // one valid message in hexadecimal, spaces as you like
}{
	{"header", func() codec { return new(Header) }, "00000200 fc7f0000 a8000000 01020304"},
	{"response header", func() codec { return new(ResponseHeader) },
		"02000200 fc7f0000 a8000000 01020304 00000000 05060708"},
	{"barrier", func() codec { return new(Barrier) },
		"00000000 00000000 20000000 00000000  01000000 0d00000000000000 00000000"},
	{"service build", func() codec { return new(ServiceBuild) },
		"01000000 00000000 28020000 00000000  01000000 0d00000000000000 00000000" +
			"04000000 00000000  00000000 02000000 03000000 05000000" + repeat("00", 496)},
	{"procjoin", func() codec { return new(ProcChange) },
		"00000200 00000000 a8000000 00000000  02000000 00000000 6731" + repeat("00", 126) +
			"e1760000 00000000 01000000 00000000"},
	{"procleave", func() codec { return new(ProcChange) },
		"01000200 aaaaaaaa a8000000 bbbbbbbb  02000000 cccccccc 6731" + repeat("dd", 126) +
			"e1760000 eeeeeeee 05000000 ffffffff"},
	{"joinlist", func() codec { return new(JoinList) },
		"02000200 00000000 38010000 00000000 00000000 00000000" +
			"e1760000 00000000  02000000 00000000 6731" + repeat("00", 126) +
			"e2760000 01020304  80000000 05060708 " + repeat("78", 128)},
	{"mcast", func() codec { return new(Mcast) },
		"03000200 00000000 bd000000 00000000  03000000 00000000 673100" + repeat("ee", 125) +
			"05000000 11111111  e1760000 22222222" +
			"01000000 33333333 100e2e4a55550000  68656c6c6f"},
	{"partial mcast", func() codec { return new(PartialMcast) },
		"06000200 fc7f0000 cd000000 01020304  02000000 00000000 6731" + repeat("00", 126) +
			"07000000 11111111  05000000 22222222  e1760000 33333333  03000000 44444444" +
			"01000000 55555555 100e2e4a55550000  68656c6c6f"},
	{"downlist old", func() codec { return new(DownlistOld) },
		"04000200 00000000 18060000 00000000  00000000 00000000" + repeat("07000000", 384)},
	{"downlist", func() codec { return new(Downlist) },
		"05000200 00000000 20060000 00000000  03000000 00000000  01000000 00000000" +
			"03000000" + repeat("07000000", 383)},
	{"cmap version", func() codec { return new(CmapItems) },
		"00000000 00000000 50010000 00000000  00 11111111111111  01 22222222222222" +
			"00 33333333333333  00 44444444444444" +
			"1400 000000000000  746f74656d2e636f6e6669675f76657273696f6e" + repeat("00", 236) +
			"08 55555555555555  0800000000000000  0700000000000000"},
	{"cmap items", func() codec { return new(CmapItems) },
		"00000000 00000000 68020000 00000000  09 00000000000000  02 00000000000000" +
			"00 00000000000000  00 00000000000000" +
			"1400 111111111111  746f74656d2e636f6e6669675f76657273696f6e 00" + repeat("dd", 235) +
			"00 00000000000000  0000000000000000" +
			"0300 000000000000  612e62 00" + repeat("00", 252) +
			"63 00000000000000  0300000000000000  010203 eeeeeeeeee"},
	{"cfg ring reenable", func() codec { return new(CfgRingReenable) },
		"00000100 00000000 20000000 00000000  01000000 11111111 0807060504030201"},
	{"cfg kill node", func() codec { return new(CfgKillNode) },
		"01000100 11111111 20010000 22222222  03000000 33333333  0500 444444444444" +
			"74657374 00" + repeat("ee", 251)},
	{"cfg kill node, full", func() codec { return new(CfgKillNode) },
		"01000100 00000000 20010000 00000000  03000000 00000000  0001 000000000000" + repeat("78", 256)},
	{"cfg shutdown", func() codec { return new(CfgShutdown) }, "02000100 fc7f0000 10000000 01020304"},
	{"cfg reload", func() codec { return new(CfgReload) },
		"03000100 fc7f0000 20000000 01020304  01000000 05060708 f0e1d2c3b4a59687"},
	{"cfg crypto", func() codec { return new(CfgCrypto) },
		"04000100 fc7f0000 18000000 01020304  02000000 05060708"},
	{"votequorum node info", func() codec { return new(VoteNodeInfo) },
		"00000500 00000000 20000000 00000000  01000000  01000000  03000000  01000000"},
	{"votequorum reconfigure", func() codec { return new(VoteReconfigure) },
		"01000500 00000000 20000000 00000000  01000000  05000000  01 000000 deadbeef"},
	{"votequorum device", func() codec { return new(VoteDevice) },
		"02000500 fc7f0000 18010000 01020304  01000000  514465766963 6500" + repeat("ee", 247) + "0102030405"},
	{"votequorum device rename", func() codec { return new(VoteDeviceRename) },
		"03000500 fc7f0000 10020000 01020304  6100" + repeat("ee", 253) + "626200" + repeat("dd", 252) + "0102"},
	{"votequorum extra info", func() codec { return new(VoteExtraInfo) },
		"04000500 fc7f0000 1b000000 01020304  01000000  03000000  010203"},
}

// repeat is strings.Repeat, short for fixtures.
func repeat(s string, n int) string { return strings.Repeat(s, n) }
