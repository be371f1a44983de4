// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"fmt"
	"strings"

	"github.com/chattenant/chattenant/hack/localcluster/internal/machine"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// outsideProcesses are what the cluster could reach if it had the internet: names and servers.
func outsideProcesses() []machine.Process {
	return []machine.Process{
		{Name: "dns", Argv: []string{program("coredns"), "-conf", config("Corefile")}},
		{Name: "servers", Argv: []string{self, "outside-servers"}},
	}
}

// outsideCorefile resolves the servers' names, and any other below "example" to the first of them. It logs every
// question, so that a test can tell that none was asked. The first template that fits answers; a hosts file would come
// after all of them, wherever it is written. Names that hold their own answers have a server of their own behind it.
func outsideCorefile() string {
	var names strings.Builder
	for _, server := range topology.OutsideServers() {
		names.WriteString(answering(server.Name, server.Address))
	}
	names.WriteString(answering("example", topology.OutsideServers()[0].Address))
	return fmt.Sprintf(`.:53 {
    bind %[1]s
    log
    errors
%[2]s    template IN ANY . {
        rcode NXDOMAIN
    }
}
%[3]s:53 {
    bind %[1]s
    log
    errors
    forward . %[4]s
}
`, topology.OutsideDNS, names.String(), topology.OutsideAnswers, topology.OutsideNames)
}

// answering has a name, and what is below it, resolve to an address.
func answering(name, address string) string {
	return fmt.Sprintf(`    template IN A %s {
        answer "{{ .Name }} 60 IN A %s"
    }
`, name, address)
}
