// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"slices"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// outbox keeps what was said and not answered, in the order it was said.
type outbox struct {
	pending []*pending
}

// pending is an encoded frame that waits for its answer.
type pending struct {
	id     uuid.UUID
	data   []byte
	done   chan struct{}
	answer protocol.Frame
	err    error
}

func (o *outbox) add(id uuid.UUID, data []byte) *pending {
	p := &pending{id: id, data: data, done: make(chan struct{})}
	o.pending = append(o.pending, p)
	return p
}

func (o *outbox) find(id uuid.UUID) *pending {
	i := slices.IndexFunc(o.pending, func(p *pending) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return o.pending[i]
}

func (o *outbox) remove(id uuid.UUID) {
	o.pending = slices.DeleteFunc(o.pending, func(p *pending) bool { return p.id == id })
}

// settle ends the wait for every frame of that id.
func (o *outbox) settle(id uuid.UUID, answer protocol.Frame, err error) {
	for _, p := range o.pending {
		if p.id == id {
			p.answer, p.err = answer, err
			close(p.done)
		}
	}
	o.remove(id)
}

func (o *outbox) failAll(err error) {
	for _, p := range o.pending {
		p.err = err
		close(p.done)
	}
	o.pending = nil
}

// frames returns everything unanswered, to be sent again.
func (o *outbox) frames() [][]byte {
	out := make([][]byte, 0, len(o.pending))
	for _, p := range o.pending {
		out = append(out, p.data)
	}
	return out
}
