// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig

import (
	"fmt"
	"net"
)

// Client is how a program of the tenant reaches the gateway. Both sides prove themselves. The files are read for every
// connection, so whoever renews them need not restart anything.
type Client struct {
	// Address is where the gateway listens, host:port.
	Address string `json:"address"`
	// ServerName is the name in the gateway's certificate.
	ServerName string `json:"serverName"`
	// CertFile and KeyFile are shown to the gateway.
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
	// CAFile holds the only roots that may have signed the gateway's certificate.
	CAFile string `json:"caFile"`
}

// Validate lists every missing or malformed field. The errors begin with the field's name.
func (c Client) Validate() (errs []error) {
	if host, port, err := net.SplitHostPort(c.Address); err != nil || host == "" || port == "" {
		errs = append(errs, fmt.Errorf("address: want host:port, got %q", c.Address))
	}
	for _, f := range []struct{ name, value string }{
		{"serverName", c.ServerName}, {"certFile", c.CertFile}, {"keyFile", c.KeyFile}, {"caFile", c.CAFile},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("%s: required", f.name))
		}
	}
	return errs
}
