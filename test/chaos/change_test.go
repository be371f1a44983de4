// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"slices"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// keep notes every other of the person's messages as one that may be changed. The other acknowledgement of a message
// said twice is not kept: what was deleted cannot be changed any more.
func (p *person) keep(ack *protocol.Ack) {
	const other = 2
	p.mu.Lock()
	defer p.mu.Unlock()
	if ack.Seq%other == 0 && !p.kept[ack.ID] {
		p.kept[ack.ID] = true
		p.own = append(p.own, ack)
	}
}

// change edits or deletes one of the person's messages, without waiting for the answer. It does nothing if there is no
// message to change, or if another change waits: the two could change places on the way.
func (p *person) change(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changing || len(p.own) == 0 {
		return false
	}
	message := p.own[0]
	c := &oracle.Change{
		Conversation: message.Conversation, Author: p.id, Target: message.ID, Kind: protocol.KindEdit, Body: p.text(),
	}
	if p.random.IntN(2) == 0 {
		c.Kind, c.Body = protocol.KindDeletion, ""
		p.own = p.own[1:]
	}
	p.changing = true
	p.oracle.Changing(c)
	p.sending.Go(func() {
		defer func() { <-p.outbox }()
		p.carryOut(ctx, c)
	})
	return true
}

func (p *person) carryOut(ctx context.Context, c *oracle.Change) {
	var ack *protocol.Ack
	var err error
	if c.Kind == protocol.KindDeletion {
		ack, err = p.session.Delete(ctx, c.Conversation, c.Target)
	} else {
		ack, err = p.session.Edit(ctx, c.Conversation, c.Target, c.Body)
	}
	switch {
	case err == nil:
		p.oracle.Changed(c, ack)
	case ctx.Err() == nil:
		p.refused(fmt.Sprintf("conversation %s: a change (%s)", c.Conversation, c.Kind), err, c.Target)
		p.oracle.Unchanged(c)
	case p.lost.Load():
		p.oracle.Unchanged(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changing = false
	if err != nil {
		p.own = slices.DeleteFunc(p.own, func(ack *protocol.Ack) bool { return ack.ID == c.Target })
	}
}
