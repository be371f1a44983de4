// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// publish makes committed events known on this replica and answers their senders: the events go into the cache first,
// so that whoever is woken finds them there; then each sender gets the answer next to the mark, so that both leave
// together.
func (e *Engine) publish(batch []*submission, appended store.Appended) {
	e.noteEpoch(appended.Epoch)
	h := e.history.Load()
	e.forgetErased(batch)
	for i := range appended.Outcomes {
		if o := &appended.Outcomes[i]; e.isNews(o) && h.epoch == appended.Epoch {
			e.remember(h, &o.Event)
			e.hub.met(o.Visitor, &o.Event)
		}
	}
	for i, s := range batch {
		o := &appended.Outcomes[i]
		s.reply(e.reply(&s.draft, o, appended.Epoch))
		if e.isNews(o) && h.epoch == appended.Epoch {
			e.hub.touch(store.Touched{Conversation: o.Event.Conversation, Visitor: o.Visitor, Head: o.Event.Seq})
		}
	}
}

// forgetErased drops what is cached of conversations in which something may have been deleted: also by a deletion that
// was stored earlier, whose commit went unanswered, or of which nobody here wants to know.
func (e *Engine) forgetErased(batch []*submission) {
	h := e.history.Load()
	for _, s := range batch {
		if s.draft.Kind == protocol.KindDeletion {
			h.recent.forget(s.draft.Conversation)
		}
	}
}

// isNews tells that somebody here wants to know of an event that was not there before.
func (e *Engine) isNews(o *store.Outcome) bool {
	return o.Err == nil && !o.Duplicate && e.hub.interested(o.Visitor)
}

// remember caches an event in its encoded form, made once for all readers.
func (e *Engine) remember(h *history, event *store.Event) {
	frame, err := h.encode(event)
	if err != nil {
		// Readers find it in the database, and meet the same error there.
		e.log.Error("Cannot encode an event", "err", err)
		return
	}
	h.recent.add(event.Conversation, event.Seq, frame, event.Kind == protocol.KindDeletion)
}

func (h *history) encode(event *store.Event) ([]byte, error) {
	var target *uuid.UUID
	if event.Target != uuid.Nil {
		target = &event.Target
	}
	return protocol.Encode(&protocol.Event{
		Conversation: event.Conversation, Epoch: h.epoch, Seq: event.Seq, ID: event.ID, Kind: event.Kind,
		Target: target, Erased: event.Erased,
		Author: protocol.Person{
			Kind: event.Author.Kind, ID: event.Author.ID, DisplayName: protocol.Text{String: event.Author.DisplayName},
		},
		ClientID: event.ClientID, Body: protocol.Text{String: event.Body}, At: protocol.Time{Time: event.At},
	})
}
