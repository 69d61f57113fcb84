package exec

import (
	"bytes"
	"strings"
	"testing"

	"cpgol/wire/wiretest"
)

func TestCfgKillNode(t *testing.T) {
	m := CfgKillNode{Node: 3, Reason: []byte("test\x00")}
	want := wiretest.Unhex(t, "01000100 00000000 20010000 00000000  03000000 00000000  0500 000000000000"+
		"74657374 00"+strings.Repeat("00", 251))
	if got := m.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("\n got %x\nwant %x", got, want)
	}
	if m.Text() != "test" {
		t.Errorf("text %q", m.Text())
	}

	// The reference's receivers print up to a NUL: there must be one.
	m.Reason = bytes.Repeat([]byte("x"), 300)
	b := m.Append(nil)
	if len(b) != cfgKillNodeLen || b[cfgKillNodeLen-1] != 0 {
		t.Errorf("%d bytes, the last %#x", len(b), b[len(b)-1])
	}
	if n, err := m.Decode(b); err != nil || n != cfgKillNodeLen || m.Text() != strings.Repeat("x", 255) {
		t.Errorf("Decode = %d, %v; text %q", n, err, m.Text())
	}

	want[24], want[25] = 1, 1 // 257 bytes of reason
	if _, err := m.Decode(want); err == nil {
		t.Error("reason of 257 bytes accepted")
	}
}

func TestCfgMade(t *testing.T) {
	for name, c := range map[string]struct {
		m    codec
		want string
	}{
		"reload":   {&CfgReload{Node: 1, Conn: 0x1122334455667788}, "03000100 00000000 20000000 00000000 01000000 00000000 8877665544332211"},
		"shutdown": {&CfgShutdown{}, "02000100 00000000 10000000 00000000"},
		"crypto":   {&CfgCrypto{Phase: CryptoActivate}, "04000100 00000000 18000000 00000000 01000000 00000000"},
	} {
		if got, want := c.m.Append(nil), wiretest.Unhex(t, c.want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, want)
		}
	}
}
