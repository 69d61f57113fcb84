package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"unicode"

	"cpgol/compat/conf"
)

// Bounds of a secret key in bytes (libknet.h), and what corosync 2 uses of one.
const (
	minKey = 128
	maxKey = 4096
	oldKey = 128
)

// keyMode is a key file's mode (corosync-keygen).
const keyMode = 0o400

// keyReport tells of the secret key that a configuration names: its kind,
// length, owner and permissions, and if stock reads the same bytes. The key
// itself is not shown.
func keyReport(doc *conf.Document, config fs.FileInfo, env conf.Env) []string {
	file, inline, used := conf.KeySource(doc.Keys, env)
	switch {
	case !used:
		return []string{"none is read: the ring is neither encrypted nor signed"}
	case file == "":
		lines := []string{fmt.Sprintf("in the configuration (totem.key): %d characters and the zero byte behind them, which corosync "+
			"and cpgold both take for part of it: %s", len(inline)-1, lengthOf(len(inline), doc.Dialect))}
		if config.Mode().Perm()&0o077 != 0 {
			lines = append(lines, fmt.Sprintf("others than the owner may read it with the configuration (mode %04o): chmod 0600", config.Mode().Perm()))
		}
		return lines
	}
	return keyFileReport(file, doc.Dialect)
}

func keyFileReport(file string, dialect int) []string {
	s, err := readSource(file)
	if err != nil {
		var why *fs.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return []string{fmt.Sprintf("%s: %v: neither corosync nor cpgold would start", file, err)}
	}
	kind := "random bytes"
	if isText(s.data) {
		kind = "text"
	}
	owner := "?"
	st, _ := s.info.Sys().(*syscall.Stat_t)
	if st != nil {
		owner = ownerName(st.Uid)
	}
	lines := []string{fmt.Sprintf("%s: %s, %d bytes, owner %s, mode %04o: %s", file, kind, s.info.Size(), owner, s.info.Mode().Perm(),
		lengthOf(int(min(s.info.Size(), 1<<30)), dialect))}
	if kind == "text" && len(s.data) > 0 && s.data[len(s.data)-1] == '\n' {
		lines = append(lines, file+": the line end is part of the key; as text in the configuration it would be another key")
	}
	if s.info.Mode().Perm()&0o077 != 0 {
		lines = append(lines, fmt.Sprintf("%s: others than the owner may read or change it: chmod %04o", file, keyMode))
	}
	if st != nil && st.Uid != 0 {
		lines = append(lines, file+": not owned by root: chown root")
	}
	if !filepath.IsAbs(file) {
		lines = append(lines, file+": looked for from where the daemon is started: give the whole path")
	}
	if real, err := filepath.EvalSymlinks(file); err == nil && filepath.IsAbs(file) && real != file {
		lines = append(lines, fmt.Sprintf("%s: a link to %s", file, real))
	}
	return lines
}

// lengthOf says which bytes of a key count.
func lengthOf(n, dialect int) string {
	switch {
	case n < minKey:
		return fmt.Sprintf("too short, at least %d bytes are needed: neither corosync nor cpgold would start", minKey)
	case dialect == 2 && n != oldKey:
		return fmt.Sprintf("corosync 2 uses the first %d bytes only, corosync 3 and cpgold use %d: cut the key on all nodes, or make a new one",
			oldKey, min(n, maxKey))
	case n > maxKey:
		return fmt.Sprintf("corosync and cpgold read the same first %d bytes, and no more", maxKey)
	}
	return fmt.Sprintf("corosync and cpgold read the same %d bytes", n)
}

func isText(data []byte) bool {
	for _, c := range data {
		if c >= 0x7f || !unicode.IsPrint(rune(c)) && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return len(data) > 0
}

func ownerName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
