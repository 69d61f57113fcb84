package live

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// traced returns a program that does what binary does and notes which functions
// of libraries it calls. When the test has passed, each function that one of the
// libraries has must have been called by some process.
func traced(t *testing.T, binary string, libraries ...string) string {
	t.Helper()
	dir := t.TempDir()
	wrapper := filepath.Join(dir, filepath.Base(binary))
	// The dynamic linker binds a function when it is first called, and tells.
	script := fmt.Sprintf("#!/bin/sh\nLD_DEBUG=bindings LD_DEBUG_OUTPUT=%s/calls exec %s \"$@\"\n", dir, binary)
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		part := strings.Contains(flag.Lookup("test.run").Value.String(), "/")
		if t.Failed() || t.Skipped() || part {
			return
		}
		called, err := callsOf(dir, binary)
		if err != nil {
			t.Error(err)
		}
		for _, library := range libraries {
			names, err := functions(library)
			if err != nil {
				t.Error(err)
			}
			var missing []string
			for _, name := range names {
				if !called[name] {
					missing = append(missing, name)
				}
			}
			if len(missing) > 0 {
				t.Errorf("lib%s: no script calls %v", library, missing)
			}
			t.Logf("lib%s: %d functions, %d called", library, len(names), len(names)-len(missing))
		}
	})
	return wrapper
}

var binding = regexp.MustCompile("binding file (\\S+) \\[\\d+\\] to \\S+/lib[a-z]+\\.so\\S* \\[\\d+\\]: normal symbol `(\\w+)'")

// callsOf reads what the linker told of binary's own calls.
func callsOf(dir, binary string) (map[string]bool, error) {
	called := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "calls.*"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for _, m := range binding.FindAllStringSubmatch(string(text), -1) {
			if m[1] == binary {
				called[m[2]] = true
			}
		}
	}
	return called, err
}

// functions lists what the installed library offers.
func functions(library string) (names []string, err error) {
	out, err := exec.Command("gcc", "-print-file-name=lib"+library+".so").Output()
	if err != nil {
		return nil, err
	}
	if out, err = exec.Command("nm", "-D", "--defined-only", strings.TrimSpace(string(out))).Output(); err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "T" {
			name, _, _ := strings.Cut(f[2], "@")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
