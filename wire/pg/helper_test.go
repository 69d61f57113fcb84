package pg

import (
	"encoding/hex"
	"strings"
	"testing"
)

// unhex reads spaced hex; blanks and line ends only group the fields.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// collect returns a slice and a function that appends copies to it.
func collect() (*[]string, func([]byte)) {
	var got []string
	return &got, func(b []byte) { got = append(got, string(b)) }
}
