package net

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A backlog gives back what was pushed, in order, whatever is dropped meanwhile.
func TestBacklogIsAQueue(t *testing.T) {
	to := [2]string{"10.0.0.1:1", "10.0.0.2:2"}
	rapid.Check(t, func(t *rapid.T) {
		var q backlog
		var model []string
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				p := parcel{to: addrPort(to[next%2]), b: fmt.Append(nil, "parcel ", next), segment: next, tag: uint32(next)}
				if q.push(p) {
					model = append(model, string(p.b))
				}
				next++
			},
			"drop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("nothing to drop")
				}
				n := rapid.IntRange(0, len(model)).Draw(t, "whole")
				part := 0
				if n < len(model) && len(model[n]) > 1 {
					part = rapid.IntRange(0, len(model[n])-1).Draw(t, "part")
				}
				q.drop(n, part)
				model = model[n:]
				if part > 0 {
					model[0] = model[0][part:]
				}
			},
			"": func(t *rapid.T) {
				var got []string
				q.each(func(p parcel) bool {
					if p.to != addrPort(to[int(p.tag)%2]) || p.segment != int(p.tag) {
						t.Fatalf("parcel %+v lost its address or segment", p)
					}
					got = append(got, string(p.b))
					return true
				})
				if diff := cmp.Diff(append([]string(nil), model...), got); diff != "" {
					t.Fatalf("backlog (-want +got):\n%s", diff)
				}
				if q.len() != len(model) {
					t.Fatalf("length %d, want %d", q.len(), len(model))
				}
			},
		})
	})
}

func TestBacklogIsBounded(t *testing.T) {
	for _, size := range []int{1, 1500, 65507} {
		var q backlog
		p := parcel{b: make([]byte, size)}
		n := 0
		for q.push(p) {
			n++
			if n > backlogBytes {
				t.Fatal("no bound")
			}
		}
		if want := backlogBytes / (size + parcelCost); n != want {
			t.Errorf("%d parcels of %d bytes, want %d", n, size, want)
		}
		// Full for long: one out, one in, must not grow the memory without end.
		for range 20 * n {
			q.drop(1, 0)
			if !q.push(p) {
				t.Fatal("no room after a drop")
			}
		}
		if c := cap(q.bytes); c > 4*backlogBytes {
			t.Errorf("%d bytes of memory for %d", c, backlogBytes)
		}
		q.drop(n, 0)
		if cap(q.bytes) > backlogKeep {
			t.Errorf("empty, and still %d bytes of memory", cap(q.bytes))
		}
	}
}
