package conf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parseText returns the keys as lines, or the error.
func parseText(text string) (keys []string, err error) {
	list, err := ParseCorosync(strings.NewReader(text), "f.conf")
	for _, k := range list {
		keys = append(keys, fmt.Sprintf("%s %s %s @%d", k.Name, k.Type, k.Value(), k.Line))
	}
	return keys, err
}

// TestParseKeys covers what the corpus does not.
func TestParseKeys(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"abc: x\n", []string{"abc str x @1"}},
		{"abc : x\n", []string{"abc str x @1"}},
		{"abc::x\n", []string{"abc str :x @1"}},
		{"abc:\n", []string{"abc str  @1"}},
		{"abc {\n : x\n}\n", []string{"abc.: str x @2"}}, // a blank behind the colon keeps it
		{"abc {\n:x\n}\n", []string{"abc. str x @2"}},
		{": {\nx: 1\n}\n", []string{":.x str 1 @2"}},
		{"abc :: {\nd: 1\n}\n", []string{"abc.d str 1 @2"}},
		{"totem {\nconfig_version: -1\nknet_compression_level: -5\n}\n", []string{
			"totem.config_version u64 18446744073709551615 @2", "totem.knet_compression_level i32 -5 @3"}},
		// An interface that ends twice keeps its numbers and not its texts.
		{"totem {\ninterface {\nmcastport: 1\nbroadcast: no\nx {\n}\nlinknumber: 1\n}\n}\n", []string{
			"totem.interface.0.broadcast str no @4", "totem.interface.0.mcastport u16 1 @3",
			"totem.interface.1.mcastport u16 1 @3"}},
		// Values of 2^31 and more are lost, and take earlier ones with them.
		{"totem {\ninterface {\nknet_ping_timeout: 5\nknet_ping_timeout: 2147483648\n}\n}\n", nil},
		{"resources {\na {\nwatchdog_timeout: 5\npoll_period: x\n}\nsystem {\nb {\npoll_period: -1\nwatchdog_timeout: x\n}\n}\n}\n",
			[]string{"resources.a.poll_period str x @4", "resources.a.watchdog_timeout u32 5 @3",
				"resources.system.b.poll_period u64 18446744073709551615 @8",
				"resources.system.b.watchdog_timeout str x @9"}},
		{"pload {\ncount: x\n}\n", []string{"pload.count str x @2"}},
		{"uidgid {\nuid: 4294967294\nuid: +7\ngid: root\n}\n", []string{
			"uidgid.config.gid.0 u8 1 @4", "uidgid.config.uid.4294967294 u8 1 @2", "uidgid.config.uid.7 u8 1 @3"}},
		// Names composed of more than the buffers hold are cut.
		{"nodelist {\nnode {\n" + strings.Repeat("n", 254-len("nodelist.node.")) + ": 1\n}\n}\n", []string{
			"nodelist.node.0." + strings.Repeat("n", 254-len("nodelist.node.0.")) + " str 1 @3"}},
	} {
		got, err := parseText(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

// TestParseErrors covers what the corpus does not.
func TestParseErrors(t *testing.T) {
	long := strings.Repeat("x", 400)
	for _, c := range []struct{ text, want string }{
		{"{ x\n", "parser error: f.conf:1: Extra characters after opening bracket '{'"},
		{" {\n", "parser error: f.conf:1: Missing section name before opening bracket '{'"},
		{"a {\nb {\n}\n", "parser error: f.conf:3: Missing closing brace"},
		{"}\n", "parser error: f.conf:1: Unexpected closing brace"},
		{"a }\n", "parser error: f.conf:1: Extra characters before or after closing bracket '}'"},
		{"totem {\ntoken: " + long + "\n}\n", "parser error: f.conf:2: Can't format parser error message"},
		{"uidgid {\nuid: " + long + "\n}\n", "Can't format parser error message"},
		{"uidgid {\nuid: 4294967295\n}\n", "parser error: f.conf:2: "},
		{"uidgid {\nuid: -1\n}\n", "parser error: f.conf:2: The '-1' user is not found in /etc/passwd, please read the documentation."},
		{"logging {\nlogging_daemon {\nname: a\nx {\n}\n}\n}\n",
			"parser error: f.conf:4: Subsections are not allowed within logging.logging_daemon section"},
		{"logging {\nlogger_subsys {\nsubsys: A\n" + long[:300] + ": 1\n}\n}\n", "parser error: f.conf:4: New key makes total cmap path too long"},
		{strings.Repeat("a {\n", 128), "parser error: f.conf:128: Start of section makes total cmap path too long"},
	} {
		_, err := parseText(c.text)
		var e *Error
		if !errors.As(err, &e) || e.Stock() != c.want || e.File != "f.conf" || e.Line == 0 || e.Status != statusConfig {
			t.Errorf("%.40q\n got %+v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestParseLimits: neither size nor a broken reader does harm.
func TestParseLimits(t *testing.T) {
	_, err := ParseCorosync(bytes.NewReader(bytes.Repeat([]byte("#\n"), maxFile)), "f.conf")
	if err == nil || !strings.Contains(err.Error(), "f.conf:8388609: file is larger than 16 MiB") {
		t.Errorf("too large: %v", err)
	}
	_, err = ParseCorosync(iotest.ErrReader(errors.New("broken")), "f.conf")
	if err == nil || err.Error() != "f.conf: broken" {
		t.Errorf("broken: %v", err)
	}
}

// TestLargeFiles: time and memory grow with the size, not faster.
func TestLargeFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for name, line := range map[string]string{
		"keys": "totem.x%d: 1\n", "nodes": "nodelist.node.%d.ring0_addr: 192.0.2.1\n",
		"links": "totem.interface.%d.bindnetaddr: 192.0.2.1\n", "members": "totem.interface.0.member.%d: 192.0.2.1\n",
		"names": "nodelist.node.%d.name: x\n", "subsystems": "logging.logger_subsys.a%d.subsys: a\n",
		"typos": "totem.tokem%d: 1\n", "users": "uidgid.uid: %d\n",
	} {
		var b strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&b, line, i)
		}
		start := time.Now()
		Check("node.toml", tomlHost(b.String()))
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: %v", name, d)
		} else {
			t.Logf("%s: %v", name, d)
		}
	}
	var b strings.Builder
	b.WriteString("[extra.x]\n")
	for b.Len() < maxTOML/2 {
		fmt.Fprintf(&b, "a%d=1\n", b.Len())
	}
	start := time.Now()
	Check("node.toml", tomlHost(b.String()))
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("TOML: %v", d)
	}
	deep := "x = " + strings.Repeat("[", maxTOML-100)
	dotted := strings.Repeat("a.", maxTOML/2-10) + "a = 1"
	for _, text := range []string{deep, dotted, "[" + strings.Repeat("a.", maxTOML/2-10) + "a]"} {
		if p := Check("node.toml", tomlHost(text)); len(p) == 0 {
			t.Errorf("%.10q is accepted", text)
		}
	}
}
