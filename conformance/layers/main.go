// Command layers checks the two rules that hold the house up: the layers below
// import nothing above, and nothing but the loop knows sockets and time.
//
// It reads import statements and calls from source, tests and their helpers left
// out, and prints
// every violation; status 1 if there is one.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A rule binds every package below a folder.
type rule struct {
	folder string
	own    []string // folders of this module that it may import
	pure   bool     // no sockets, files, clocks, goroutines' timers or global randomness
}

// The first rule whose folder matches holds.
var rules = []rule{
	{folder: "wire", own: []string{"wire"}, pure: true},
	{folder: "compat/abi", own: []string{"wire", "compat/abi"}, pure: true},
	{folder: "compat", own: []string{"wire", "compat"}},
	{folder: "daemon/engine", own: []string{"wire"}, pure: true},
	{folder: "daemon/link", own: []string{"wire"}, pure: true},
	{folder: "daemon/service", own: []string{"wire"}, pure: true},
	{folder: "daemon/sync", own: []string{"wire", "daemon/service"}, pure: true},
	{folder: "daemon/cpg", own: []string{"wire", "compat/abi", "daemon/service"}, pure: true},
	{folder: "daemon/quorum", own: []string{"wire", "compat/abi", "daemon/service"}, pure: true},
	{folder: "daemon/cmap", own: []string{"wire", "compat/abi", "daemon/service"}, pure: true},
	{folder: "daemon/cfg", own: []string{"wire", "compat/abi", "daemon/service", "daemon/cmap"}, pure: true},
	{folder: "daemon/resources", own: []string{"daemon/service", "daemon/cmap"}, pure: true},
	{folder: "daemon/offload", own: []string{"wire", "compat/abi", "daemon/service"}, pure: true},
	{folder: "daemon/net", own: []string{"wire", "daemon/link", "daemon/net"}},
	{folder: "daemon", own: []string{"wire", "compat", "daemon", "libcpg", "conformance/replay"}},
	{folder: "libcpg/internal/core", own: []string{"wire"}, pure: true},
	{folder: "libcpg", own: []string{"wire", "compat", "libcpg"}},
	{folder: "conformance", own: []string{"wire", "compat", "daemon", "libcpg", "conformance"}},
}

// impure are packages that a pure one must not import.
var impure = []string{"net", "os", "os/exec", "syscall", "golang.org/x/sys/unix", "crypto/rand", "log"}

// clocked are calls that a pure package must not make.
var clocked = []string{"time.Now", "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Since", "rand.Int", "rand.Uint64"}

func main() {
	bad := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "test") {
			return fs.SkipDir // helpers for tests, such as ringtest
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, r := range rules {
			if strings.HasPrefix(path, r.folder+"/") {
				n, err := r.check(path)
				bad += n
				return err
			}
		}
		fmt.Printf("%s: no rule for this folder\n", path)
		bad++
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "layers:", err)
		os.Exit(1)
	}
	if bad > 0 {
		os.Exit(1)
	}
}

func (r rule) check(path string) (bad int, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return 0, err
	}
	complain := func(what string) {
		fmt.Printf("%s: %s must not use %s\n", path, r.folder, what)
		bad++
	}
	for _, spec := range f.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if !r.allows(name) {
			complain(name)
		}
	}
	if !r.pure {
		return bad, nil
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				for _, c := range clocked {
					if x.Name+"."+s.Sel.Name == c {
						complain(c)
					}
				}
			}
		}
		return true
	})
	return bad, nil
}

func (r rule) allows(name string) bool {
	if own, ok := strings.CutPrefix(name, "cpgol/"); ok {
		for _, o := range r.own {
			if own == o || strings.HasPrefix(own, o+"/") {
				return true
			}
		}
		return false
	}
	if r.pure {
		for _, i := range impure {
			if name == i {
				return false
			}
		}
	}
	return true
}
