// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig

import (
	"fmt"
	"time"
)

// Limits bound what one gateway spends. Every field is required; [DefaultLimits] suits a pod with 64 MiB.
type Limits struct {
	// MaxConnections caps all connections together, those that are still being decided included.
	MaxConnections int32 `json:"maxConnections"`
	// MaxConnectionsPerRecipient leaves room for the others while one recipient is slow.
	MaxConnectionsPerRecipient int32 `json:"maxConnectionsPerRecipient"`
	// RequestSeconds is how long a client may take for its TLS handshake and CONNECT together.
	RequestSeconds int32 `json:"requestSeconds"`
	// ResolveSeconds bounds the one resolution of the host.
	ResolveSeconds int32 `json:"resolveSeconds"`
	// HelloSeconds is how long a client may take to send its whole ClientHello after the answer to its CONNECT.
	HelloSeconds int32 `json:"helloSeconds"`
	// DialSeconds bounds reaching any of the host's addresses.
	DialSeconds int32 `json:"dialSeconds"`
	// IdleSeconds closes a connection that carried no byte either way for so long.
	IdleSeconds int32 `json:"idleSeconds"`
	// HalfClosedSeconds replaces IdleSeconds once one side has finished sending.
	HalfClosedSeconds int32 `json:"halfClosedSeconds"`
}

// DefaultLimits suits a chat server: connections are few, and idle ones of a client's pool may rest a while.
func DefaultLimits() Limits {
	return Limits{
		MaxConnections: 512, MaxConnectionsPerRecipient: 256,
		RequestSeconds: 10, ResolveSeconds: 5, HelloSeconds: 10, DialSeconds: 10,
		IdleSeconds: 300, HalfClosedSeconds: 60,
	}
}

// Request is RequestSeconds as a duration.
func (l Limits) Request() time.Duration { return seconds(l.RequestSeconds) }

// Resolve is ResolveSeconds as a duration.
func (l Limits) Resolve() time.Duration { return seconds(l.ResolveSeconds) }

// Hello is HelloSeconds as a duration.
func (l Limits) Hello() time.Duration { return seconds(l.HelloSeconds) }

// Dial is DialSeconds as a duration.
func (l Limits) Dial() time.Duration { return seconds(l.DialSeconds) }

// Idle is IdleSeconds as a duration.
func (l Limits) Idle() time.Duration { return seconds(l.IdleSeconds) }

// HalfClosed is HalfClosedSeconds as a duration.
func (l Limits) HalfClosed() time.Duration { return seconds(l.HalfClosedSeconds) }

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

const (
	mostConnections = 100_000
	mostSeconds     = 24 * 60 * 60
)

func (l Limits) validate() (errs []error) {
	for _, f := range []struct {
		name      string
		got, most int32
	}{
		{"maxConnections", l.MaxConnections, mostConnections},
		{"maxConnectionsPerRecipient", l.MaxConnectionsPerRecipient, mostConnections},
		{"requestSeconds", l.RequestSeconds, mostSeconds},
		{"resolveSeconds", l.ResolveSeconds, mostSeconds},
		{"helloSeconds", l.HelloSeconds, mostSeconds},
		{"dialSeconds", l.DialSeconds, mostSeconds},
		{"idleSeconds", l.IdleSeconds, mostSeconds},
		{"halfClosedSeconds", l.HalfClosedSeconds, mostSeconds},
	} {
		if f.got < 1 || f.got > f.most {
			errs = append(errs, fmt.Errorf("limits.%s: want 1 to %d, got %d", f.name, f.most, f.got))
		}
	}
	return errs
}
