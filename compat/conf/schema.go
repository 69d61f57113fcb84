package conf

import "strings"

// A codec says how a key's value is written in TOML, and back.
type codec uint8

const (
	asText         codec = iota // text, perhaps of a few words
	asNumber                    // integer
	asVersion                   // u64: integer, or text above TOML's range
	asMillis                    // u32 milliseconds: duration
	asSeconds                   // u32 seconds: duration
	asPeriod                    // u64 milliseconds: duration
	asFlag                      // u8: bool for 0 and 1, integer above
	asYesNo                     // "yes", "no": bool
	asOnOff                     // "on", "off": bool
	asSwitch                    // "yes", "no": bool; "on", "off": text
	asNumberText                // text of a number: integer
	asNumberOrText              // text: integer if it is the text of a number
	asMillisText                // text of a number of milliseconds: duration
	asIDs                       // text: list of integers if it is one
)

// A field is a place in TOML that stands for a key.
type field struct {
	path  string // in its table, dotted
	key   string // in its section; full for the fields of the document itself
	as    codec
	words []string // what a text may be; nil for any
	typ   KeyType
	max   uint64 // of a number, if below the type's
}

// documentFields are the fields that stand in TOML once.
var documentFields = []field{
	{path: "cluster.name", key: "totem.cluster_name"},
	{path: "cluster.config_version", key: "totem.config_version", as: asVersion},

	{path: "transport.type", key: "totem.transport", words: []string{"knet", "udpu", "udp"}},
	{path: "transport.ip_version", key: "totem.ip_version"},
	{path: "transport.link_mode", key: "totem.link_mode"},
	{path: "transport.net_mtu", key: "totem.netmtu", as: asNumber},
	{path: "transport.dscp", key: "totem.ip_dscp", as: asNumber, typ: TypeU8, max: 63}, // a number since 3.1.10
	{path: "transport.block_unlisted_ips", key: "totem.block_unlisted_ips", as: asYesNo},
	{path: "transport.clear_node_high_bit", key: "totem.clear_node_high_bit", as: asYesNo},
	{path: "transport.knet.mtu", key: "totem.knet_mtu", as: asNumber},
	{path: "transport.knet.pmtud_interval", key: "totem.knet_pmtud_interval", as: asSeconds},
	{path: "transport.knet.compression.model", key: "totem.knet_compression_model"},
	{path: "transport.knet.compression.threshold", key: "totem.knet_compression_threshold", as: asNumber},
	{path: "transport.knet.compression.level", key: "totem.knet_compression_level", as: asNumber},

	{path: "crypto.model", key: "totem.crypto_model"},
	{path: "crypto.cipher", key: "totem.crypto_cipher"},
	{path: "crypto.hash", key: "totem.crypto_hash"},
	{path: "crypto.secauth", key: "totem.secauth", as: asOnOff},
	{path: "crypto.key_file", key: "totem.keyfile"},
	{path: "crypto.key", key: "totem.key"},

	{path: "timers.token", key: "totem.token", as: asMillis},
	{path: "timers.token_coefficient", key: "totem.token_coefficient", as: asMillis},
	{path: "timers.token_warning_percent", key: "totem.token_warning", as: asNumber},
	{path: "timers.token_retransmit", key: "totem.token_retransmit", as: asMillis},
	{path: "timers.hold", key: "totem.hold", as: asMillis},
	{path: "timers.join", key: "totem.join", as: asMillis},
	{path: "timers.send_join", key: "totem.send_join", as: asMillis},
	{path: "timers.consensus", key: "totem.consensus", as: asMillis},
	{path: "timers.merge", key: "totem.merge", as: asMillis},
	{path: "timers.downcheck", key: "totem.downcheck", as: asMillis},
	{path: "timers.max_network_delay", key: "totem.max_network_delay", as: asMillis},

	{path: "protocol.token_retransmits_before_loss", key: "totem.token_retransmits_before_loss_const", as: asNumber},
	{path: "protocol.fail_to_receive", key: "totem.fail_recv_const", as: asNumber},
	{path: "protocol.seqno_unchanged", key: "totem.seqno_unchanged_const", as: asNumber},
	{path: "protocol.window_size", key: "totem.window_size", as: asNumber},
	{path: "protocol.max_messages", key: "totem.max_messages", as: asNumber},
	{path: "protocol.miss_count", key: "totem.miss_count_const", as: asNumber},
	{path: "protocol.heartbeat_failures_allowed", key: "totem.heartbeat_failures_allowed", as: asNumber},
	{path: "protocol.cancel_token_hold_on_retransmit", key: "totem.cancel_token_hold_on_retransmit", as: asYesNo},

	{path: "quorum.provider", key: "quorum.provider"},
	{path: "quorum.expected_votes", key: "quorum.expected_votes", as: asNumber},
	{path: "quorum.votes", key: "quorum.votes", as: asNumber},
	{path: "quorum.two_node", key: "quorum.two_node", as: asFlag},
	{path: "quorum.wait_for_all", key: "quorum.wait_for_all", as: asFlag},
	{path: "quorum.last_man_standing", key: "quorum.last_man_standing", as: asFlag},
	{path: "quorum.last_man_standing_window", key: "quorum.last_man_standing_window", as: asMillis},
	{path: "quorum.auto_tie_breaker", key: "quorum.auto_tie_breaker", as: asFlag},
	{path: "quorum.auto_tie_breaker_node", key: "quorum.auto_tie_breaker_node", as: asIDs},
	{path: "quorum.allow_downscale", key: "quorum.allow_downscale", as: asFlag},
	{path: "quorum.expected_votes_tracking", key: "quorum.expected_votes_tracking", as: asFlag},
	{path: "quorum.device.model", key: "quorum.device.model"},
	{path: "quorum.device.votes", key: "quorum.device.votes", as: asNumber},
	{path: "quorum.device.timeout", key: "quorum.device.timeout", as: asMillis},
	{path: "quorum.device.sync_timeout", key: "quorum.device.sync_timeout", as: asMillis},
	{path: "quorum.device.master_wins", key: "quorum.device.master_wins", as: asFlag},
	{path: "quorum.device.net.host", key: "quorum.device.net.host"},
	{path: "quorum.device.net.port", key: "quorum.device.net.port", as: asNumberText},
	{path: "quorum.device.net.tls", key: "quorum.device.net.tls"},
	{path: "quorum.device.net.algorithm", key: "quorum.device.net.algorithm"},
	{path: "quorum.device.net.tie_breaker", key: "quorum.device.net.tie_breaker", as: asNumberOrText},
	{path: "quorum.device.net.connect_timeout", key: "quorum.device.net.connect_timeout", as: asMillisText},
	{path: "quorum.device.net.force_ip_version", key: "quorum.device.net.force_ip_version", as: asNumberText},
	{path: "quorum.device.net.keep_active_partition_tie_breaker",
		key: "quorum.device.net.keep_active_partition_tie_breaker", as: asOnOff},
	{path: "quorum.device.heuristics.mode", key: "quorum.device.heuristics.mode"},
	{path: "quorum.device.heuristics.timeout", key: "quorum.device.heuristics.timeout", as: asMillisText},
	{path: "quorum.device.heuristics.sync_timeout", key: "quorum.device.heuristics.sync_timeout", as: asMillisText},
	{path: "quorum.device.heuristics.interval", key: "quorum.device.heuristics.interval", as: asMillisText},

	{path: "ipc.type", key: "system.qb_ipc_type"},

	{path: "system.realtime", key: "system.sched_rr", as: asYesNo},
	{path: "system.priority", key: "system.priority", as: asNumberOrText},
	{path: "system.root_cgroup", key: "system.move_to_root_cgroup"},
	{path: "system.knet_unprivileged", key: "system.allow_knet_handle_fallback", as: asYesNo},
	{path: "system.state_dir", key: "system.state_dir"},

	{path: "resources.watchdog_device", key: "resources.watchdog_device"},
	{path: "resources.watchdog_timeout", key: "resources.watchdog_timeout", as: asSeconds},

	{path: "nozzle.name", key: "nozzle.name"},
	{path: "nozzle.address", key: "nozzle.ipaddr"},
	{path: "nozzle.prefix", key: "nozzle.ipprefix", as: asNumberText},
	{path: "nozzle.mac", key: "nozzle.macaddr"},

	{path: "legacy.threads", key: "totem.threads", as: asNumber},
	{path: "legacy.nodeid", key: "totem.nodeid", as: asNumber},
	{path: "legacy.rrp_token_expired_timeout", key: "totem.rrp_token_expired_timeout", as: asNumber},
	{path: "legacy.rrp_problem_count_timeout", key: "totem.rrp_problem_count_timeout", as: asNumber},
	{path: "legacy.rrp_problem_count_threshold", key: "totem.rrp_problem_count_threshold", as: asNumber},
	{path: "legacy.rrp_problem_count_mcast_threshold", key: "totem.rrp_problem_count_mcast_threshold", as: asNumber},
	{path: "legacy.rrp_autorecovery_check_timeout", key: "totem.rrp_autorecovery_check_timeout", as: asNumber},
	{path: "legacy.quorum_leaving_timeout", key: "quorum.leaving_timeout", as: asNumber},
}

