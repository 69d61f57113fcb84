package knet

import "testing"

// The reference's table of sizes (4.5), measured against the C library.
func TestSizes(t *testing.T) {
	ciphered := []string{"aes128", "aes192", "aes256"}
	tests := []struct {
		ciphers []string
		hash    string
		// data MTU: 1.x global minimum, initial v4 and v6, 1500 v4 and v6, 9000 v4, lo
		globalMin, initV4, initV6, v4, v6, jumbo, lo int
		ping, reply, probe                           int
	}{
		{[]string{"none"}, "none", 482, 522, 1206, 1446, 1426, 8946, 65481, 26, 9, 1500},
		{[]string{"none"}, "md5", 466, 506, 1190, 1430, 1410, 8930, 65465, 42, 25, 1500},
		{[]string{"none"}, "sha1", 462, 502, 1186, 1426, 1406, 8926, 65461, 46, 29, 1500},
		{[]string{"none"}, "sha256", 450, 490, 1174, 1414, 1394, 8914, 65449, 58, 41, 1500},
		{[]string{"none"}, "sha384", 434, 474, 1158, 1398, 1378, 8898, 65433, 74, 57, 1500},
		{[]string{"none"}, "sha512", 418, 458, 1142, 1382, 1362, 8882, 65417, 90, 73, 1500},
		{ciphered, "md5", 437, 485, 1173, 1413, 1381, 8901, 65445, 64, 48, 1500},
		{ciphered, "sha1", 437, 485, 1157, 1397, 1381, 8901, 65429, 68, 52, 1488},
		{ciphered, "sha256", 421, 469, 1157, 1397, 1365, 8885, 65429, 80, 64, 1500},
		{ciphered, "sha384", 405, 453, 1141, 1381, 1349, 8869, 65413, 96, 80, 1500},
		{ciphered, "sha512", 389, 437, 1125, 1365, 1333, 8853, 65397, 112, 96, 1500},
	}
	const v4, v6 = 28, 48
	for _, tt := range tests {
		for _, cipher := range tt.ciphers {
			c := newCrypto(t, cipher, tt.hash)
			for _, x := range []struct {
				name      string
				got, want int
			}{
				{"global minimum", c.DataMTU(576 - 40 - v4), tt.globalMin},
				{"initial v4", c.DataMTU(576 - v4), tt.initV4},
				{"initial v6", c.DataMTU(1280 - v6), tt.initV6},
				{"1500 v4", c.DataMTU(1500 - v4), tt.v4},
				{"1500 v6", c.DataMTU(1500 - v6), tt.v6},
				{"9000 v4", c.DataMTU(9000 - v4), tt.jumbo},
				{"65535 v4", c.DataMTU(65535 - v4), tt.lo},
				{"ping", c.WireLen(PingLen), tt.ping},
				{"reply", c.WireLen(PMTUDLen), tt.reply},
				{"probe", c.WireLen(c.DataMTU(1500-v4)+HeaderAllLen) + v4, tt.probe},
			} {
				if x.got != x.want {
					t.Errorf("%s/%s: %s: %d, want %d", cipher, tt.hash, x.name, x.got, x.want)
				}
			}
		}
	}
}
