package conf

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestBeside: the same cluster in both languages differs in nothing; what a tool
// has changed is named.
func TestBeside(t *testing.T) {
	text := withNodes(3, "quorum {\nprovider: corosync_votequorum\n}\n")
	keys, err := ParseCorosync(strings.NewReader(text), "corosync.conf")
	if err != nil {
		t.Fatal(err)
	}
	document, err := ToTOML(keys)
	if err != nil {
		t.Fatal(err)
	}
	running := loaded(t, string(document))
	host := tomlHost(string(document))
	if !RunsTOML("node.toml", host) || RunsTOML("node.toml", tomlHost(text)) || RunsTOML("missing", host) {
		t.Error("which is TOML?")
	}
	for _, tt := range []struct {
		name, text string
		want       []string
		refused    bool
	}{
		{"the same", text, nil, false},
		{"a token", strings.Replace(text, "version: 2", "version: 2\ntoken: 5000", 1), []string{"totem.token"}, false},
		{"a node less", withNodes(2, ""), []string{
			"nodelist.node.2.name", "nodelist.node.2.nodeid", "nodelist.node.2.ring0_addr", "quorum.provider"}, false},
		{"garbage", "}", nil, true},
	} {
		got, err := Beside("node.toml", tomlHost(tt.text), running)
		if !slices.Equal(got, tt.want) || (err != nil) != tt.refused {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	none := tomlHost("")
	none.ReadFile = func(string, int) ([]byte, error) { return nil, syscall.ENOENT }
	if got, err := Beside("node.toml", none, running); got != nil || err != nil {
		t.Errorf("no file: %q, %v", got, err)
	}
}