// maxPing is the largest heartbeat value that corosync.conf can hold.
const maxPing = 1<<31 - 1

// linkFields are those of a [[link]], besides number and members.
var linkFields = []field{
	{path: "port", key: "mcastport", as: asNumber, typ: TypeU16},
	{path: "priority", key: "knet_link_priority", as: asNumber, typ: TypeU8},
	{path: "ping_interval", key: "knet_ping_interval", as: asMillis, typ: TypeU32, max: maxPing},
	{path: "ping_timeout", key: "knet_ping_timeout", as: asMillis, typ: TypeU32, max: maxPing},
	{path: "ping_precision", key: "knet_ping_precision", as: asNumber, typ: TypeU32, max: maxPing},
	{path: "pong_count", key: "knet_pong_count", as: asNumber, typ: TypeU32, max: maxPing},
	{path: "transport", key: "knet_transport", words: []string{"udp", "sctp"}},
	{path: "bind_address", key: "bindnetaddr"},
	{path: "multicast_address", key: "mcastaddr"},
	{path: "broadcast", key: "broadcast", as: asYesNo},
	{path: "ttl", key: "ttl", as: asNumber, typ: TypeU8},
}

// nodeFields are those of a [[node]], besides addresses and extra.
var nodeFields = []field{
	{path: "id", key: "nodeid", as: asNumber, typ: TypeU32},
	{path: "name", key: "name"},
	{path: "votes", key: "quorum_votes", as: asNumber, typ: TypeU32},
}

