package conf

// An about is what a field is for, in the words of schema and example.
type about struct {
	text string
	// words are all that the daemon takes, where the reader takes any text; the
	// schema offers no others.
	words []string
	def   string // what leaving the field out means, as TOML; "" if nothing
	value string // an example where def is none
	shown bool   // the example sets it instead of only naming it
}

// tableTexts describe the tables.
var tableTexts = map[string]string{
	"cluster":                       "Who the cluster is.",
	"transport":                     "How packets travel.",
	"transport.knet":                "Settings of transport knet.",
	"transport.knet.compression":    "Packets can be compressed, which rarely pays on a local network.",
	"crypto":                        "Protection of packets; transport knet only. The same on all nodes.",
	"timers":                        "When the ring takes a token or a node for lost. The same on all nodes. Most hang on token: leave them out.",
	"protocol":                      "Numbers of the protocol. The same on all nodes. The defaults fit nearly always.",
	"link":                          "A network that the nodes share. Every address of a node makes one; a [[link]] is only needed to set something.",
	"node":                          "A node of the cluster. The same list, in the same order, on all nodes.",
	"node.addresses":                "The node's address on each link: the link's number, 0 to 7, and an IP address (or a name, which then has to resolve alike on all nodes).",
	"node.extra":                    "Keys of corosync.conf that have no field here: texts, kept for other programs.",
	"quorum":                        "When a part of a split cluster may go on. The same on all nodes.",
	"quorum.device":                 "A quorum device, which votes from outside the cluster (corosync-qdevice).",
	"quorum.device.net":             "The server of the quorum device. corosync-qdevice reads these.",
	"quorum.device.heuristics":      "Commands that tell whether this node is any good. corosync-qdevice reads these.",
	"quorum.device.heuristics.exec": "The commands, by a name for each.",
	"logging":                       "Where the log's lines go, and which.",
	"logging.subsystem":             "Settings for a part of the daemon, by its name: MAIN, TOTEM, KNET, SERV, CFG, CMAP, CPG, QUORUM, VOTEQ, SYNC and others. What is left out is as in [logging], but for debug (off) and the facility (daemon, and that for all).",
	"logging.daemon":                "Settings that other programs look up in cmap, by their name.",
	"logging.daemon.subsystem":      "Settings for parts of the program.",
	"ipc":                           "Who may connect, besides root, and how.",
	"system":                        "The daemon as a process.",
	"resources":                     "The watchdog device and the monitors of stock's watchdog and monitoring services.",
	"resources.system":              "A monitor, by its resource: memory_used, load_15min.",
	"nozzle":                        "A network device for traffic through the ring (libnozzle).",
	"legacy":                        "Keys of old versions that are read and mean nothing.",
	"extra":                         "Keys of corosync.conf that have no field here, by section: texts, kept for other programs.",
	"raw":                           "Keys of corosync.conf by their full name, as text whatever their section says. Files that were migrated may need it.",
}

