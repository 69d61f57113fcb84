package engine

import (
	"testing"
)

func TestRingForms(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 16} {
		r := formRing(t, n, nil)
		t.Logf("%d nodes: %v", n, r.now)
	}
}
