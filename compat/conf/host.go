package conf

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// resolveTime bounds one question to the resolver.
const resolveTime = 10 * time.Second

// Host returns the environment of this host. Its functions ask anew each
// time; the addresses are those of the moment.
func Host() Env {
	e := hostUsers()
	e.Resolve, e.Reverse = resolveSystem, reverseSystem
	e.ReadFile, e.ListDir = readFileSystem, listDirSystem
	e.TryLog, e.TryDir = tryLogSystem, tryDirSystem
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.HostName = unix.ByteSliceToString(u.Nodename[:])
	}
	ifs, _ := net.Interfaces() // a host whose interfaces cannot be read has no addresses
	for _, i := range ifs {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			addr := p.Addr()
			if addr.IsLinkLocalUnicast() && addr.Is6() {
				addr = addr.WithZone(i.Name)
			}
			e.Addrs = append(e.Addrs, addr)
		}
	}
	return e
}

// hostUsers is an environment with nothing but this host's users and groups.
func hostUsers() Env {
	return Env{
		LookupUser:  func(name string) (uint32, bool) { return lookupSystem(name, userID) },
		LookupGroup: func(name string) (uint32, bool) { return lookupSystem(name, groupID) },
	}
}

func resolveSystem(name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

func reverseSystem(a netip.Addr) string {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, a.WithZone("").String())
	if err != nil || len(names) == 0 {
		return ""
	}
	return strings.TrimSuffix(names[0], ".")
}

func readFileSystem(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)))
}

func listDirSystem(path string) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		if st, err := os.Stat(filepath.Join(path, name)); err == nil && st.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	return files, nil
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// lookupSystem turns a name into a number with one of the functions above.
func lookupSystem(name string, ask func(string) (string, error)) (uint32, bool) {
	text, err := ask(name)
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err == nil
}

// tryLogSystem opens an existing file, and for one that does not exist looks
// if its directory may be written. Stock creates the file even when it only
// tests a configuration.
func tryLogSystem(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK)
}

func tryDirSystem(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return syscall.ENOTDIR
	}
	return unix.Access(path, unix.X_OK)
}
