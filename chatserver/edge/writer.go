// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// begin sends a connection's first frame and what is due already, for who has the first turn. From then on whoever has
// something for the client wakes it.
func (c *connection) begin(ctx context.Context, welcome *protocol.Welcome) {
	c.startSchedule()
	if err := c.send(welcome); err != nil {
		c.finish(err)
		return
	}
	c.sub.Notify(c.wake)
	c.work(ctx)
}

// wake has everything sent that is due, by a goroutine that is there for as long as something is.
func (c *connection) wake() {
	if c.turns.ask() {
		c.start()
	}
}

// work goes on until nothing is due any more, for who has the turn.
func (c *connection) work(ctx context.Context) {
	for more := true; more; more = c.turns.next() {
		if err := c.attend(ctx); err != nil {
			c.finish(err)
			return
		}
	}
}

// finish ends a connection for who has its turn, which is the last.
func (c *connection) finish(err error) {
	defer c.turns.end()
	var bye *farewellError
	switch {
	case errors.As(err, &bye):
		c.dismiss(bye.farewell)
		return
	case isTimeout(err):
		c.dismiss(farewell{code: websocket.CloseTryAgainLater, reason: "slow_reader"})
		c.transport.abort()
	}
	c.transport.close()
}

// farewellError ends a connection.
type farewellError struct{ farewell }

func (f *farewellError) Error() string { return f.reason }

// enter counts an open connection until its exit.
func (c *connection) enter() { c.open.WithLabelValues(string(c.principal.Kind)).Inc() }

// exit ends what a connection has open, after its last turn.
func (c *connection) exit() {
	c.turns.stop()
	c.stopSchedule()
	c.sub.Close()
	c.open.WithLabelValues(string(c.principal.Kind)).Dec()
}

func (c *connection) send(f protocol.Frame) error {
	data, err := protocol.Encode(f)
	if err != nil {
		return err
	}
	return c.transport.write(data)
}
