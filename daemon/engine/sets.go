package engine

import (
	"slices"

	"cpgol/wire/totem"
)

// The membership protocol's sets are short lists in the order in which nodes
// became known; that order is visible in joins (memb_set_* in totemsrp.c).

// merge returns set with the nodes of more that it lacks behind it.
func merge(set, more []totem.NodeID) []totem.NodeID {
	for _, n := range more {
		if !slices.Contains(set, n) {
			set = append(set, n)
		}
	}
	return set
}

// subtract returns a new list of the nodes of a that are not in b.
func subtract(a, b []totem.NodeID) []totem.NodeID {
	var out []totem.NodeID
	for _, n := range a {
		if !slices.Contains(b, n) {
			out = append(out, n)
		}
	}
	return out
}

// subset reports whether all nodes of a are in b.
func subset(a, b []totem.NodeID) bool {
	for _, n := range a {
		if !slices.Contains(b, n) {
			return false
		}
	}
	return true
}

// sameSet reports whether a and b hold the same nodes. Like the reference it
// compares lengths first: lists with duplicates are equal to nothing sensible.
func sameSet(a, b []totem.NodeID) bool {
	return len(a) == len(b) && subset(a, b) && subset(b, a)
}
