// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"time"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Timing has the time-outs of connections and sockets.
type Timing struct {
	// ProxyHeader is how long a connection may take to its PROXY header.
	ProxyHeader time.Duration
	// RequestHeader is how long the TLS handshake and a request's header may take each, Request the whole request.
	RequestHeader, Request time.Duration
	// Hello is how long a client may take to its first frame.
	Hello time.Duration
	// Heartbeat is how often the server speaks, and pings.
	Heartbeat time.Duration
	// Silence is how long a client may send nothing, not even the answer to a ping.
	Silence time.Duration
	// Write is how long one frame may take to leave; a reader slower than that is disconnected.
	Write time.Duration
	// Stream is how long a stream lasts before its client has to start another: one that is dead without anybody
	// having noticed does not stay.
	Stream time.Duration
	// Farewell is how long the client gets to read the last frame and close.
	Farewell time.Duration
}

// DefaultTiming is what the protocol promises.
func DefaultTiming() Timing {
	return Timing{
		ProxyHeader:   3 * time.Second,
		RequestHeader: 5 * time.Second,
		Request:       10 * time.Second,
		Hello:         protocol.HelloTimeout,
		Heartbeat:     protocol.HeartbeatInterval,
		Silence:       3 * protocol.HeartbeatInterval,
		Write:         10 * time.Second,
		Stream:        5 * time.Minute,
		Farewell:      time.Second,
	}
}
