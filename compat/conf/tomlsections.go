package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The tables of TOML whose keys are names, numbers or positions, and not only
// fields.

var textField = field{typ: TypeString}

// link reads a [[link]].
func (d *tomlReader) link(at place, _ int, t map[string]any) {
	n, ok := t["number"].(int64)
	if !ok || n < 0 || n > math.MaxUint8 {
		d.fail(at.sub("number"), "%s is not allowed: want the link's number, 0..%d", shown(t["number"]), maxLinks-1)
		return
	}
	number := uint32(n)
	for _, name := range sortedNames(t) {
		in := at.sub(name)
		switch f, ok := linkSchema.byPath[name]; {
		case ok:
			d.put(in, linkKey(number, f.key), &f, t[name])
		case name == "members":
			d.members(in, number, t[name])
		case name != "number":
			d.unknown(in, name, linkSchema)
		}
	}
}

func (d *tomlReader) members(at place, number uint32, v any) {
	list, ok := v.([]any)
	if !ok {
		d.fail(at, "%s is not allowed: want an array of addresses", shown(v))
	}
	for i, v := range list {
		d.put(at.element(i), linkKey(number, "member."+strconv.Itoa(i)), &textField, v)
	}
}

// node reads the i-th [[node]].
func (d *tomlReader) node(at place, i int, t map[string]any) {
	for _, name := range sortedNames(t) {
		in := at.sub(name)
		switch f, ok := nodeSchema.byPath[name]; {
		case ok:
			d.put(in, nodeName(uint32(i), f.key), &f, t[name])
		case name == "addresses":
			d.addresses(in, uint32(i), t[name])
		case name == "extra":
			d.nodeExtra(in, uint32(i), t[name])
		default:
			d.unknown(in, name, nodeSchema)
		}
	}
}

func (d *tomlReader) addresses(at place, position uint32, v any) {
	t, _ := d.table(at, v)
	for _, number := range sortedNames(t) {
		in := at.sub(number)
		if !isAddressName("ring" + number + "_addr") {
			d.fail(in, "unknown link: want a number in 0..%d", maxLinks-1)
			continue
		}
		d.put(in, nodeName(position, "ring"+number+"_addr"), &textField, t[number])
	}
}

// isAddressName tells if a node's key is an address in the usual spelling.
func isAddressName(name string) bool {
	return len(name) == len("ring0_addr") && strings.HasPrefix(name, "ring") && strings.HasSuffix(name, "_addr") &&
		'0' <= name[4] && name[4] < '0'+maxLinks
}

func (d *tomlReader) nodeExtra(at place, position uint32, v any) {
	t, _ := d.table(at, v)
	for _, name := range sortedNames(t) {
		in := at.sub(name)
		if !isNodeExtra(name) {
			d.fail(in, "not an extra key: it has a field of its own, or a colon, or is empty")
			continue
		}
		d.put(in, nodeName(position, name), &textField, t[name])
	}
}

// isNodeExtra tells if a node's key has no field.
func isNodeExtra(name string) bool {
	_, own := nodeSchema.byKey[name]
	return !own && name != "" && !isAddressName(name) && !strings.Contains(name, ":")
}

func (d *tomlReader) users(at place, v any)  { d.grants(at, v, false) }
func (d *tomlReader) groups(at place, v any) { d.grants(at, v, true) }

// grants reads a list of users or groups, names or numbers.
func (d *tomlReader) grants(at place, v any, group bool) {
	kind, what := "uid", "user"
	if group {
		kind, what = "gid", "group"
	}
	list, ok := v.([]any)
	if !ok {
		d.fail(at, "%s is not allowed: want an array of names and numbers", shown(v))
	}
	for i, v := range list {
		in := at.element(i)
		var id uint32
		switch v := v.(type) {
		case int64:
			if v < 0 || v >= math.MaxUint32 {
				d.fail(in, "%d is not allowed: want a number in 0..%d", v, math.MaxUint32-1)
				continue
			}
			id = uint32(v)
		case string:
			if id, ok = d.env.lookup(group, v); !ok || id == math.MaxUint32 {
				d.fail(in, "%s is not a %s of this host", shown(v), what)
				continue
			}
		default:
			d.fail(in, "%s is not allowed: want a name or a number", shown(v))
			continue
		}
		key := fmt.Sprintf("uidgid.config.%s.%d", kind, id)
		d.keys.set(Key{Name: key, Type: TypeU8, Num: 1, Line: d.line(in)})
		d.fields[key] = in.String()
		if name, ok := v.(string); ok {
			d.names[key] = name
		}
	}
}

// isPart tells if a name can be one part of a key's path.
func isPart(name string) bool {
	return name != "" && !strings.Contains(name, ".") && validName("aaa"+name)
}

// named calls f for each table in a table of tables.
func (d *tomlReader) named(at place, v any, what string, f func(at place, name string, t map[string]any)) {
	tables, _ := d.table(at, v)
	for _, name := range sortedNames(tables) {
		in := at.sub(name)
		if !isPart(name) {
			d.fail(in, "not a name for a %s: want letters, digits, '_', '-', '/' and ':'", what)
			continue
		}
		if t, ok := d.table(in, tables[name]); ok {
			f(in, name, t)
		}
	}
}

// logger reads the fields of a subsystem or daemon.
func (d *tomlReader) logger(at place, prefix string, t map[string]any, other string) {
	for _, name := range sortedNames(t) {
		switch f, ok := loggerSchema.byPath[name]; {
		case ok:
			d.put(at.sub(name), prefix+"."+f.key, &f, t[name])
		case name != other:
			d.unknown(at.sub(name), name, loggerSchema)
		}
	}
}

