package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Statuses of keygen besides 0 (tools/corosync-keygen.c:main).
const (
	keygenUsage      = 1
	keygenUncreated  = 2
	keygenUnprotect  = 3
	keygenUnwritten  = 4
	defaultKeySize   = 256
	defaultKeyFile   = "/etc/corosync/authkey"
	defaultKeyRandom = "/dev/urandom"
)

const keygenHelp = `Usage: cpgold keygen [-k <keyfile>] [-s size] [-r <randomfile>] [-l] [-h]
     -k / --key-file=<filename> -  Write to the specified keyfile
            instead of the default /etc/corosync/authkey.
     -r / --random-file -  Random number source file, /dev/urandom if not given.
     -l / --less-secure -  Not used, as in corosync-keygen.
     -s / --size -  Length of key in bytes, 128 to 4096, 256 if not given.
     -h / --help -  Print basic usage.
`

// A keygenOrder is one command line of keygen.
type keygenOrder struct {
	file, random string
	size         int
	help         bool
}

// keygen makes a secret key as corosync-keygen of 3.1.7 does: the same options,
// words, statuses, default file, size and mode, and an existing key is
// overwritten. Unlike there the file is replaced whole, so that a daemon that
// reloads never reads half a key; a link is followed, and the owner stays.
func keygen(args []string, stdout, stderr io.Writer) int {
	order, err := parseKeygen(args)
	if err != nil {
		fmt.Fprintf(stderr, "cpgold keygen: %v\n", err)
		return keygenUsage
	}
	if order.help {
		fmt.Fprint(stdout, keygenHelp)
		return 0
	}
	fmt.Fprintln(stdout, "Corosync Cluster Engine Authentication key generator.")
	fmt.Fprintf(stdout, "Gathering %d bits for key from %s.\n", 8*order.size, order.random)
	key := make([]byte, order.size)
	if err := readRandom(order.random, key); err != nil {
		fmt.Fprintf(stderr, "cpgold keygen: %v\n", err)
		return keygenUsage
	}
	fmt.Fprintf(stdout, "Writing corosync key to %s.\n", order.file)
	if status, err := writeKey(order.file, key); err != nil {
		fmt.Fprintf(stderr, "cpgold keygen: %v\n", err)
		return status
	}
	return 0
}

// keygenOptions are the options' long names, by their short ones; those that
// take a value end in "=".
var keygenOptions = map[byte]string{'k': "key-file=", 'r': "random-file=", 's': "size=", 'l': "less-secure", 'h': "help"}

// parseKeygen reads the command line as getopt_long does: values may stand in
// the option's word or in the next.
func parseKeygen(args []string) (keygenOrder, error) {
	order := keygenOrder{file: defaultKeyFile, random: defaultKeyRandom, size: defaultKeySize}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		option, value, ok := cutOption(arg)
		if !ok {
			return order, fmt.Errorf("unexpected argument %q; see cpgold keygen -h", arg)
		}
		if strings.HasSuffix(keygenOptions[option], "=") && value == "" {
			if len(args) == 0 {
				return order, fmt.Errorf("option %s wants a value; see cpgold keygen -h", arg)
			}
			value, args = args[0], args[1:]
		}
		switch option {
		case 'k':
			order.file = value
		case 'r':
			order.random = value
		case 's':
			n, err := strconv.Atoi(value)
			if err != nil || n < minKey || n > maxKey {
				return order, fmt.Errorf("unsupported key size %q (supported <%d,%d>)", value, minKey, maxKey)
			}
			order.size = n
		case 'h':
			order.help = true
		}
	}
	return order, nil
}

// cutOption finds the option in a word, and the value that stands there too.
func cutOption(arg string) (option byte, value string, ok bool) {
	if long, isLong := strings.CutPrefix(arg, "--"); isLong {
		name, value, given := strings.Cut(long, "=")
		for option, known := range keygenOptions {
			if strings.TrimSuffix(known, "=") == name {
				return option, value, !given || strings.HasSuffix(known, "=") && value != ""
			}
		}
		return 0, "", false
	}
	if len(arg) < 2 || arg[0] != '-' {
		return 0, "", false
	}
	known, ok := keygenOptions[arg[1]]
	return arg[1], arg[2:], ok && (strings.HasSuffix(known, "=") || len(arg) == 2)
}

// readRandom fills the key from a source of random bytes.
func readRandom(file string, key []byte) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("failed to open random source: %w", err)
	}
	defer f.Close()
	if _, err := io.ReadFull(f, key); err != nil {
		return fmt.Errorf("could not read %s: %w", file, err)
	}
	return nil
}

// writeKey puts the key in a file's place, or writes it to what is no regular
// file, such as a pipe.
func writeKey(path string, key []byte) (status int, err error) {
	owner := -1
	group := -1
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return writeThrough(path, key)
	case err == nil:
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owner, group = int(st.Uid), int(st.Gid)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return keygenUncreated, fmt.Errorf("could not create %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".cpgold-*") // mode 0600
	if err != nil {
		return keygenUncreated, fmt.Errorf("could not create %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // in vain once it has its name
	defer f.Close()
	if err := f.Chmod(keyMode); err != nil {
		return keygenUnprotect, fmt.Errorf("failed to set key file permissions to %04o: %w", keyMode, err)
	}
	if owner > 0 || group > 0 {
		if err := f.Chown(owner, group); err != nil && os.Geteuid() == 0 {
			return keygenUnprotect, fmt.Errorf("failed to keep the owner of %s: %w", path, err)
		}
	}
	_, err = f.Write(key)
	err = errors.Join(err, f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return keygenUnwritten, fmt.Errorf("could not write %s: %w", path, err)
	}
	return 0, nil
}

func writeThrough(path string, key []byte) (status int, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return keygenUncreated, fmt.Errorf("could not create %s: %w", path, err)
	}
	defer f.Close()
	if _, err := f.Write(key); err != nil {
		return keygenUnwritten, fmt.Errorf("could not write %s: %w", path, err)
	}
	return 0, nil
}
