// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

const openTimeout = 5 * time.Second

// Open opens a conversation for p and answers with an opened or an error frame.
func (e *Engine) Open(ctx context.Context, p identity.Principal, open *protocol.Open) protocol.Frame {
	if !p.May(identity.OpenConversation, p.ID) {
		return protocolError(protocol.Forbidden, "only visitors open conversations", open.ClientID)
	}
	c, err := e.open(ctx, p, open)
	if err != nil {
		e.log.Error("Cannot open a conversation", "err", err)
		f := protocolError(protocol.Unavailable, "the conversation could not be opened now", open.ClientID)
		f.RetryAfterMs = retryAfter.Milliseconds()
		return f
	}
	return &protocol.Opened{
		ClientID: open.ClientID, Conversation: c.ID, OpenedAt: protocol.Time{Time: c.OpenedAt},
	}
}

func (e *Engine) open(ctx context.Context, p identity.Principal, open *protocol.Open) (store.Conversation, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var contact store.Contact
	if open.Contact != nil {
		c := open.Contact
		contact = store.Contact{
			Name: c.Name.String, Email: c.Email.String, Phone: c.Phone.String, ExternalID: c.ExternalID.String,
		}
	}
	c, created, err := e.store.OpenConversation(ctx, p.ID, open.ClientID, contact)
	if err != nil {
		return c, err
	}
	if created {
		e.metrics.conversations.Inc()
		e.hub.touch(store.Touched{Conversation: c.ID, Visitor: c.Visitor, Head: c.Head})
	}
	return c, nil
}

// ErrTooManySockets says that a principal already has as many subscriptions as one may have.
var ErrTooManySockets = errors.New("too many sockets")

// maxSockets bounds the subscriptions of one visitor or agent on a replica.
const maxSockets = 16

// admit refuses more sockets than anyone needs.
func (e *Engine) admit(p identity.Principal) error {
	if n := e.hub.count(p); n >= maxSockets {
		return fmt.Errorf("%w: %d", ErrTooManySockets, n)
	}
	return nil
}