// fieldTexts describe the fields: of the document by their path, of the other
// tables behind "link.", "node." and "resources.system.".
var fieldTexts = map[string]about{
	"format": {text: "Version of this file's format.", value: "1", shown: true},

	"cluster.name": {text: "Name of the cluster. DLM, GFS2 and the quorum device know it by that; transport udp derives its multicast group from it.",
		value: `"example"`, shown: true},
	"cluster.config_version": {text: "Number of this version of the file. If it is not 0, a node that meets others with a higher number stops.", def: "0"},

	"transport.type":       {text: "Protocol between the nodes. knet has up to eight links and encryption; udpu and udp (multicast) have one link and none.", def: `"knet"`, shown: true},
	"transport.ip_version": {text: "Which address a name stands for: of that family only, or of the first one rather than the second.", def: `"ipv6-4"`},
	"transport.link_mode": {text: "Which links carry a packet: the one of the highest priority that works, all, or each in turn. Transport knet.",
		words: []string{"passive", "active", "rr"}, def: `"passive"`},
	"transport.net_mtu":             {text: "Bytes of a packet of the protocol. Default: 65536 with knet, which cuts packets to the network's size itself, 1500 otherwise.", value: "1500"},
	"transport.dscp":                {text: "Mark (DSCP) of sent packets for the network's quality of service, 0 for none.", def: "0"},
	"transport.block_unlisted_ips":  {text: "Take packets from addresses in the list of nodes only.", def: "true"},
	"transport.clear_node_high_bit": {text: "Make node ids out of addresses that fit in 31 bits, where nodes have no id. Transports udpu and udp.", def: "false"},
	"transport.knet.mtu":            {text: "Bytes of a packet on the wire, 0 to find out what each network carries.", def: "0"},
	"transport.knet.pmtud_interval": {text: "How often to find out, in whole seconds.", def: `"30s"`},
	"transport.knet.compression.model": {text: "Method. Without it packets are not compressed. Receivers understand all methods.",
		value: `"zstd"`},
	"transport.knet.compression.threshold": {text: "Bytes from which on packets are compressed, 0 for 100, 1 for all.", def: "0"},
	"transport.knet.compression.level":     {text: "Level in the method's own sense.", def: "0"},

	"crypto.model":    {text: "Library with which stock encrypts. It makes no difference for packets.", def: `"nss"`},
	"crypto.cipher":   {text: "Encryption. It needs a hash, too.", def: `"none"`, value: `"aes256"`, shown: true},
	"crypto.hash":     {text: "Signature. Without it anyone can send packets to the cluster.", def: `"none"`, value: `"sha256"`, shown: true},
	"crypto.secauth":  {text: "Old switch for cipher aes256 and hash sha256. cipher and hash go before it.", def: "false"},
	"crypto.key_file": {text: "File with the key, 128 to 4096 bytes, the same on all nodes.", def: `"/etc/corosync/authkey"`},
	"crypto.key": {text: "The key itself, 127 to some 500 characters, if there is no key_file. Whoever may read this file knows it then.",
		value: `"` + exampleKey + `"`},

	"timers.token": {text: "How long a node may be silent before it is taken for dead. Each node beyond two adds token_coefficient.", def: `"3s"`},
	"timers.token_coefficient": {text: "What each node of link 0 beyond two adds to token.",
		def: `"650ms"`},
	"timers.token_warning_percent": {text: "Log a warning when the token took so many percent of the time that it has, 0 for never.", def: "75"},
	"timers.token_retransmit":      {text: "When to send a token again that may be lost. Default: token / (token_retransmits_before_loss + 0.2).", value: `"714ms"`},
	"timers.hold":                  {text: "How long to hold the token of an idle ring. Default: 0.8 token_retransmit - 10ms.", value: `"561ms"`},
	"timers.join":                  {text: "How long to wait for answers when a ring forms.", def: `"50ms"`},
	"timers.send_join":             {text: "Bound of a random delay before asking others to form a ring, for clusters with many nodes.", def: `"0s"`},
	"timers.consensus":             {text: "How long nodes may take to agree on a ring. Default: 1.2 token.", value: `"3600ms"`},
	"timers.merge":                 {text: "How often to look for other rings.", def: `"200ms"`},
	"timers.downcheck":             {text: "How often to look whether a network interface that went down is back.", def: `"1s"`},
	"timers.max_network_delay":     {text: "Longest delay of the network, for heartbeat_failures_allowed.", def: `"50ms"`},

	"protocol.token_retransmits_before_loss": {text: "How often to send a token again before it is lost.", def: "4"},
	"protocol.fail_to_receive":               {text: "Rotations of the token without receiving what others sent after which a new ring is formed.", def: "2500"},
	"protocol.seqno_unchanged":               {text: "Rotations without messages after which the token is held.", def: "30"},
	"protocol.window_size":                   {text: "Messages that all nodes together may send in a rotation.", def: "50"},
	"protocol.max_messages":                  {text: "Messages that one node may send in a rotation.", def: "17"},
	"protocol.miss_count":                    {text: "Rotations after which a message that was missed is asked for again.", def: "5"},
	"protocol.heartbeat_failures_allowed":    {text: "Missed heartbeats after which a token is lost, 0 to use the token's time only.", def: "0"},
	"protocol.cancel_token_hold_on_retransmit": {text: "Do not hold the token while messages are asked for again.",
		def: "false"},

	"link.number":            {text: "Number of the link, 0 to 7, as in the nodes' addresses.", value: "0", shown: true},
	"link.port":              {text: "UDP port. Default: 5405 and the link's number. With transport udp the port below it is used, too.", value: "5405"},
	"link.priority":          {text: "Of the links that work, link_mode passive takes the one with the highest priority. Transport knet.", def: "1"},
	"link.ping_interval":     {text: "How often to look whether the link works. Default: token / (2 pong_count). Transport knet.", value: `"750ms"`},
	"link.ping_timeout":      {text: "Without an answer for so long the link is down. Default: token / pong_count. Transport knet.", value: `"1500ms"`},
	"link.ping_precision":    {text: "How many answers the link's latency is averaged over. Transport knet.", def: "2048"},
	"link.pong_count":        {text: "Answers in a row, up to 255, after which the link is up again. Transport knet.", def: "2"},
	"link.transport":         {text: "Protocol below. This daemon knows udp only.", def: `"udp"`},
	"link.bind_address":      {text: "Own address or network, from the time before lists of nodes. The node's address counts.", value: `"192.0.2.0"`},
	"link.multicast_address": {text: "Multicast group. Default: made of the cluster's name. Transport udp.", value: `"239.192.0.1"`},
	"link.broadcast":         {text: "Broadcast instead of multicast. Transport udp.", def: "false"},
	"link.ttl":               {text: "How many routers multicast packets may pass. Transport udp; 1 otherwise.", def: "1"},
	"link.members":           {text: "Addresses of the nodes, from the time before lists of nodes. The list of nodes counts.", value: `["192.0.2.1"]`},

	"node.id":    {text: "Number of the node, 1 to 65535 with knet. Give each node one, and never change it.", value: "1", shown: true},
	"node.name":  {text: "Name of the node, best its host name. Pacemaker knows the node by it; with more than one link every node needs one.", value: `"node1"`, shown: true},
	"node.votes": {text: "Votes in the quorum.", def: "1"},

	"quorum.provider": {text: "Who decides. Without one every part of a split cluster goes on.",
		words: []string{"corosync_votequorum"}, value: `"corosync_votequorum"`, shown: true},
	"quorum.expected_votes": {text: "Votes of the whole cluster. Default, and with 0: the sum of the nodes' votes.", value: "2"},
	"quorum.votes":          {text: "Own votes where there is no list of nodes.", def: "1"},
	"quorum.two_node":       {text: "Two nodes: one vote is quorum enough. Fencing decides who goes on. It sets wait_for_all.", def: "false", value: "true", shown: true},
	"quorum.wait_for_all":   {text: "Become quorate for the first time only when all nodes are there. Default: as two_node.", value: "true"},
	"quorum.last_man_standing": {text: "Expect fewer votes when nodes are gone for last_man_standing_window, so that a cluster can shrink step by step. Use " +
		"it with wait_for_all.", def: "false"},
	"quorum.last_man_standing_window": {text: "How long nodes must be gone before fewer votes are expected.", def: `"10s"`},
	"quorum.auto_tie_breaker":         {text: "Of two equal halves the one with auto_tie_breaker_node goes on.", def: "false"},
	"quorum.auto_tie_breaker_node":    {text: "Node that breaks the tie: \"lowest\", \"highest\" or a list of ids, of which the first that was there counts.", def: `"lowest"`},
	"quorum.allow_downscale":          {text: "Expect fewer votes when nodes leave in good order. Stock calls it incomplete and unsupported.", def: "false"},
	"quorum.expected_votes_tracking":  {text: "Remember the highest number of votes that was ever expected.", def: "false"},

	"quorum.device.model":        {text: "Kind of device. corosync-qdevice knows net.", value: `"net"`},
	"quorum.device.votes":        {text: "Votes of the device: 1 for algorithm ffsplit. Default: one less than the nodes.", value: "1"},
	"quorum.device.timeout":      {text: "How long the device may be silent.", def: `"10s"`},
	"quorum.device.sync_timeout": {text: "How long it may be silent while a membership forms.", def: `"30s"`},
	"quorum.device.master_wins":  {text: "Read, and used by nobody.", def: "false"},
	"quorum.device.net.host":     {text: "Name or address of the server (corosync-qnetd).", value: `"qnetd.example.com"`},
	"quorum.device.net.port":     {text: "Its port.", def: "5403"},
	"quorum.device.net.tls":      {text: "Encryption: \"on\" (if the server can), \"off\" or \"required\".", def: `"on"`},
	"quorum.device.net.algorithm": {text: "Who gets the vote: \"ffsplit\" (one of two halves), \"lms\" (the last node that reaches the server), \"2nodelms\".",
		def: `"ffsplit"`},
	"quorum.device.net.tie_breaker":                       {text: "Which half gets it if nothing else decides: \"lowest\", \"highest\" or a node's id.", def: `"lowest"`},
	"quorum.device.net.connect_timeout":                   {text: "How long a connection may take, 1s to 2m. Default: 0.8 quorum.device.timeout.", value: `"8s"`},
	"quorum.device.net.force_ip_version":                  {text: "Address family of the server: 4, 6 or 0 for either.", def: "0"},
	"quorum.device.net.keep_active_partition_tie_breaker": {text: "Let the half that was active keep the vote.", def: "true"},
	"quorum.device.heuristics.mode":                       {text: "When to run the commands: \"on\" (regularly), \"sync\" (when a membership forms) or \"off\".", def: `"off"`},
	"quorum.device.heuristics.timeout":                    {text: "How long they may run, 1s to 2m. Default: half of quorum.device.timeout.", value: `"5s"`},
	"quorum.device.heuristics.sync_timeout":               {text: "How long they may run while a membership forms, 1s to 2m. Default: half of quorum.device.sync_timeout.", value: `"15s"`},
	"quorum.device.heuristics.interval":                   {text: "How often to run them, 1s to 1h. Default: three times quorum.device.timeout.", value: `"30s"`},
	"quorum.device.heuristics.exec.NAME":                  {text: "A command line; it is good if it ends with status 0.", value: `"/usr/bin/ping -q -c 1 192.0.2.254"`},

	"logging.to_stderr":        {text: "Write to standard error.", def: "true"},
	"logging.to_syslog":        {text: "Write to syslog.", def: "true", shown: true},
	"logging.to_logfile":       {text: "Write to logfile.", def: "false"},
	"logging.logfile":          {text: "Path of the log file. It is opened even if it is not used.", value: `"/var/log/cluster/corosync.log"`},
	"logging.logfile_priority": {text: "Least important lines for file and standard error.", words: priorityWords, def: `"info"`},
	"logging.syslog_priority":  {text: "Least important lines for syslog.", words: priorityWords, def: `"info"`},
	"logging.syslog_facility":  {text: "Facility of syslog.", words: facilities, def: `"daemon"`},
	"logging.debug":            {text: "Lines for debugging; trace writes some for every message.", words: []string{"off", "on", "trace"}, def: `"off"`},
	"logging.timestamp":        {text: "Time in front of the lines for file and standard error: none, in seconds or in milliseconds.", words: []string{"off", "on", "hires"}, def: `"hires"`},
	"logging.fileline":         {text: "Name the source line of each line.", def: "false"},
	"logging.function_name":    {text: "Name the function of each line.", def: "false"},
	"logging.blackbox":         {text: "Keep a flight recorder for corosync-blackbox.", def: "true"},

	"ipc.allow_users":  {text: "Users who may connect, by name or number.", value: `["root", 1001]`},
	"ipc.allow_groups": {text: "Groups whose members may connect, by name or number.", value: `["root"]`},
	"ipc.type":         {text: "How clients are connected: through shared memory (native, shm) or sockets.", def: `"native"`},

	"system.realtime":          {text: "Run in real-time scheduling.", def: "true"},
	"system.priority":          {text: "Nice value if not: \"max\", \"min\" or a number.", def: "0"},
	"system.root_cgroup":       {text: "Move to the root control group: always, never, or if real-time scheduling needs it.", def: `"auto"`},
	"system.knet_unprivileged": {text: "Go on without the rights to enlarge socket buffers.", def: "false"},
	"system.state_dir":         {text: "Directory of the ring's number and other state.", def: `"/var/lib/corosync"`},

	"resources.watchdog_device":                {text: "Watchdog device, \"off\" for none.", def: `"off"`},
	"resources.watchdog_timeout":               {text: "After how long the watchdog resets the host, 2s to 2m, in whole seconds.", def: `"6s"`},
	"resources.system.memory_used.poll_period": {text: "How often to look, 500ms to 2m. Corosync looks every 3s, whatever this says.", def: `"3s"`},
	"resources.system.memory_used.max":         {text: "The most that is fine: percent, or the load. Without it the monitor rests.", value: `"95"`},
	"resources.system.memory_used.recovery":    {text: "What to do beyond: \"none\", \"quit\", \"shutdown\", \"reboot\" or \"watchdog\".", value: `"none"`},

	"nozzle.name":    {text: "Name of the device.", value: `"noz0"`},
	"nozzle.address": {text: "Its address, of which the last part is replaced by the node's id.", value: `"198.51.100.0"`},
	"nozzle.prefix":  {text: "Length of its network's prefix: 8 to 30, for IPv6 8 to 64.", value: "24"},
	"nozzle.mac":     {text: "Its hardware address, of which the last two bytes are replaced by the node's id.", def: `"54:54:01:00:00:00"`},

	"legacy.threads":                           {text: "Threads for encryption.", value: "0"},
	"legacy.nodeid":                            {text: "Number of the own node; that of the list of nodes counts.", value: "1"},
	"legacy.rrp_token_expired_timeout":         {text: "Redundant rings of 2.x.", value: "1000"},
	"legacy.rrp_problem_count_timeout":         {text: "Redundant rings of 2.x.", value: "2000"},
	"legacy.rrp_problem_count_threshold":       {text: "Redundant rings of 2.x.", value: "10"},
	"legacy.rrp_problem_count_mcast_threshold": {text: "Redundant rings of 2.x.", value: "100"},
	"legacy.rrp_autorecovery_check_timeout":    {text: "Redundant rings of 2.x.", value: "1000"},
	"legacy.quorum_leaving_timeout":            {text: "Quorum of 1.x.", value: "1000"},

	"extra.SECTION.KEY": {text: "A key of another program.", value: `"text"`},
	"raw.KEY":           {text: "A key as text.", value: `"text"`},
}

// exampleKey is long enough for a key.
const exampleKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var priorityWords = []string{"emerg", "alert", "crit", "err", "error", "warning", "notice", "info", "debug"}
