package conf

import (
	"fmt"
	"math"
)

// What a section's items and its end do to the map
// (exec/coroparse.c:main_config_parser_cb).

// openSection prepares for a section's items.
func (p *parser) openSection(parent state, path string) *Error {
	if p.granting {
		if path != "uidgid" {
			return p.fail(path, "uidgid: Can't add subsection different than uidgid")
		}
		return nil
	}
	switch path {
	case "totem.interface":
		p.iface.begin()
	case "logging.logger_subsys", "logging.logging_daemon":
		p.logger = loggerSection{}
		return nil
	case "nodelist":
		p.node = 0
	}
	if s := stateOf(path, parent); s == stateSubsys || s == stateDaemon {
		p.logger.inner = p.line
	}
	return nil
}

// closeSection stores what was collected for a section.
func (p *parser) closeSection(f frame) *Error {
	if p.granting {
		return nil
	}
	switch f.state {
	case stateInterface:
		// Also at the end of an unknown section within: it has this state too.
		return p.endInterface()
	case stateSubsys:
		return p.endSubsys()
	case stateDaemon:
		return p.endDaemon()
	case stateNode:
		p.node++ // also at the end of a section within, so that a number is left out
	}
	return nil
}

// storeItem checks and stores one key and value.
func (p *parser) storeItem(s state, path, name, value string) *Error {
	switch s {
	case stateUIDGID:
		if name != "uid" && name != "gid" {
			return p.fail(path, "uidgid: Only uid and gid are allowed items")
		}
		return p.grant(name == "gid", value)
	case stateMember:
		if name != "memberaddr" {
			return p.fail(path, "Only memberaddr is allowed in member section")
		}
		p.iface.members = append(p.iface.members, item{value: value, line: p.line})
		return nil
	case stateSubsys, stateDaemon:
		p.logger.add(s, name, value, p.line)
		return nil
	case stateNode:
		path = clip(fmt.Sprintf("nodelist.node.%d.%s", p.node, name))
	}
	if text := checkWord(s, path, value); text != "" {
		return p.fail(path, "%s", text)
	}
	t := typeOf(s, path, name)
	if s == stateNode {
		t = typeOf(s, "", name)
	}
	k := Key{Name: path, Type: t, Line: p.line}
	if t == TypeString {
		k.Text = value
	} else {
		var text string
		if k.Num, text = parseNumber(t, path, value); text != "" {
			return p.failKey(path, text)
		}
	}
	if s == stateInterface && p.iface.collect(k) {
		return nil
	}
	return p.store(k)
}

// store puts a key into the map.
func (p *parser) store(k Key) *Error {
	if !validName(k.Name) {
		return p.failKey(k.Name,
			fmt.Sprintf("Can't store key \"%s\" into icmap, returned error is CS_ERR_NAME_TOO_LONG", k.Name))
	}
	if old, ok := p.keys.entries[k.Name]; ok && old.Line > 0 && k.Line > 0 && old.Line != k.Line {
		p.advise(old.Line, k.Name, "has no effect: the value on line %d counts", k.Line)
	}
	p.keys.set(k)
	return nil
}

func (p *parser) storeText(line int, value, format string, args ...any) *Error {
	return p.store(Key{Name: clip(fmt.Sprintf(format, args...)), Type: TypeString, Text: value, Line: line})
}

// clip cuts a composed name to what the reference's buffers hold.
func clip(name string) string {
	if len(name) >= maxName {
		return name[:maxName-1]
	}
	return name
}

// An item is a collected value, with its name where names differ.
type item struct {
	name, value string
	line        int
}

// An interfaceSection collects an interface's values until its end, when the
// link's number is known.
type interfaceSection struct {
	number  uint64
	values  map[string]Key // by full path
	members []item
}

// The values of a link, in the order in which they are stored.
var interfaceKeys = []string{
	"bindnetaddr", "mcastaddr", "broadcast", "mcastport", "ttl", "knet_link_priority",
	"knet_ping_interval", "knet_ping_timeout", "knet_ping_precision", "knet_pong_count", "knet_transport",
}

func (s *interfaceSection) begin() { *s = interfaceSection{values: make(map[string]Key)} }

