package conf

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A state says which keys of a section get a type, a check or a special place
// (exec/coroparse.c, enum main_cp_cb_data_state). A section without a state of
// its own inherits its parent's.
type state uint8

const (
	stateNormal state = iota
	stateTotem
	stateInterface
	stateMember
	stateSubsys
	stateDaemon
	stateUIDGID
	stateQuorum
	stateDevice
	stateNodelist
	stateNode
	stateSystem
	stateResources
	stateMonitored // resources.system and resources.process
)

// stateOf returns the state of the section with the given full path.
func stateOf(path string, inherited state) state {
	switch path {
	case "totem":
		return stateTotem
	case "totem.interface":
		return stateInterface
	case "totem.interface.member":
		return stateMember
	case "logging.logger_subsys":
		return stateSubsys
	case "logging.logging_daemon":
		return stateDaemon
	case "uidgid":
		return stateUIDGID
	case "quorum":
		return stateQuorum
	case "quorum.device":
		return stateDevice
	case "nodelist":
		return stateNodelist
	case "nodelist.node":
		return stateNode
	case "system":
		return stateSystem
	case "resources":
		return stateResources
	case "resources.system", "resources.system.memory_used",
		"resources.process", "resources.process.memory_used":
		return stateMonitored
	}
	return inherited
}

// numbers are the keys that get a number's type in their own section, by the
// section's state and the key's full path.
var numbers = map[state]map[string]KeyType{
	stateTotem: typed("totem.", map[KeyType]string{
		TypeU32: "version nodeid threads token token_coefficient token_retransmit token_warning hold " +
			"token_retransmits_before_loss_const join send_join consensus merge downcheck fail_recv_const " +
			"seqno_unchanged_const rrp_token_expired_timeout rrp_problem_count_timeout " +
			"rrp_problem_count_threshold rrp_problem_count_mcast_threshold rrp_autorecovery_check_timeout " +
			"heartbeat_failures_allowed max_network_delay window_size max_messages miss_count_const " +
			"knet_pmtud_interval knet_mtu knet_compression_threshold netmtu",
		TypeI32: "knet_compression_level",
		TypeU64: "config_version",
	}),
	stateInterface: typed("totem.interface.", map[KeyType]string{
		TypeU8:  "linknumber ttl knet_link_priority",
		TypeU16: "mcastport",
		TypeU32: "knet_ping_interval knet_ping_timeout knet_ping_precision knet_pong_count",
	}),
	stateQuorum: typed("quorum.", map[KeyType]string{
		TypeU32: "expected_votes votes last_man_standing_window leaving_timeout",
		TypeU8: "two_node expected_votes_tracking allow_downscale wait_for_all auto_tie_breaker " +
			"last_man_standing",
	}),
	stateDevice: typed("quorum.device.", map[KeyType]string{
		TypeU32: "timeout sync_timeout votes",
		TypeU8:  "master_wins",
	}),
}

func typed(section string, names map[KeyType]string) map[string]KeyType {
	m := make(map[string]KeyType)
	for t, list := range names {
		for name := range strings.FieldsSeq(list) {
			m[section+name] = t
		}
	}
	return m
}

// typeOf returns the type of a key in a section of the given state. In nodes
// and resources the last name decides, elsewhere the full path does.
func typeOf(s state, path, name string) KeyType {
	switch {
	case s == stateNode && (name == "nodeid" || name == "quorum_votes"),
		s == stateResources && name == "watchdog_timeout":
		return TypeU32
	case s == stateMonitored && name == "poll_period":
		return TypeU64
	}
	if t, ok := numbers[s][path]; ok {
		return t
	}
	return TypeString
}

// bounds returns a number type's range (safe_atoq_range).
func bounds(t KeyType) (min, max int64) {
	switch t {
	case TypeU8:
		return 0, math.MaxUint8
	case TypeU16:
		return 0, math.MaxUint16
	case TypeI32:
		return math.MinInt32, math.MaxInt32
	}
	return 0, math.MaxUint32
}

// parseNumber reads a value of a number type; name is for the message.
func parseNumber(t KeyType, name, value string) (n uint64, message string) {
	if t == TypeU64 {
		// 3.1.7 ends itself with an assertion; the words are those of 3.1.10.
		n, ok := parseU64(value)
		if !ok {
			return 0, fmt.Sprintf("Value of key \"%s\" is expected to be unsigned integer, but \"%s\" was given",
				name, value)
		}
		return n, ""
	}
	min, max := bounds(t)
	i, ok := parseRange(value, min, max)
	if !ok {
		return 0, fmt.Sprintf("Value of key \"%s\" is expected to be integer in range (%d..%d), but \"%s\" was given",
			name, min, max, value)
	}
	return uint64(i), ""
}

// A vocabulary is a key's list of words, checked as the key is read.
type vocabulary struct {
	words   []string
	message string
}

// The lists of libknet as packaged (knet_get_crypto_list,
// knet_get_compress_list); the reference asks the library.
var (
	cryptoModels = []string{"nss", "openssl"}
	compressions = []string{"zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"}
	ciphers      = []string{"none", "aes256", "aes192", "aes128"}
	hashes       = []string{"none", "md5", "sha1", "sha256", "sha384", "sha512"}
	yesNo        = []string{"yes", "no"}
)

// vocabularies are checked in the section of the state only: a dotted line at
// top level passes.
var vocabularies = map[state]map[string]vocabulary{
	stateTotem: {
		"totem.ip_version":    {[]string{"ipv4", "ipv6", "ipv6-4", "ipv4-6"}, "Invalid ip_version type"},
		"totem.crypto_model":  {cryptoModels, "Invalid crypto model. Should be " + orList(cryptoModels)},
		"totem.crypto_cipher": {ciphers, "Invalid cipher type. Should be " + orList(ciphers)},
		"totem.crypto_hash":   {hashes, "Invalid hash type. Should be " + orList(hashes)},
		"totem.knet_compression_model": {compressions,
			"Invalid compression model. Should be " + orList(compressions)},
	},
	stateSystem: {
		"system.qb_ipc_type":                {[]string{"native", "shm", "socket"}, "Invalid system.qb_ipc_type"},
		"system.sched_rr":                   {yesNo, "Invalid system.sched_rr value"},
		"system.move_to_root_cgroup":        {[]string{"yes", "no", "auto"}, "Invalid system.move_to_root_cgroup"},
		"system.allow_knet_handle_fallback": {yesNo, "Invalid system.allow_knet_handle_fallback"},
	},
}

// checkWord returns the message for a value that is not in its key's list.
func checkWord(s state, path, value string) string {
	v, ok := vocabularies[s][path]
	if !ok || slices.Contains(v.words, value) {
		return ""
	}
	return v.message
}

// orList joins words with commas, the last with "or"
// (exec/util.c:util_is_valid_knet_list_helper).
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
