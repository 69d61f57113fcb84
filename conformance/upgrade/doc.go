// Package upgrade holds what a Pacemaker cluster must not notice: its Corosync
// daemons being replaced by ours, node by node, and back again.
//
// The clusters are Debian's own Pacemaker on three hosts of package lab, beside
// stock's daemons and ours. Two resources run in them, never on one node, each of
// which writes a line twice a second; fencing is on, through an agent that only
// writes down who was to be fenced. So the tests can say, from what was written,
// whether a resource ran without a gap and whether anybody's fencing was asked for.
//
//	go test ./conformance/upgrade -run TestRolling -v
//	go test ./conformance/upgrade -run TestRolling -repeat 5 -v -timeout 1h
//
// The second goes to ours and back five times in a row. The tests need root and
// Debian's pacemaker (make setup); without them they skip with the reason.
package upgrade
