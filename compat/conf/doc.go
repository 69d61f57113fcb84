// Package conf reads a node's configuration: corosync.conf as stock corosync
// 3.1.7 reads it, or this project's TOML. Both end in the same map of typed
// keys, which is what a configuration means, and everything later works on the
// map alone:
//
//	corosync.conf  -> ParseCorosync \
//	                                 keys -> logging, state directory, totem -> start rules -> Config
//	TOML           -> ParseTOML     /
//
// The rounds have stock's order, because the first finding is the verdict:
// the grammar (parse.go, section.go), uidgid.d (uidgid.go), logging
// (logging.go), the state directory, the totem section as it is read (totem.go,
// crypto.go, local.go, links.go, nodes.go, timers.go) and validated
// (validate.go). Up to here the verdict is that of `corosync -t`, message and
// line included. What stock finds out only when it starts is in start.go; what
// it never says, but an administrator wants to hear, is in advice*.go.
//
// A [Document] is a file on its way into the other language (migrate.go):
// corowrite.go and tomlwrite.go write keys, comments*.go carry comments along,
// and dialect.go reads a file as corosync 2.4 did and says what has no equal. A
// translation is read again before it is given away, and must be the same keys.
//
// A running daemon reads a file again with reload.go. compare*.go tells what
// differs between two nodes' files, and between a file and a running daemon.
// jsonschema.go and example.go describe the TOML form, out of the table that it
// is read by (schema.go).
//
// The world outside the file (host name, addresses, resolver, users, files) is
// an [Env], so that a verdict can be reproduced anywhere.
//
// Reference: exec/coroparse.c, exec/totemconfig.c, exec/logconfig.c,
// exec/votequorum.c (votequorum_readconfig), exec/main.c (main).
//
// Not done: the reading of 1.4 but for what it has in common with 2.4, more than 28 different log files
// (stock's table is full then).
//
// To add a key: give it a type in types.go if it is not text, a row in
// schema.go for its place in TOML, a text in jsonschema_about.go, and read it
// where it takes effect. If it must be the same on all nodes, compare.go has to
// know; if it cannot change while the daemon runs, reload.go.
package conf