// collect takes a key if it is one of a link's.
func (s *interfaceSection) collect(k Key) bool {
	if k.Name == "totem.interface.linknumber" {
		s.number = k.Num
		return true
	}
	for _, name := range interfaceKeys {
		if k.Name == "totem.interface."+name {
			s.values[k.Name] = k
			return true
		}
	}
	return false
}

// endInterface stores the collected values under the link's number. The numbers
// stay for another end of the same section, the texts do not.
func (p *parser) endInterface() *Error {
	for _, name := range interfaceKeys {
		k, ok := p.iface.values["totem.interface."+name]
		if !ok {
			continue
		}
		if k.Type == TypeString {
			delete(p.iface.values, k.Name)
		}
		if k.Type == TypeU32 && k.Num > math.MaxInt32 {
			// The reference keeps these in an int, where negative means absent.
			p.advise(k.Line, k.Name, "has no effect: values above %d are dropped", math.MaxInt32)
			continue
		}
		k.Name = fmt.Sprintf("totem.interface.%d.%s", p.iface.number, name)
		if err := p.store(k); err != nil {
			return err
		}
	}
	members := p.iface.members
	p.iface.members = nil
	for i := range members {
		m := members[len(members)-1-i]
		if err := p.storeText(m.line, m.value, "totem.interface.%d.member.%d", p.iface.number, i); err != nil {
			return err
		}
	}
	return nil
}

// A loggerSection collects logger_subsys or logging_daemon until its end.
type loggerSection struct {
	subsys, name *item // the last of each counts
	items        []item
	inner        int // line of a section within
	stored       bool
}

// end checks that the section is not stored twice, as it is if it has a
// section within: 3.1.7 then runs into freed memory. 3.1.10 takes such files.
func (l *loggerSection) end(p *parser, name string) *Error {
	if l.stored {
		e := p.fail("", "Subsections are not allowed within %s section", name)
		e.Line = l.inner
		return e
	}
	l.stored = true
	return nil
}

func (l *loggerSection) add(s state, name, value string, line int) {
	i := item{name, value, line}
	switch {
	case name == "subsys":
		l.subsys = &i
	case name == "name" && s == stateDaemon:
		l.name = &i
	default:
		l.items = append(l.items, i)
	}
}

// storeItems stores the collected values, the last first: of two with the same
// name the first stays.
func (l *loggerSection) storeItems(p *parser, prefix string) *Error {
	for i := len(l.items) - 1; i >= 0; i-- {
		it := l.items[i]
		if err := p.storeText(it.line, it.value, "%s.%s", prefix, it.name); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) endSubsys() *Error {
	l := &p.logger
	if l.subsys == nil {
		return p.fail("", "No subsys key in logger_subsys directive")
	}
	if err := l.end(p, "logging.logger_subsys"); err != nil {
		return err
	}
	prefix := "logging.logger_subsys." + l.subsys.value
	if err := l.storeItems(p, prefix); err != nil {
		return err
	}
	return p.storeText(l.subsys.line, l.subsys.value, "%s.subsys", prefix)
}

// endDaemon stores a logging_daemon section: for this daemon as if it stood in
// logging itself, for others under their name.
func (p *parser) endDaemon() *Error {
	l := &p.logger
	if l.name == nil {
		return p.fail("", "No name key in logging_daemon directive")
	}
	if err := l.end(p, "logging.logging_daemon"); err != nil {
		return err
	}
	own := l.name.value == "corosync"
	prefix := "logging"
	switch {
	case own && l.subsys != nil:
		prefix = "logging.logger_subsys." + l.subsys.value
	case !own && l.subsys == nil:
		prefix = "logging.logging_daemon." + l.name.value
	case !own:
		prefix = "logging.logging_daemon." + l.name.value + "." + l.subsys.value
	}
	if err := l.storeItems(p, prefix); err != nil {
		return err
	}
	if l.subsys != nil {
		if err := p.storeText(l.subsys.line, l.subsys.value, "%s.subsys", prefix); err != nil {
			return err
		}
	}
	if own {
		return nil
	}
	return p.storeText(l.name.line, l.name.value, "%s.name", prefix)
}
