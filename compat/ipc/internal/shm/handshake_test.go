package shm

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// TestConnectRequest reads what stock libcmap sends, garbage in the holes
// included.
func TestConnectRequest(t *testing.T) {
	b := unhex("ffffffff fc7f0000 18000000 00000000 00001000 55550000")
	var req ConnectRequest
	if n, err := req.Decode(b); n != RequestLen || err != nil || req.MaxMessage != 1<<20 {
		t.Errorf("Decode = %d, %v, %+v", n, err, req)
	}
	want := unhex("ffffffff 00000000 18000000 00000000 00001000 00000000")
	if diff := cmp.Diff(want, req.Append(nil)); diff != "" {
		t.Errorf("Append (-want +got):\n%s", diff)
	}
	for n := range b {
		if _, err := req.Decode(b[:n]); err == nil {
			t.Errorf("accepted %d bytes", n)
		}
	}
	b[0] = 0
	if _, err := req.Decode(b); err == nil {
		t.Error("accepted id 0xffffff00")
	}
}

func TestConnectResponse(t *testing.T) {
	res := ConnectResponse{Transport: TypeSHM, MaxMessage: 0x100000, Connection: 0x0102030405060708,
		Request: "/dev/shm/a/r", Response: "/dev/shm/a/s", Event: "/dev/shm/a/e"}
	want := make([]byte, ResponseLen)
	copy(want, unhex("ffffffff 00000000 28300000 00000000 00000000 00000000 01000000 00001000 0807060504030201"))
	copy(want[40:], res.Request)
	copy(want[4136:], res.Response)
	copy(want[8232:], res.Event)
	b := res.Append(nil)
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("Append (-want +got):\n%s", diff)
	}
	var got ConnectResponse
	if n, err := got.Decode(b); n != ResponseLen || err != nil || got != res {
		t.Errorf("Decode = %d, %v, %+v", n, err, got)
	}
	for n := range b {
		if _, err := got.Decode(b[:n]); err == nil {
			t.Fatalf("accepted %d bytes", n)
		}
	}
	b[24] = 0
	if _, err := got.Decode(b); err != nil || got.Transport != TypeSocket {
		t.Errorf("the socket transport: %+v, %v", got, err)
	}
	for _, transport := range []byte{2, 3, 4} {
		b[24] = transport
		if _, err := got.Decode(b); err == nil {
			t.Errorf("accepted transport %d", transport)
		}
	}
}

func TestRefusal(t *testing.T) {
	b := (&ConnectResponse{Errno: 13, Request: "not to be told"}).Append(nil)
	want := make([]byte, ResponseLen)
	copy(want, unhex("ffffffff 00000000 28300000 00000000 f3ffffff"))
	if !bytes.Equal(want, b) {
		t.Errorf("refusal % x…", b[:64])
	}
	copy(b[24:], bytes.Repeat([]byte{0xaa}, 1000)) // libqb before 1.9
	var got ConnectResponse
	if _, err := got.Decode(b); err != nil || got != (ConnectResponse{Errno: 13}) {
		t.Errorf("Decode = %v, %+v", err, got)
	}
}

func TestAbstractName(t *testing.T) {
	got, err := AbstractName("cmap")
	if err != nil || len(got) != 108 || strings.TrimRight(got, "\x00") != "@cmap" {
		t.Errorf("AbstractName = %q, %v", got, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 107)} {
		if _, err := AbstractName(bad); err == nil {
			t.Errorf("accepted a name of %d bytes", len(bad))
		}
	}
}
