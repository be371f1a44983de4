// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package protocol holds the wire form of the chat protocol, version 1: frames, bodies and error codes as
// docs/protocol.md describes them, with strict decoding for the server and lenient decoding for clients.
package protocol

import "time"

// Version is the protocol version spoken.
const Version = 1

// Subprotocol is the WebSocket subprotocol both sides must agree on.
const Subprotocol = "chattenant.v1"

// Limits in bytes of what a client may send.
const (
	// MaxBody bounds the body of an HTTP request.
	MaxBody = 16 << 10
	// MaxFrame bounds a frame after hello.
	MaxFrame = 16 << 10
	// MaxHello bounds the first frame: it carries a cursor per conversation.
	MaxHello = 64 << 10
)

// Limits of fields, in Unicode code points.
const (
	MaxMessage     = 4000
	MaxName        = 200
	MaxEmail       = 254
	MaxPhone       = 40
	MaxExternalID  = 200
	MaxSearch      = 200
	MinPassword    = 12
	MaxPassword    = 256
	MaxDisplayName = 100
)

// Times that both sides must agree on.
const (
	// HelloTimeout is how long a client may take from the handshake to its first frame.
	HelloTimeout = 10 * time.Second
	// HeartbeatInterval is how often the server speaks at least.
	HeartbeatInterval = 15 * time.Second
	// SilenceTimeout is how long a client waits for any frame before it reconnects.
	SilenceTimeout = 40 * time.Second
)

// Kind tells visitors from agents.
type Kind string

// Kinds of participant.
const (
	Visitor Kind = "visitor"
	Agent   Kind = "agent"
)
