package conf

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAdjust: keys that clients set count, together with what hangs on them;
// values that cannot be are refused, and what is fixed stays.
func TestAdjust(t *testing.T) {
	running := loaded(t, strings.Replace(withNodes(3, ""), "version: 2", "version: 2\ntoken: 2000\ncrypto_cipher: aes256\ncrypto_hash: sha1\n"+
		"cluster_name: one\nkey: "+strings.Repeat("k", 200), 1))
	live := func(change func(m *keyMap)) []Key {
		m := mapOf(running.Keys)
		change(m)
		return m.list()
	}
	same, err := Adjust(running, live(func(*keyMap) {}))
	if err != nil || same.Crypto || len(same.Notices) > 0 || same.Config.Totem != running.Totem || !slices.Equal(same.Config.Keys, running.Keys) {
		t.Errorf("nothing: %+v, %v", same, err)
	}
	p, err := Adjust(running, live(func(m *keyMap) {
		m.setNum("totem.token", TypeU32, 4000)
		m.setText("logging.debug", "on")
		m.setText("totem.cluster_name", "two")
		m.setText("quorum.two_node", "is not looked at")
	}))
	if err != nil || p.Config.Totem.Token != 4650*time.Millisecond || keyText(p.Config, "runtime.config.totem.consensus") != "5580" ||
		p.Config.Logging.Top.Debug != "on" || p.Config.Name != "one" || len(p.Notices) != 1 || p.Crypto {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = Adjust(running, live(func(m *keyMap) { m.remove("totem.token") }))
	if err != nil || p.Config.Totem.Token != 3650*time.Millisecond {
		t.Errorf("the default: %v", err)
	}
	if _, err = Adjust(running, live(func(m *keyMap) { m.setNum("totem.join", TypeU32, 1) })); err == nil ||
		err.Error() != "Configuration is not valid: cmap: totem.join: The join timeout parameter (1 ms) may not be less than (30 ms)." {
		t.Error(err)
	}
}
