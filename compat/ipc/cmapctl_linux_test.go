package ipc_test

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"cpgol/compat/ipc"
)

// A miniCmap is as much of the cmap service as corosync-cmapctl needs to print a
// map of strings.
type miniCmap struct {
	keys, values []string
	at           int // of the one iterator
}

func (m *miniCmap) Accept(ipc.Credentials) syscall.Errno { return 0 }
func (m *miniCmap) Connected(*ipc.Conn)                  {}
func (m *miniCmap) Closed(*ipc.Conn)                     {}

func (m *miniCmap) Request(c *ipc.Conn, msg []byte) {
	const (
		ok         = 1
		noSections = 27
		typeString = 11
	)
	answer := func(id uint32, size int, status byte) []byte {
		b := message(id, size, nil)
		b[16] = status
		return b
	}
	switch binary.NativeEndian.Uint32(msg) {
	case 9: // set current map
		c.Respond(answer(10, 24, ok))
	case 4: // iter init
		m.at = 0
		c.Respond(answer(4, 32, ok))
	case 5: // iter next
		b := answer(5, 304, noSections)
		if m.at < len(m.keys) {
			b[16] = ok
			b[24] = byte(len(m.keys[m.at]))
			copy(b[32:], m.keys[m.at])
			b[288] = byte(len(m.values[m.at]) + 1)
			b[296] = typeString
			m.at++
		}
		c.Respond(b)
	case 6: // iter finalize
		c.Respond(answer(6, 24, ok))
	case 2: // get
		wanted := int(msg[280])
		b := answer(2, 40+wanted, ok)
		for i, key := range m.keys {
			if bytes.HasPrefix(msg[24:], []byte(key+"\x00")) {
				b[24] = byte(len(m.values[i]) + 1)
				b[32] = typeString
				copy(b[40:], m.values[i])
			}
		}
		c.Respond(b)
	}
}

// TestStockCmapctl lets a stock tool with stock libcmap print a map that is
// served from here. The name cmap is taken in a network namespace of its own.
func TestStockCmapctl(t *testing.T) { overBoth(t, testStockCmapctl) }

func testStockCmapctl(t *testing.T, via ipc.Transport) {
	path, err := exec.LookPath("corosync-cmapctl")
	if err != nil {
		t.Skip("no corosync-cmapctl")
	}
	l, _ := serve(t, newEcho(), ipc.Options{Transport: via})
	l.Isolate(t)
	var m miniCmap
	var want strings.Builder
	for _, key := range []string{"nodelist.node.0.name", "nodelist.node.0.ring0_addr", "totem.cluster_name", "totem.version"} {
		m.keys = append(m.keys, key)
		m.values = append(m.values, "value of "+key)
		want.WriteString(key + " (str) = value of " + key + "\n")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Stdout, cmd.Stderr = &out, &out
	l.Do(func() {
		if _, err = l.Server.Listen("cmap", &m); err == nil {
			err = cmd.Start()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != want.String() {
		t.Errorf("corosync-cmapctl: %v\n%s\nwant\n%s", err, out.String(), want.String())
	}
}
