package live

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cpgol/conformance/lab"
)

// TestClearClients: what is counted of a client is the same beside stock and beside
// ours, before and after it was set to zero.
func TestClearClients(t *testing.T) {
	both := pair(t, lab.Ring{Transport: "knet"})
	got := make([]string, len(both))
	each(t, both, func(i int, c *cluster) error {
		if err := c.grow(); err != nil {
			return err
		}
		p, err := c.Hosts[0].StartClient(clientBinary, "g")
		if err != nil {
			return err
		}
		p.Send(20, 100)
		if err := p.WaitCount(10*time.Second, "deliver", 20); err != nil {
			return err
		}
		// Of the client only: service 2 is cpg's.
		mine := regexp.MustCompile(fmt.Sprintf(`(?m)^stats\.ipcs\.service2\.%d\.0x[0-9a-f]+\.(.*)$`, p.PID()))
		for range 2 {
			for _, f := range mine.FindAllStringSubmatch(c.tool(1, "corosync-cmapctl", "-m", "stats", "stats.ipcs.service2."), -1) {
				got[i] += f[1] + "\n"
			}
			got[i] += c.tool(1, "corosync-cmapctl", "-C", "ipc")
		}
		return nil
	})
	// How often a daemon looks for a request that is not there yet is chance.
	retries := regexp.MustCompile(`(?m)^recv_retries (.*) = \d+$`)
	for i := range got {
		got[i] = retries.ReplaceAllString(got[i], "recv_retries $1 = some")
	}
	if d := cmp.Diff(lines(got[0]), lines(got[1])); d != "" {
		t.Errorf("stock (-), ours (+):\n%s", d)
	}
	t.Log(got[1])
}
