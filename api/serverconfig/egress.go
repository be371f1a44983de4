// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig

import (
	"fmt"
	"net"
)

// Egress is the tenant's egress gateway, the only way to anything outside. Both sides prove themselves.
type Egress struct {
	// Address is where the gateway listens, host:port.
	Address string `json:"address"`
	// ServerName is the name in the gateway's certificate.
	ServerName string `json:"serverName"`
	// TLS is shown to the gateway. The files are read for every connection, so whoever renews them need not restart
	// anything.
	TLS KeyPair `json:"tls"`
	// CAFile holds the only roots that may have signed the gateway's certificate.
	CAFile string `json:"caFile"`
}

func (e *Egress) validate(path string) []error {
	if e == nil {
		return nil
	}
	errs := missing(field{path + ".serverName", e.ServerName}, field{path + ".tls.certFile", e.TLS.CertFile},
		field{path + ".tls.keyFile", e.TLS.KeyFile}, field{path + ".caFile", e.CAFile})
	if host, port, err := net.SplitHostPort(e.Address); err != nil || host == "" || port == "" {
		errs = append(errs, fmt.Errorf("%s.address: want host:port, got %q", path, e.Address))
	}
	return errs
}