func (d *tomlReader) subsystems(at place, v any) {
	d.named(at, v, "subsystem", func(at place, name string, t map[string]any) {
		prefix := subsysPrefix + name
		d.logger(at, prefix, t, "")
		d.put(at, prefix+".subsys", &textField, name)
	})
}

// daemons reads the log settings of other programs.
func (d *tomlReader) daemons(at place, v any) {
	d.named(at, v, "daemon", func(at place, name string, t map[string]any) {
		if name == "corosync" {
			d.fail(at, "the settings of corosync itself belong to [logging]")
			return
		}
		prefix := "logging.logging_daemon." + name
		d.logger(at, prefix, t, "subsystem")
		subs, has := t["subsystem"]
		if !has || len(t) > 1 {
			d.put(at, prefix+".name", &textField, name)
		}
		if !has {
			return
		}
		d.named(at.sub("subsystem"), subs, "subsystem", func(at place, sub string, t map[string]any) {
			if _, taken := loggerSchema.byKey[sub]; taken || sub == "name" {
				d.fail(at, "not a name for a subsystem: it is that of a setting")
				return
			}
			prefix := prefix + "." + sub
			d.logger(at, prefix, t, "")
			d.put(at, prefix+".subsys", &textField, sub)
			d.put(at, prefix+".name", &textField, name)
		})
	})
}

// exec reads the commands of the quorum device's heuristics.
func (d *tomlReader) exec(at place, v any) {
	t, _ := d.table(at, v)
	for _, name := range sortedNames(t) {
		in := at.sub(name)
		if !isPart(name) || strings.Contains(name, ":") {
			d.fail(in, "not a name for a command: want letters, digits, '_', '-' and '/'")
			continue
		}
		d.put(in, "quorum.device.heuristics.exec_"+name, &textField, t[name])
	}
}

// monitors reads the resource monitors.
func (d *tomlReader) monitors(at place, v any) {
	d.named(at, v, "resource", func(at place, name string, t map[string]any) {
		for _, key := range sortedNames(t) {
			f, ok := monitorSchema.byPath[key]
			if !ok {
				d.unknown(at.sub(key), key, monitorSchema)
				continue
			}
			d.put(at.sub(key), "resources.system."+name+"."+f.key, &f, t[key])
		}
	})
}

// extra reads a table of keys that have no field: tables are sections, texts
// are values.
func (d *tomlReader) extra(at place, section string, t map[string]any) {
	for _, name := range sortedNames(t) {
		in, v := at.sub(name), t[name]
		path := join(section, name)
		if len(path) >= maxName || section == "" && len(path) >= maxName-1 {
			d.fail(in, "path is longer than %d characters", maxName-1)
			continue
		}
		if !isPart(name) && !(section == "" && name == "totem.interface") {
			d.fail(in, "not a name in a path: want letters, digits, '_', '-', '/' and ':'")
			continue
		}
		if sub, ok := v.(map[string]any); ok && !isBase64(sub) {
			d.extra(in, path, sub)
			continue
		}
		if why := extraRefusal(path); why != "" {
			d.fail(in, "not an extra key: %s", why)
			continue
		}
		section, name := splitName(path)
		f := field{typ: typeOf(stateAt(section), path, name)}
		switch f.typ {
		case TypeU64:
			f.as = asVersion
		case TypeU32:
			f.as = asNumber
		}
		d.put(in, path, &f, v)
	}
}

func isBase64(t map[string]any) bool {
	_, ok := t["base64"].(string)
	return ok && len(t) == 1
}

// extraRefusal says why a key cannot stand in extra, where a section would
// hold it as text; "" if it can.
func extraRefusal(key string) string {
	if f, ok := documentSchema.byKey[key]; ok {
		return "it has the field " + f.path
	}
	if strings.Contains(key[strings.LastIndexByte(key, '.')+1:], ":") {
		return "a colon cannot stand in a key's name"
	}
	section, name := splitName(key)
	switch s := stateAt(section); s {
	case stateNode, stateSubsys, stateDaemon, stateUIDGID, stateMember:
		return "section " + section + " has no place for it"
	case stateResources, stateMonitored:
		if typeOf(s, key, name) != TypeString || !strings.HasPrefix(key, "resources.system.") {
			return ""
		}
		if f, ok := monitorSchema.byKey[name]; ok && strings.Count(section, ".") == 2 {
			return "it has the field " + f.path + " of resources.system"
		}
	case stateInterface:
		if _, own := linkSchema.byKey[name]; section == "totem.interface" && (own || name == "linknumber") {
			return "it belongs to a [[link]]"
		}
	default:
		if strings.HasPrefix(key, "quorum.device.heuristics.exec_") {
			return "it belongs to quorum.device.heuristics.exec"
		}
		if typeOf(s, key, name) != TypeString || len(vocabularies[s][key].words) > 0 {
			return "its section does not take text for it"
		}
	}
	return ""
}

// raw reads keys that are text whatever their section says. As the same lines
// at the end of a corosync.conf would, they replace what stands elsewhere.
func (d *tomlReader) raw(at place, v any) {
	t, _ := d.table(at, v)
	for _, key := range sortedNames(t) {
		in := at.sub(key)
		if _, last := splitName(key); strings.Contains(last, ":") || len(key) >= maxName-1 {
			d.fail(in, "not a raw key: want at most %d characters, no ':' behind the last dot", maxName-2)
			continue
		}
		if old, ok := d.keys.entries[key]; ok {
			d.advice = append(d.advice, Problem{Warning, &Error{File: d.file, Line: old.Line, Key: d.fields[key],
				Text: fmt.Sprintf("has no effect: %s on line %d counts", in, d.line(in)), round: roundTOML}})
			delete(d.keys.entries, key)
		}
		d.put(in, key, &textField, t[key])
	}
}
