package totem

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cpgol/wire/wiretest"
)

// checkCodec checks everything a message's fixture promises: it decodes to
// want, encodes to the same bytes, and every shorter prefix fails.
func checkCodec(t *testing.T, fixture string, want Message) {
	t.Helper()
	b := wiretest.Unhex(t, fixture)
	got := newLike(want)
	n, err := got.Decode(b)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if n != len(b) {
		t.Errorf("Decode took %d bytes of %d", n, len(b))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(b, want.Append(nil)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	if _, isMcast := want.(*Mcast); isMcast {
		b = b[:McastLen] // a shorter payload is a valid multicast
	} else if n, err := newLike(want).Decode(append(b[:len(b):len(b)], 1, 2, 3)); n != len(b) || err != nil {
		t.Errorf("with bytes behind it: took %d, %v; want %d", n, err, len(b))
	}
	for i := range b {
		if n, err := newLike(want).Decode(b[:i]); err == nil {
			t.Errorf("prefix of %d bytes: took %d, want an error", i, n)
		} else if c := causeOf(t, err); c != CauseShort {
			t.Errorf("prefix of %d bytes: %v, want cause short", i, err)
		}
	}
}

func newLike(m Message) Message {
	h, err := ParseHeader(m.Append(nil))
	if err != nil {
		panic(err)
	}
	return New(h.Type)
}

func causeOf(t *testing.T, err error) Cause {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v (%T), want *Error", err, err)
	}
	return e.Cause
}

func checkRefused(t *testing.T, name string, m Message, packet []byte, want Cause) {
	t.Helper()
	n, err := m.Decode(packet)
	if err == nil {
		t.Errorf("%s: took %d bytes, want an error", name, n)
		return
	}
	if got := causeOf(t, err); got != want {
		t.Errorf("%s: %v: cause %v, want %v", name, err, got, want)
	}
}
