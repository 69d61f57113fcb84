package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cpgol/wire/knet"
	"cpgol/wire/totem"
)

// A sidecar is the JSON file beside a recording.
type sidecar struct {
	Name  string `json:"name"`
	Nodes []struct {
		NodeID    totem.NodeID `json:"nodeid"`
		Corosync  string       `json:"corosync"`
		Addresses []string     `json:"addresses"`
	} `json:"nodes"`
	Transport    string `json:"transport"`
	AuthkeyHex   string `json:"authkey_hex"`
	CorosyncConf string `json:"corosync_conf"`
	PcapSHA256   string `json:"pcap_sha256"`
}

// A capture is what the sidecar says, ready for use.
type capture struct {
	name   string
	dir    string
	knet   bool
	pcap   []byte
	crypto *knet.Crypto
	conf   confFile
	hosts  map[netip.Addr]totem.NodeID
	nodes  []totem.NodeID // in the sidecar's order
	// version is each node's Corosync release.
	version map[totem.NodeID]string
	ports   map[uint16]bool
}

// loadCapture reads the sidecar and the recording that it names, whose digest
// must be the one it tells.
func loadCapture(path string) (*capture, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s sidecar
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := &capture{name: s.Name, dir: filepath.Dir(path), hosts: make(map[netip.Addr]totem.NodeID), version: make(map[totem.NodeID]string)}
	if c.name == "" {
		c.name = strings.TrimSuffix(filepath.Base(path), ".json")
	}
	pcap := filepath.Join(c.dir, c.name+".pcapng")
	if c.pcap, err = os.ReadFile(pcap); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(c.pcap); !strings.EqualFold(hex.EncodeToString(sum[:]), s.PcapSHA256) {
		return nil, fmt.Errorf("%s: SHA-256 is %x, the sidecar says %s", pcap, sum, s.PcapSHA256)
	}
	c.conf = parseConf(s.CorosyncConf)
	if err := c.addHosts(&s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.readTransport(&s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *capture) addHosts(s *sidecar) error {
	for _, n := range s.Nodes {
		c.nodes = append(c.nodes, n.NodeID)
		c.version[n.NodeID] = n.Corosync
		for _, text := range n.Addresses {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("address of node %d: %w", n.NodeID, err)
			}
			c.hosts[addr] = n.NodeID
		}
	}
	if len(c.hosts) == 0 {
		return errors.New("no node has an address")
	}
	return nil
}

// readTransport takes crypto and ports from the configuration, as
// totemconfig.c does: secauth presets both algorithms, link n has port 5405+n
// unless told otherwise.
func (c *capture) readTransport(s *sidecar) error {
	totemKeys := c.conf.first("totem")
	transport := s.Transport
	if transport == "" {
		transport = totemKeys.get("transport", "knet")
	}
	c.knet = transport == "knet"
	c.ports = map[uint16]bool{}
	for link := range 8 {
		c.ports[uint16(5405+link)] = true
	}
	for i, iface := range totemKeys.all("interface") {
		link, _ := strconv.Atoi(iface.get("linknumber", iface.get("ringnumber", strconv.Itoa(i))))
		port, err := strconv.ParseUint(iface.get("mcastport", ""), 10, 16)
		if err != nil {
			continue
		}
		if link == 0 && !c.knet {
			clear(c.ports)
		} else {
			delete(c.ports, uint16(5405+link))
		}
		c.ports[uint16(port)] = true
	}
	if !c.knet {
		return nil
	}
	cipher, hash := "none", "none"
	if totemKeys.get("secauth", "off") == "on" {
		cipher, hash = "aes256", "sha256"
	}
	cipher, hash = totemKeys.get("crypto_cipher", cipher), totemKeys.get("crypto_hash", hash)
	key, err := hex.DecodeString(s.AuthkeyHex)
	if err != nil {
		return fmt.Errorf("authkey_hex: %w", err)
	}
	if c.crypto, err = knet.NewCrypto(cipher, hash, key[:min(len(key), knet.MaxKeyLen)]); err != nil {
		return err
	}
	return nil
}

// nodeOf finds the node that a file name's n<i> means: the one that the
// configuration calls so, else the one with that id, else the i-th.
func (c *capture) nodeOf(i int) (totem.NodeID, bool) {
	for _, list := range c.conf.all("nodelist") {
		for _, node := range list.all("node") {
			if node.get("name", "") != fmt.Sprintf("n%d", i) {
				continue
			}
			if id, err := strconv.ParseUint(node.get("nodeid", ""), 10, 32); err == nil {
				return totem.NodeID(id), true
			}
		}
	}
	if slices.Contains(c.nodes, totem.NodeID(i)) {
		return totem.NodeID(i), true
	}
	if i >= 1 && i <= len(c.nodes) {
		return c.nodes[i-1], true
	}
	return 0, false
}

// A confFile is a section of a corosync.conf. Only a few keys are wanted here
// and the file comes from another machine, so this reads the grammar leniently
// and judges nothing; compat/conf does.
type confFile struct {
	keys     map[string]string
	sections map[string][]confFile
}

func parseConf(text string) confFile {
	stack := []confFile{{keys: map[string]string{}, sections: map[string][]confFile{}}}
	var names []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		top := stack[len(stack)-1]
		switch {
		case line == "" || line[0] == '#':
		case strings.HasSuffix(line, "{"):
			names = append(names, strings.TrimSpace(strings.TrimSuffix(line, "{")))
			stack = append(stack, confFile{keys: map[string]string{}, sections: map[string][]confFile{}})
		case line == "}":
			if len(names) == 0 {
				continue
			}
			name := names[len(names)-1]
			names, stack = names[:len(names)-1], stack[:len(stack)-1]
			outer := stack[len(stack)-1]
			outer.sections[name] = append(outer.sections[name], top)
		default:
			if key, value, ok := strings.Cut(line, ":"); ok {
				top.keys[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
	return stack[0]
}

func (c confFile) get(key, otherwise string) string {
	if v, ok := c.keys[key]; ok {
		return v
	}
	return otherwise
}

func (c confFile) all(section string) []confFile { return c.sections[section] }

func (c confFile) first(section string) confFile {
	if all := c.sections[section]; len(all) > 0 {
		return all[0]
	}
	return confFile{}
}
