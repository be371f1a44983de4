// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// Transport is how frames travel.
type Transport int

const (
	// TransportAuto takes WebSockets, and streams where those are blocked. It is the zero value.
	TransportAuto Transport = iota
	// TransportWebSocket takes nothing but WebSockets.
	TransportWebSocket
	// TransportStream takes nothing but event streams and posts.
	TransportStream
)

const (
	// blockedAfter is how many WebSockets in a row must bring no frame before a stream is tried.
	blockedAfter = 2
	// firstFrame is how long a WebSocket that may be blocked has to bring one.
	firstFrame = 10 * time.Second
	// streamsFor is how long streams are preferred once one worked where WebSockets did not.
	streamsFor = 30 * time.Minute
)

// probeTimeout bounds the request that tells a blocked WebSocket from a server that is away.
const probeTimeout = 5 * time.Second

// choice decides what the next connection is. It is for the goroutine that connects.
type choice struct {
	transport Transport
	clock     clock.PassiveClock
	// failures counts the WebSockets in a row that brought no frame while requests were answered.
	failures int
	// streamsUntil is when a WebSocket is worth another try.
	streamsUntil time.Time
}

func (c *choice) next() Transport {
	if c.transport != TransportAuto {
		return c.transport
	}
	if c.failures >= blockedAfter || c.preferStreams() {
		return TransportStream
	}
	return TransportWebSocket
}

func (c *choice) preferStreams() bool { return c.clock.Now().Before(c.streamsUntil) }

// worked notes that a connection brought a frame.
func (c *choice) worked(t Transport) {
	switch {
	case t != TransportStream:
		c.failures = 0
	case !c.preferStreams():
		c.streamsUntil = c.clock.Now().Add(streamsFor)
		// The next WebSocket has a single try.
		c.failures = blockedAfter - 1
	}
}

// failed notes that a connection brought no frame. answers tells whether requests are answered meanwhile.
func (c *choice) failed(t Transport, answers func() bool) {
	switch {
	case c.transport != TransportAuto || c.preferStreams():
	case t == TransportStream || !answers():
		// It is not the WebSocket that is blocked.
		c.failures = 0
	default:
		c.failures++
	}
}

// learn notes what a connection says about the ways to the server. One that was given up, or refused in the server's
// own words, says nothing.
func (s *Session) learn(ctx context.Context, t Transport, heard bool, err error) {
	var refusal *Error
	switch {
	case heard:
		s.choice.worked(t)
	case ctx.Err() == nil && !errors.As(err, &refusal):
		s.choice.failed(t, func() bool { return s.client.answers(ctx) })
	}
}

// answers tells whether the server answers requests.
func (c *Client) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := c.Info(ctx)
	return err == nil
}

// wire carries frames. read is for one goroutine, the rest is safe for concurrent use.
type wire interface {
	// read returns the server's next frame, or how the wire ended; a server that is silent ends it.
	read() ([]byte, error)
	// write sends a frame now or later. That it may fail does not matter: the wire ends then, and unanswered frames go
	// out again on the next one.
	write(data []byte)
	close()
}

// dial makes a wire that has said hello.
func (s *Session) dial(ctx context.Context, t Transport) (wire, error) {
	hello, err := protocol.Encode(s.hello())
	if err != nil {
		return nil, err
	}
	if t == TransportStream {
		return s.dialStream(ctx, hello)
	}
	return s.dialSocket(ctx, hello)
}
