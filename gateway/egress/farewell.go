// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"errors"
	"io"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/hello"
)

// turnAway answers a request that is refused, or names why there was none.
func (c *connection) turnAway(err error) Result {
	var refused *refusal
	if !errors.As(err, &refused) {
		return unread(err, ResultClientGone)
	}
	c.farewell([]byte(refused.answer()))
	return Result(refused.reason)
}

// alert tells a client whose CONNECT was answered why nothing comes of it, unless it left by itself.
func (c *connection) alert(result Result) Result {
	if description := egressconfig.Reason(result).Alert(); description != 0 {
		c.farewell(hello.AlertRecord(description))
	}
	return result
}

// farewell sends the last words and reads for a moment what the client still says: closing a connection with unread
// bytes resets it, and the words may be lost with it.
func (c *connection) farewell(words []byte) {
	if err := c.tcp.SetDeadline(c.Clock.Now().Add(farewellTime)); err != nil {
		return
	}
	if _, err := c.tls.Write(words); err != nil {
		return
	}
	if err := c.tls.CloseWrite(); err != nil {
		return
	}
	if err := c.tcp.CloseWrite(); err != nil {
		return
	}
	// However it ends, the connection is closed next.
	_, _ = io.CopyN(io.Discard, c.tcp, farewellBytes)
}

// log writes the one line of a connection. It knows recipients, never people: what a client asked for appears only in
// the form of an endpoint.
func (c *connection) log(result Result) {
	values := []any{"result", result, "seconds", c.Clock.Since(c.start).Seconds()}
	if c.session != nil {
		values = append(values,
			"recipient", c.session.recipient, "host", c.session.endpoint.Host, "port", c.session.endpoint.Port)
	}
	if c.sent != nil {
		values = append(values, "sent", c.sent.bytes.Load(), "received", c.received.bytes.Load())
	}
	c.Log.Info("connection", values...)
}
