package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's configuration must be one that works.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```toml\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("no TOML in the README")
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "authkey")
	if err := os.WriteFile(key, make([]byte, 256), 0o400); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/etc/corosync/authkey", key, "192.0.2.1", "127.0.0.1").Replace(string(m[1]))
	file := filepath.Join(dir, "node.toml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, stdout, _ := commandLine("check", file); status != 0 {
		t.Errorf("status %d: %s", status, stdout)
	}
}
