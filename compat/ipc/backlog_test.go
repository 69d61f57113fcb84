package ipc

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestBacklog plays random pushes and pops against a queue.
func TestBacklog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b backlog
		var pool blockPool
		var model [][]byte
		sum := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(30_000, 70_000)).Draw(t, "size")
				msg := bytes.Repeat([]byte{byte(len(model))}, n)
				cut := rapid.IntRange(0, n).Draw(t, "cut")
				b.push(&pool, msg[:cut], msg[cut:])
				model = append(model, msg)
				sum += n
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if !bytes.Equal(b.front(), model[0]) {
					t.Fatalf("front: %d bytes, want %d", len(b.front()), len(model[0]))
				}
				b.pop(&pool)
				sum -= len(model[0])
				model = model[1:]
			},
			"drop": func(*rapid.T) {
				b.drop()
				model, sum = nil, 0
			},
			"": func(t *rapid.T) {
				if b.count != len(model) || b.empty() != (len(model) == 0) {
					t.Fatalf("count %d, want %d", b.count, len(model))
				}
				if b.bytes < sum+lengthLen*len(model) || b.empty() && b.bytes != 0 {
					t.Fatalf("%d bytes held for %d messages of %d bytes", b.bytes, b.count, sum)
				}
				if len(pool.spare) > maxSpare {
					t.Fatalf("%d spare blocks", len(pool.spare))
				}
			},
		})
	})
}
