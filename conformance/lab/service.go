package lab

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// StartService starts a program that is more than a client: it sees the host's
// /etc/corosync and /run in place of the machine's, as a daemon would, and what it
// says on either output are its lines.
func (h *Host) StartService(argv ...string) (*Client, error) {
	return h.follow(h.apart(context.Background(), append([]string{"sh", "-c", `exec "$@" 2>&1`, "sh"}, argv...)...), strings.Join(argv, " "))
}

// Among runs a program that sees the host's files as StartService's does and
// returns what it says; a non-zero status is an error.
func (h *Host) Among(argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	out, err := h.apart(ctx, argv...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return string(out), err
}