// loggerFields are those of [logging], its subsystems and other daemons.
var loggerFields = []field{
	{path: "to_stderr", key: "to_stderr", as: asSwitch},
	{path: "to_syslog", key: "to_syslog", as: asSwitch},
	{path: "to_logfile", key: "to_logfile", as: asSwitch},
	{path: "logfile", key: "logfile"},
	{path: "logfile_priority", key: "logfile_priority"},
	{path: "syslog_priority", key: "syslog_priority"},
	{path: "syslog_facility", key: "syslog_facility"},
	{path: "debug", key: "debug"},
	{path: "timestamp", key: "timestamp"},
	{path: "fileline", key: "fileline", as: asOnOff},
	{path: "function_name", key: "function_name", as: asOnOff},
	{path: "blackbox", key: "blackbox", as: asOnOff},
}

// monitorFields are those of a [resources.system.NAME].
var monitorFields = []field{
	{path: "poll_period", key: "poll_period", as: asPeriod, typ: TypeU64},
	{path: "max", key: "max"},
	{path: "recovery", key: "recovery"},
}

// A schema is a table's fields for searching.
type schema struct {
	fields []field
	byPath map[string]field
	byKey  map[string]field
	tables map[string]bool // paths of the tables that the fields stand in
}

var (
	documentSchema = newSchema(append(documentFields, under("logging", loggerFields)...))
	linkSchema     = newSchema(linkFields)
	nodeSchema     = newSchema(nodeFields)
	loggerSchema   = newSchema(loggerFields)
	monitorSchema  = newSchema(monitorFields)
)

// under returns fields moved into a table and section of the same name.
func under(section string, fields []field) []field {
	var moved []field
	for _, f := range fields {
		f.path, f.key = section+"."+f.path, section+"."+f.key
		moved = append(moved, f)
	}
	return moved
}

func newSchema(fields []field) *schema {
	s := &schema{fields: fields, byPath: make(map[string]field), byKey: make(map[string]field),
		tables: make(map[string]bool)}
	for i := range fields {
		f := &fields[i]
		section, name := splitName(f.key)
		if f.typ == 0 {
			f.typ = typeOf(stateAt(section), f.key, name)
		}
		if f.words == nil {
			f.words = vocabularies[stateAt(section)][f.key].words
		}
		s.byPath[f.path], s.byKey[f.key] = *f, *f
		for table, _ := splitName(f.path); table != ""; table, _ = splitName(table) {
			s.tables[table] = true
		}
	}
	return s
}

// stateAt returns the state of a section written with all the sections around
// it.
func stateAt(section string) state {
	s := stateNormal
	path := ""
	for part := range strings.SplitSeq(section, ".") {
		path = join(path, part)
		s = stateOf(path, s)
	}
	return s
}
