// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	defaultTimeout = 2 * time.Second
	maxTimeout     = time.Minute
)

// Target is one thing to try.
type Target struct {
	// ID names the target in the result. It is unique in its list.
	ID string `json:"id"`
	// Network is tcp, tls, udp or dns.
	Network string `json:"network"`
	// Address is host:port; the host is best an IP address, since resolving a name is a probe of its own.
	Address string `json:"address"`
	// TimeoutMs bounds the try, in milliseconds. Zero means two seconds.
	TimeoutMs int `json:"timeoutMs,omitempty"`
	// Expect is the outcome that is right, when the prober is to judge.
	Expect Outcome `json:"expect,omitempty"`
	// ServerName is sent by tls; empty means the address's host.
	ServerName string `json:"serverName,omitempty"`
	// Query is asked for by dns; empty means the API server's Service.
	Query string `json:"query,omitempty"`
}

// Timeout bounds the try.
func (t Target) Timeout() time.Duration {
	if t.TimeoutMs == 0 {
		return defaultTimeout
	}
	return time.Duration(t.TimeoutMs) * time.Millisecond
}

// Validate says what keeps the target from being tried.
func (t Target) Validate() error {
	if t.ID == "" {
		return errors.New("id is missing")
	}
	if _, ok := networks[t.Network]; !ok {
		return fmt.Errorf("%s: network %q: want tcp, tls, udp or dns", t.ID, t.Network)
	}
	if _, _, err := net.SplitHostPort(t.Address); err != nil {
		return fmt.Errorf("%s: address: %w", t.ID, err)
	}
	if t.TimeoutMs < 0 || t.Timeout() > maxTimeout {
		return fmt.Errorf("%s: timeoutMs: want 0 to %d, got %d", t.ID, maxTimeout.Milliseconds(), t.TimeoutMs)
	}
	if t.Expect != "" && !t.Expect.Known() {
		return fmt.Errorf("%s: expect: unknown outcome %q", t.ID, t.Expect)
	}
	return nil
}
