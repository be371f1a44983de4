// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

func (t Target) timeout() time.Duration {
	if t.TimeoutMs == 0 {
		return defaultTimeout
	}
	return time.Duration(t.TimeoutMs) * time.Millisecond
}

func (t Target) validate() error {
	if t.ID == "" {
		return errors.New("id is missing")
	}
	if _, ok := networks[t.Network]; !ok {
		return fmt.Errorf("%s: network %q: want tcp, tls, udp or dns", t.ID, t.Network)
	}
	if _, _, err := net.SplitHostPort(t.Address); err != nil {
		return fmt.Errorf("%s: address: %w", t.ID, err)
	}
	if t.TimeoutMs < 0 || t.timeout() > maxTimeout {
		return fmt.Errorf("%s: timeoutMs: want 0 to %d, got %d", t.ID, maxTimeout.Milliseconds(), t.TimeoutMs)
	}
	if t.Expect != "" && !t.Expect.known() {
		return fmt.Errorf("%s: expect: unknown outcome %q", t.ID, t.Expect)
	}
	return nil
}

// parseTargets reads a list strictly: a misspelt field must not turn a check off.
func parseTargets(data []byte) ([]Target, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var targets []Target
	if err := decoder.Decode(&targets); err != nil {
		return nil, fmt.Errorf("parse targets: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse targets: something follows the list")
	}
	seen := map[string]bool{}
	for _, target := range targets {
		if err := target.validate(); err != nil {
			return nil, fmt.Errorf("target %w", err)
		}
		if seen[target.ID] {
			return nil, fmt.Errorf("target %s: id appears twice", target.ID)
		}
		seen[target.ID] = true
	}
	return targets, nil
}
