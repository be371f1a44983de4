// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what a client may cost. A zero cap means no cap; every other field must be positive.
type Config struct {
	// HandshakeTimeout is how long a client may take to send its whole ClientHello.
	HandshakeTimeout time.Duration
	// MaxHelloBytes bounds the ClientHello, record headers included.
	MaxHelloBytes int
	// IdleTimeout closes a connection that carried no byte either way for so long. WebSockets rest, so be generous.
	IdleTimeout time.Duration
	// HalfClosedTimeout replaces IdleTimeout once one side has finished sending.
	HalfClosedTimeout time.Duration

	// MaxConnections caps all connections together.
	MaxConnections int
	// MaxConnectionsPerSource caps one IPv4 address or one IPv6 /64.
	MaxConnectionsPerSource int
	// MaxConnectionsPerTenant caps one tenant, so that its crowd leaves room for the others.
	MaxConnectionsPerTenant int

	// DrainDelay goes on accepting after readiness went off, while load balancers still send here. May be zero.
	DrainDelay time.Duration
	// DrainTimeout is how long open connections may end by themselves before they are cut. May be zero.
	DrainTimeout time.Duration
}

// DefaultConfig suits a gateway that sees real client addresses, in a pod with 256 MiB.
func DefaultConfig() Config {
	return Config{
		HandshakeTimeout:        10 * time.Second,
		MaxHelloBytes:           16 << 10,
		IdleTimeout:             time.Hour,
		HalfClosedTimeout:       time.Minute,
		MaxConnections:          8000,
		MaxConnectionsPerSource: 256,
		MaxConnectionsPerTenant: 4000,
		DrainDelay:              5 * time.Second,
		DrainTimeout:            20 * time.Second,
	}
}

// Validate reports every unusable field at once.
func (c Config) Validate() error {
	return errors.Join(
		positive("handshake timeout", c.HandshakeTimeout),
		positive("maximum ClientHello size", c.MaxHelloBytes),
		positive("idle timeout", c.IdleTimeout),
		positive("half-closed timeout", c.HalfClosedTimeout),
		notNegative("total connection cap", c.MaxConnections),
		notNegative("connection cap per source", c.MaxConnectionsPerSource),
		notNegative("connection cap per tenant", c.MaxConnectionsPerTenant),
		notNegative("drain delay", c.DrainDelay),
		notNegative("drain timeout", c.DrainTimeout),
	)
}

func positive[T int | time.Duration](name string, value T) error {
	if value <= 0 {
		return fmt.Errorf("%s: want more than 0, got %v", name, value)
	}
	return nil
}

func notNegative[T int | time.Duration](name string, value T) error {
	if value < 0 {
		return fmt.Errorf("%s: want 0 or more, got %v", name, value)
	}
	return nil
}
