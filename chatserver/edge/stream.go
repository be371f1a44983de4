// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// stream is an answer that does not end by itself: what a client is sent where WebSockets are blocked.
type stream struct {
	connection
	out     http.ResponseWriter
	control *http.ResponseController
}

// openStream answers hello with the frames that a socket would carry.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request) error {
	if err := s.limits.handshakes.take(addressKey(r)); err != nil {
		return err
	}
	data, err := readJSON(r)
	if err != nil {
		return err
	}
	hello, err := protocol.DecodeClient(data)
	if err != nil {
		return violation("the body is not a frame of this protocol")
	}
	c := s.newStream(w)
	if err := s.connections.add(&c.connection, s.clock.Now()); err != nil {
		return err
	}
	defer s.connections.remove(&c.connection)
	welcome, err := c.join(r.Context(), hello, cookieOf(r))
	if err != nil {
		return err
	}
	c.enter()
	defer c.exit()
	defer c.turns.end()
	if err := c.answer(); err != nil {
		return err
	}
	c.live(r.Context(), welcome)
	return nil
}

func (s *Server) newStream(w http.ResponseWriter) *stream {
	c := &stream{
		connection: connection{
			server: s, open: s.metrics.streams, ended: s.metrics.streamsClosed, lifetime: s.config.Timing.Stream,
			last: make(chan farewell, 1), draining: make(chan time.Duration, 1),
		},
		out: w, control: http.NewResponseController(w),
	}
	c.transport = c
	return c
}

// prelude is a comment as long as what scanners hold back of an answer before they let any of it pass.
var prelude = []byte(":" + strings.Repeat(" ", 2<<10) + "\n\n")

// live works through all turns. The answer ends when it returns.
func (c *stream) live(ctx context.Context, welcome *protocol.Welcome) {
	turn := make(chan struct{}, 1)
	c.start = func() { turn <- struct{}{} }
	defer context.AfterFunc(ctx, c.wake)()
	c.begin(ctx, welcome)
	for !c.turns.isOver() {
		<-turn
		c.work(ctx)
	}
}

// answer starts the answer. It leaves with the first frame.
func (c *stream) answer() error {
	// The server's time-out is for a request; it would end the stream.
	if err := c.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("begin stream: %w", err)
	}
	h := c.out.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	c.out.WriteHeader(http.StatusOK)
	c.within(c.server.config.Timing.Write)
	// If this fails, the next write does too.
	_, _ = c.out.Write(prelude)
	return nil
}

// within gives the client so long to read what is written next.
func (c *stream) within(d time.Duration) {
	// Fails only on a connection that is gone, as the write will show.
	_ = c.control.SetWriteDeadline(c.server.clock.Now().Add(d))
}

// write implements transport.
func (c *stream) write(frames ...[]byte) error {
	for _, data := range frames {
		c.within(c.server.config.Timing.Write)
		if err := c.event(data); err != nil {
			return err
		}
	}
	return c.control.Flush()
}

// event writes one frame. JSON has no line feeds of its own.
func (c *stream) event(frame []byte) error {
	for _, part := range [][]byte{[]byte("data: "), frame, []byte("\n\n")} {
		if _, err := c.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// ping implements transport: a client cannot answer on a stream, which therefore has a lifetime.
func (c *stream) ping() error { return nil }

// leave implements transport. The answer ends when its handler returns, within the same time.
func (c *stream) leave(frame []byte, _ int) {
	c.within(c.server.config.Timing.Farewell)
	if frame != nil && c.event(frame) == nil {
		_ = c.control.Flush()
	}
}

// abort implements transport: after a write that failed the HTTP server cuts the connection.
func (c *stream) abort() {}

// close implements transport: the handler returns.
func (c *stream) close() {}
