package offload

import (
	"fmt"

	"cpgol/wire/exec"
)

// CertificateName is what a process's certificate says it is: a URI of node,
// process and group, the group's name in hexadecimal as it may hold any byte.
func CertificateName(m Member, group exec.GroupName) string {
	return fmt.Sprintf("cpgol://%d/%d/%x", m.Node, m.PID, group.Bytes())
}
