// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// gather is how many bytes are collected before they are sent.
const gather = 8 << 10

// outgoing collects frames that leave together.
type outgoing struct {
	frames [][]byte
	bytes  int
	// err ends the connection once the frames are sent.
	err error
}

func (o *outgoing) add(frames ...[]byte) {
	for _, data := range frames {
		o.frames = append(o.frames, data)
		o.bytes += len(data)
	}
}

// answer adds the answer to a client's frame.
func (o *outgoing) answer(c *connection, reply protocol.Frame) {
	<-c.slots
	data, err := protocol.Encode(reply)
	if err != nil {
		o.err = err
		return
	}
	o.add(data)
}

// poll adds what the subscription has next.
func (o *outgoing) poll(ctx context.Context, c *connection) {
	frames, err := c.sub.Poll(ctx)
	o.add(frames...)
	switch {
	case errors.Is(err, conversation.ErrRevoked):
		o.err = c.revoked()
	case err != nil:
		o.err = &farewellError{farewell{code: websocket.CloseTryAgainLater, reason: "restored"}}
	}
}

// flush sends together what is due: an acknowledgement and its event, or the events of one commit. If that is much, it
// asks for another turn.
func (c *connection) flush(ctx context.Context) error {
	var out outgoing
	for more := true; more && out.err == nil; {
		select {
		case reply := <-c.replies:
			out.answer(c, reply)
		case <-c.sub.Ready():
			out.poll(ctx, c)
		default:
			more = false
		}
		if more && out.bytes >= gather {
			c.wake()
			more = false
		}
	}
	if len(out.frames) > 0 {
		if err := c.transport.write(out.frames...); err != nil {
			return err
		}
	}
	return out.err
}
