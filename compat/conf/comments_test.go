package conf

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// translated reads a text and writes it in the other language.
func translated(t *testing.T, text string) string {
	t.Helper()
	d, err := ReadDocument([]byte(text), "x", 3, tomlHost(""))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out, err := d.Translate(tomlHost(""))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return string(out)
}

// TestCommentsToTOML checks that each comment stands above what it was above.
func TestCommentsToTOML(t *testing.T) {
	const conf = `# file, line 1

# the second paragraph too

# about totem
totem {
  # about version
  version: 2
  #token: 1
  cluster_name: lab
  # about the token,
  # two lines
  #
  token: 4000

  # about links
  interface {
	# port comment
	mcastport: 5410
    # last in the link
  }
  # last in totem
}
# about the list
nodelist {
  # the first
  node {
    ring0_addr: 192.0.2.1
    # second network
    ring1_addr: 198.51.100.1
    nodeid: 1
    # shelf
    rack: r1
  }
  # the second
  node {
    ring0_addr: 192.0.2.2
    ring1_addr: 198.51.100.2
    nodeid: 2
  }
}
# who may
uidgid {
  # the cluster's user
  uid: hacluster
  uid: 0
}
# empty sections say nothing
nothing {
}
# about logs
logging {
  # quorum matters
  logger_subsys {
    subsys: QUORUM
    # loud
    debug: on
  }
}
# vendor's
vendor {
   # deep
   settings {
     # level of it
     level: high
   }
}
# the end
`
	const want = `# file, line 1

# the second paragraph too

# about version
format = 1

# about totem
[cluster]
#token: 1
name = "lab"

[timers]
# about the token,
# two lines
#
token = "4s"

# about links
[[link]]
number = 0
# port comment
port = 5410
# last in the link
# last in totem

# about the list
# the first
[[node]]
id = 1
# second network
addresses = { 0 = "192.0.2.1", 1 = "198.51.100.1" }
# shelf
extra = { rack = "r1" }

# the second
[[node]]
id = 2
addresses = { 0 = "192.0.2.2", 1 = "198.51.100.2" }

# empty sections say nothing

# about logs
# quorum matters
[logging.subsystem.QUORUM]
# loud
debug = "on"

# who may
[ipc]
# the cluster's user
allow_users = [0, "hacluster"]

# vendor's
# deep
[extra.vendor.settings]
# level of it
level = "high"

# the end
`
	if diff := cmp.Diff(want, translated(t, conf)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCommentsToCorosync does the same the other way.
func TestCommentsToCorosync(t *testing.T) {
	const toml = `# file
#
# still

# the format
format = 1 # and behind it

# the cluster
[cluster] # and its header
# its name
name = "lab # no comment"
# under the name

# times
[timers]
token = "4s" # behind the token

# first link
[[link]]
number = 0
# port
port = 5410

# link without keys
[[link]]
number = 1

# first node
[[node]]
id = 1
addresses = { 0 = "192.0.2.1" } # where
name = """node\
  1"""

# second node
[[node]]
id = 2
# where too
addresses = { 0 = "192.0.2.2" }
name = 'no"de#2'

# who
[ipc]
allow_users = [
  # root, of course
  0, # zero
  "hacluster",
]

# logs
[logging]
debug = "off"
# the subsystem
[logging.subsystem.QUORUM]
# loud
debug = "on"

[raw]
# for later
"totem.token_warning" = "x"
# the end
`
	const want = `# file
#
# still

# the cluster
# and its header
totem {
    # the format
    # and behind it
    version: 2
    # its name
    cluster_name: lab # no comment
    # under the name
    # times
    # behind the token
    token: 4000

    # first link
    interface {
        linknumber: 0
        # port
        mcastport: 5410
    }
}

nodelist {
    # link without keys

    # first node
    node {
        # where
        ring0_addr: 192.0.2.1
        name: node1
        nodeid: 1
    }

    # second node
    node {
        # where too
        ring0_addr: 192.0.2.2
        name: no"de#2
        nodeid: 2
    }
}

# logs
logging {
    debug: off

    # the subsystem
    logger_subsys {
        subsys: QUORUM
        # loud
        debug: on
    }
}

uidgid {
    # who
    # root, of course
    # zero
    uid: 0
    uid: hacluster
}

# for later
totem.token_warning: x
# the end
`
	if diff := cmp.Diff(want, translated(t, toml)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCommentsOdd translates comments that the other language does not take as
// they are.
func TestCommentsOdd(t *testing.T) {
	long := "# " + strings.Repeat("é", 700)
	toml := "format = 1\n" + long + "\n[cluster]\nname = \"a\"\n"
	out := translated(t, toml)
	var got string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if len(line) > lineSize-2 {
			t.Errorf("a line of %d bytes", len(line))
		}
		if strings.HasPrefix(line, "#") {
			got += strings.TrimPrefix(line, "# ")
		}
	}
	if got != long[2:] {
		t.Errorf("cut to %q", got)
	}
	const conf = "# a\xffb \x01 c\x7f\r\ntotem {\nversion: 2\n}\n"
	if out := translated(t, conf); !strings.Contains(out, `# a\xffb \x01 c\x7f`) {
		t.Errorf("%q", out)
	}
}

// commentLines returns a text's comments as [comments.write] would write them,
// sorted.
func commentLines(text string) []string {
	var lines []string
	found := coroStatements([]byte(text))
	if isTOML([]byte(text)) {
		found = tomlStatements([]byte(text))
	}
	for _, s := range found {
		for _, line := range s.lines {
			if line != "" {
				lines = append(lines, printable(line))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// checkComments fails if a translation has other comments than its source.
func checkComments(t *testing.T, source, out string) {
	t.Helper()
	want := commentLines(source)
	if slices.ContainsFunc(want, func(line string) bool { return len(line) > maxComment }) {
		return // broken into several
	}
	if diff := cmp.Diff(want, commentLines(out)); diff != "" {
		t.Fatalf("comments (-source +translation):\n%s\n%s\n%s", diff, source, out)
	}
}
