package mesh

import "testing"

// TestBuffers: each size has room for itself and a seal, and wastes little.
func TestBuffers(t *testing.T) {
	for size := 0; size <= 40<<20; size += size/13 + 1 {
		b := Get(size)
		if b.Len() != size || len(b.Bytes()) != size || len(b.data) < size+slack {
			t.Fatalf("size %d: %d, %d, %d", size, b.Len(), len(b.Bytes()), len(b.data))
		}
		if waste := len(b.data) - slack - size; waste > max(64, size/4) {
			t.Errorf("size %d: %d bytes wasted", size, waste)
		}
		b.Release()
	}
	for e := leastBits; e <= mostBits; e++ {
		if _, room := classOf(1 << e); room != 1<<e {
			t.Errorf("2^%d has a class of %d", e, room)
		}
	}
	if class, _ := classOf(1<<mostBits + 1); class != -1 {
		t.Error("there is a class for what is too large")
	}
}

// TestOwners: bytes serve the next message only when all owners let go.
func TestOwners(t *testing.T) {
	b := Get(100)
	b.Retain()
	b.Release()
	if c := Get(100); c == b {
		t.Error("a buffer was given away that has an owner")
	}
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("released once too often")
		}
	}()
	Get(1 << 25).Release() // not kept
	c := Get(1 << 25)
	c.Release()
	c.Release()
}
