package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLines cuts like fgets with a buffer of 512 bytes.
func TestLines(t *testing.T) {
	long := strings.Repeat("x", 510)
	for _, c := range []struct {
		text string
		want []string // ! in front: too long
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a\nb", []string{"a", "b"}},
		{"a\r\nb\r", []string{"a", "b"}},
		{"a\r \n", []string{"a\r "}},
		{"\r\n", []string{""}},
		{long + "\n", []string{long}},
		{long, []string{long}},
		{long + "x\n", []string{"!" + long + "x", ""}},
		{long + "x", []string{"!" + long + "x"}},
		{"\x00rest\nb\n", []string{"", "b"}},
		{"a\x00rest\nb\n", []string{"!a", "b"}},
		{"a\x00rest", []string{"a"}}, // the end of the file excuses it
		{"\x00" + long + "yz\n", []string{"", "yz"}},
	} {
		var got []string
		for r := (lineReader{[]byte(c.text)}); ; {
			line, tooLong, ok := r.next()
			if !ok {
				break
			}
			if tooLong {
				line = append([]byte("!"), line...)
			}
			got = append(got, string(line))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%.20q: %s", c.text, diff)
		}
	}
}
