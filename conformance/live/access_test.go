package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// accessSteps let users in and keep them out; after each, every library is opened
// as each of the people. Steps are
//
//	set KEY TYPE VALUE, delete KEY    in the map
//	conf TEXT                         sections added to the configuration, then a reload
//	file NAME TEXT                    in uidgid.d, without TEXT it goes, then a reload
var accessSteps = []string{
	"",
	"set uidgid.uid.4001 u8 1", "set uidgid.uid.4001 u8 0", "set uidgid.uid.4001 u32 1", "delete uidgid.uid.4001",
	"set uidgid.gid.4002 u8 1", "set uidgid.gid.4002 u8 2", "delete uidgid.gid.4002",
	"set uidgid.config.uid.4001 u8 1", // is refused
	"conf uidgid {; uid: 4001; }", "conf uidgid {; gid: 4002; uid: nobody; }", "conf uidgid {; gid: nogroup; }; uidgid {; uid: 4002; gid: 4001; }", "conf ",
	"file pacemaker uidgid {; gid: 4001; }", "file other uidgid {; uid: 4002; }", "file pacemaker ", "file other ",
}

// accessPeople are user and group; root's own group is let in as root is.
var accessPeople = [][2]int{{4001, 4001}, {4002, 4002}, {4001, 4002}, {65534, 65534}, {4003, 0}, {0, 4003}}

// TestAccess holds whom our daemon lets in against whom stock's does.
func TestAccess(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	dir := t.TempDir()
	var programs []accessProgram
	for _, p := range []struct {
		name, libraries string
		commands        []string
	}{
		{"libapi", "quorum votequorum cfg", []string{"v1", "vq", "cfg"}}, {"mapapi", "cmap", []string{"map 0", "get totem.version 4"}}, {"cpgapi", "cpg", []string{"init 0 v1"}},
	} {
		binary, err := lab.BuildClient(dir, p.name, strings.Fields(p.libraries)...)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, accessProgram{binary, p.commands})
	}
	reachable(t, dir)
	all := grown(t, lab.Options{}, lab.Ring{Transport: "udpu", Token: 1000}, asked("s", "o")...)
	for _, step := range accessSteps {
		told := make([][]string, len(all))
		each(t, all, func(i int, c *cluster) (err error) {
			if err := c.admit(step); err != nil {
				return fmt.Errorf("%s: %s: %w", c.cast, step, err)
			}
			told[i], err = c.whoMay(programs)
			return err
		})
		if d := cmp.Diff(told[0], told[len(told)-1]); d != "" {
			t.Errorf("%q: beside stock (-), beside ours (+):\n%s", step, d)
		}
		in := 0
		for _, line := range told[0] {
			if strings.Contains(line, "open 1 ") {
				in++
			}
		}
		t.Logf("%q: %d of %d are let in", step, in, len(told[0]))
	}
}

// An accessProgram opens libraries by commands.
type accessProgram struct {
	binary   string
	commands []string
}

// reachable lets other users than root run what is in dir.
func reachable(t *testing.T, dir string) {
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// admit does a step beside the only node.
func (c *cluster) admit(step string) error {
	what, rest, _ := strings.Cut(step, " ")
	h := c.Hosts[0]
	text := strings.ReplaceAll(rest, "; ", "\n") + "\n"
	switch what {
	case "set", "delete":
		c.tool(1, "corosync-cmapctl", append([]string{map[string]string{"set": "-s", "delete": "-d"}[what]}, strings.Fields(rest)...)...)
		return nil
	case "conf":
		name := map[string]string{"corosync": "corosync.conf", "cpgold": "cpgold.conf"}[h.Kind]
		if err := h.Edit(name, []byte(c.conf+text), 0o644); err != nil {
			return err
		}
	case "file":
		name, content, _ := strings.Cut(text, " ")
		name = filepath.Join(h.Dir, "etc", "uidgid.d", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if strings.TrimSpace(content) == "" {
			if err := os.Remove(name); err != nil {
				return err
			}
		} else if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	default:
		return nil
	}
	if out := c.tool(1, "corosync-cfgtool", "-R"); !strings.HasSuffix(out, "exit status 0\n") {
		return errors.New(out)
	}
	return nil
}

// whoMay opens every library as each of the people; a line is told for each.
func (c *cluster) whoMay(programs []accessProgram) (told []string, err error) {
	for _, who := range accessPeople {
		line := fmt.Sprintf("%d:%d", who[0], who[1])
		for _, p := range programs {
			client, err := c.Hosts[0].StartClient("setpriv", fmt.Sprint("--reuid=", who[0]), fmt.Sprint("--regid=", who[1]), "--clear-groups", p.binary)
			if err != nil {
				return nil, err
			}
			for n, command := range p.commands {
				if err := client.Tell(command); err != nil {
					return nil, err
				}
				if err := client.WaitCount(10*time.Second, ".", n+1); err != nil {
					return nil, fmt.Errorf("%s as %v: %w", command, who, err)
				}
			}
			client.Kill()
			for _, l := range client.Lines() {
				if l != "." {
					line += ", " + l
				}
			}
		}
		told = append(told, line)
	}
	return told, nil
}
