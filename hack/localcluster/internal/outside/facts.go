// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package outside

import "github.com/chattenant/chattenant/hack/localcluster/internal/topology"

// Facts says what there is to reach outside, for tests that must not.
type Facts struct {
	// CIDR is the outside's network.
	CIDR string `json:"cidr"`
	// DNS is its name server.
	DNS DNSFacts `json:"dns"`
	// Servers answer HTTP, and TLS for any server name with a certificate that CAFile certifies.
	Servers []ServerFacts `json:"servers"`
	// Metadata is the address on which clouds serve credentials; it answers HTTP here.
	Metadata ServerFacts `json:"metadata"`
	// CAFile is the path, on the host, of the servers' certificate authority.
	CAFile string `json:"caFile"`
}

// DNSFacts describes the name server: it knows the servers' names, and resolves any other name below Wildcard. Names
// below Answers hold their own answers, see [Names].
type DNSFacts struct {
	Address  string `json:"address"`
	Port     int    `json:"port"`
	Wildcard string `json:"wildcard"`
	Answers  string `json:"answers"`
	// LogFile is the path, on the host, of a log with a line for every question.
	LogFile string `json:"logFile"`
}

// ServerFacts describes a server by its open ports.
type ServerFacts struct {
	Name     string `json:"name,omitempty"`
	Address  string `json:"address"`
	TLSPorts []int  `json:"tlsPorts,omitempty"`
	TCPPorts []int  `json:"tcpPorts,omitempty"`
	UDPPorts []int  `json:"udpPorts,omitempty"`
}

// Describe returns the facts; caFile and logFile are paths on the host.
func Describe(caFile, logFile string) Facts {
	facts := Facts{
		CIDR: topology.OutsideCIDR,
		DNS: DNSFacts{
			Address: topology.OutsideDNS, Port: dnsPort, Wildcard: "example", Answers: topology.OutsideAnswers,
			LogFile: logFile,
		},
		Metadata: ServerFacts{Address: topology.MetadataAddress, TCPPorts: PlainPorts},
		CAFile:   caFile,
	}
	for _, server := range topology.OutsideServers() {
		facts.Servers = append(facts.Servers, ServerFacts{
			Name: server.Name, Address: server.Address, TLSPorts: TLSPorts, TCPPorts: PlainPorts, UDPPorts: UDPPorts,
		})
	}
	return facts
}
