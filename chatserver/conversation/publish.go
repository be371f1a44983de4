// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// publish makes committed events known on this replica: into the cache first, then the markers, so that whoever is
// woken finds them there.
func (e *Engine) publish(appended store.Appended) {
	e.noteEpoch(appended.Epoch)
	touched := map[uuid.UUID]store.Touched{}
	for i := range appended.Outcomes {
		o := &appended.Outcomes[i]
		if o.Err != nil || o.Duplicate || !e.hub.interested(o.Visitor) {
			continue
		}
		e.remember(&o.Event)
		id := o.Event.Conversation
		touched[id] = store.Touched{Conversation: id, Visitor: o.Visitor, Head: o.Event.Seq}
	}
	for _, t := range touched {
		e.hub.touch(t)
	}
}

// remember caches an event in its encoded form, made once for all readers. What was cached before a deletion may hold
// what it takes away.
func (e *Engine) remember(event *store.Event) {
	frame, err := e.encodeEvent(event)
	if err != nil {
		// Readers find it in the database, and meet the same error there.
		e.log.Error("Cannot encode an event", "err", err)
		return
	}
	if event.Kind == protocol.KindDeletion {
		e.recent.forget(event.Conversation)
	}
	e.recent.add(event.Conversation, event.Seq, frame)
}

func (e *Engine) encodeEvent(event *store.Event) ([]byte, error) {
	var target *uuid.UUID
	if event.Target != uuid.Nil {
		target = &event.Target
	}
	return protocol.Encode(&protocol.Event{
		Conversation: event.Conversation, Epoch: e.Epoch(), Seq: event.Seq, ID: event.ID, Kind: event.Kind,
		Target: target, Erased: event.Erased,
		Author: protocol.Person{
			Kind: event.Author.Kind, ID: event.Author.ID, DisplayName: protocol.Text{String: event.Author.DisplayName},
		},
		ClientID: event.ClientID, Body: protocol.Text{String: event.Body}, At: protocol.Time{Time: event.At},
	})
}
