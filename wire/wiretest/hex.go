// Package wiretest is what tests of byte formats share.
package wiretest

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Unhex reads a fixture: hexadecimal, with blanks and line ends between fields.
func Unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatalf("fixture: %v", err)
	}
	return b
}
