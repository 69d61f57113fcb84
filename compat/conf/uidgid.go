package conf

import (
	"fmt"
	"math"
	"path/filepath"
)

// grantItem stores a key of a file in uidgid.d
// (exec/coroparse.c:uidgid_config_parser_cb).
func (p *parser) grantItem(path, value string) *Error {
	switch path {
	case "uidgid.uid":
		return p.grant(false, value)
	case "uidgid.gid":
		return p.grant(true, value)
	}
	return p.fail(path, "uidgid: Only uid and gid are allowed items")
}

// grant gives a user or group access to the daemon. A number stands for
// itself, a name is looked up (uid_determine, gid_determine).
func (p *parser) grant(group bool, value string) *Error {
	what, file := "user", "/etc/passwd"
	kind := "uid"
	if group {
		what, file, kind = "group", "/etc/group", "gid"
	}
	var id uint32
	if n, ok := parseRange(value, math.MinInt64, math.MaxInt64); ok && 0 <= n && n <= math.MaxUint32 {
		id = uint32(n)
	} else if id, ok = p.env.lookup(group, value); !ok {
		return p.fail("", "The '%s' %s is not found in %s, please read the documentation.", value, what, file)
	}
	if id == math.MaxUint32 { // the reference's mark for a failure that left no text
		return p.fail("", "")
	}
	k := Key{Name: fmt.Sprintf("uidgid.config.%s.%d", kind, id), Type: TypeU8, Num: 1, Line: p.line}
	if p.granting {
		k.Line = 0
	}
	p.keys.set(k) // granting twice is no finding
	return nil
}

// readGrants reads the files of the directory uidgid.d beside the main file
// (read_uidgid_files_into_icmap).
func readGrants(mainFile string, env *Env, keys *keyMap) *Error {
	dir := filepath.Dir(mainFile) + "/uidgid.d"
	for _, name := range env.listDir(dir) {
		file := dir + "/" + name
		data, err := env.readFile(file, maxFile+1)
		if err != nil {
			continue
		}
		p := newParser(file, env, keys)
		p.granting = true
		if e := p.parse(data); e != nil {
			return e
		}
	}
	return nil
}
