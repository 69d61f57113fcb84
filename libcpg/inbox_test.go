package libcpg

import (
	"fmt"
	"testing"
)

// TestInbox: items come out in their order, storage does not grow while it is never
// empty, and what was read into a shared buffer is kept.
func TestInbox(t *testing.T) {
	var q inbox
	buffer := make([]byte, 4)
	next, told := 0, 0
	push := func() {
		mark := q.mark()
		copy(buffer, fmt.Sprintf("%04d", next))
		q.push(item{kind: Message, data: buffer})
		q.keep(mark)
		next++
	}
	for range 100 {
		push()
	}
	for range 100_000 {
		push()
		if it := q.pop(); string(it.data) != fmt.Sprintf("%04d", told)[:4] {
			t.Fatalf("item %d is %q", told, it.data)
		}
		told++
	}
	if cap(q.items) > 400 {
		t.Errorf("room for %d items, 100 are there", cap(q.items))
	}
	if q.size != 100*4 {
		t.Errorf("counts %d bytes", q.size)
	}
	for !q.empty() {
		q.pop()
	}
	if q.size != 0 || q.mark() != next {
		t.Errorf("counts %d bytes when empty, mark %d", q.size, q.mark())
	}
}
