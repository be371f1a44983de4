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
// question, so that a test can tell that none was asked.
func outsideCorefile() string {
	var hosts strings.Builder
	for _, server := range topology.OutsideServers() {
		fmt.Fprintf(&hosts, "        %s %s\n", server.Address, server.Name)
	}
	return fmt.Sprintf(`.:53 {
    bind %s
    log
    errors
    hosts {
%s        fallthrough
    }
    template IN A example {
        answer "{{ .Name }} 60 IN A %s"
    }
    template IN ANY . {
        rcode NXDOMAIN
    }
}
`, topology.OutsideDNS, hosts.String(), topology.OutsideServers()[0].Address)
}
