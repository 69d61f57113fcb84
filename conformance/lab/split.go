package lab

import (
	"fmt"
	"slices"
)

// Split moves hosts to switches of their own: they see each other and nobody
// else, and no network card notices. The rest see each other too. Heal takes it back.
func (l *Lab) Split(ids ...int) error {
	for link := range l.opt.Links {
		if err := l.ensureBridge(l.splitBridge(link)); err != nil {
			return err
		}
	}
	for _, h := range l.Hosts {
		for link := range l.opt.Links {
			bridge := fmt.Sprintf("br%d", link)
			if slices.Contains(ids, h.ID) {
				bridge = l.splitBridge(link)
			}
			if err := run("ip", "-n", l.space("sw"), "link", "set", h.port(link), "master", bridge); err != nil {
				return err
			}
		}
	}
	l.opt.Log("hosts %v split off", ids)
	return nil
}

// Heal lets all hosts see each other again.
func (l *Lab) Heal() error { return l.Split() }

func (l *Lab) splitBridge(link int) string { return fmt.Sprintf("split%d", link) }

func (l *Lab) ensureBridge(name string) error {
	sw := l.space("sw")
	if run("ip", "-n", sw, "link", "show", name) == nil {
		return nil
	}
	return l.bridge(name)
}

// port is the name of the host's port at a link's switch.
func (h *Host) port(link int) string { return fmt.Sprintf("p%d-%d", h.ID, link) }
