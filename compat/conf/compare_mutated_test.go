package conf

import "testing"

// TestCompareMutated: of changed files too, one that is loaded differs from
// itself in nothing, by itself and while it runs, and comparing two of them ends.
func TestCompareMutated(t *testing.T) {
	texts := mutations(t, 11, 3000)
	compared, loaded := 0, 0
	for i, text := range texts {
		if _, _, err := CompareFiles("a.conf", "b.conf", twoFiles(text, texts[(i+1)%len(texts)])); err == nil {
			compared++
		}
		c, err := Load("a.conf", liveHost(text))
		if err != nil {
			continue
		}
		loaded++
		found, _, err := CompareFiles("a.conf", "b.conf", twoFiles(text, text))
		if len(found) > 0 || err != nil {
			t.Errorf("%+v, %v\n%s", found, err, text)
		}
		if changes, refused, err := CompareLive("a.conf", c.Keys, liveHost(text)); len(changes) > 0 || refused != nil || err != nil {
			t.Errorf("%v, %v, %v\n%s", changes, refused, err, text)
		}
	}
	if compared < 100 || loaded < 300 {
		t.Errorf("%d compared, %d loaded", compared, loaded)
	}
}
