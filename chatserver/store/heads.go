// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"github.com/google/uuid"
	"k8s.io/utils/lru"
)

// rememberedHeads bounds the conversations whose head is kept in memory, about 200 bytes each.
const rememberedHeads = 8192

// heads remembers where conversations ended when this replica last looked. It is a guess: other replicas write too, and
// only the database knows.
type heads struct{ byConversation *lru.Cache }

// head is the end of a conversation.
type head struct {
	visitor uuid.UUID
	seq     int64
}

func newHeads() heads { return heads{lru.New(rememberedHeads)} }

func (h heads) get(conversation uuid.UUID) (head, bool) {
	known, _ := h.byConversation.Get(conversation)
	found, ok := known.(head)
	return found, ok
}

func (h heads) set(conversation uuid.UUID, now head) { h.byConversation.Add(conversation, now) }

// learn is set for what may be older than what is known already.
func (h heads) learn(conversation uuid.UUID, then head) {
	if known, ok := h.get(conversation); !ok || known.seq < then.seq {
		h.set(conversation, then)
	}
}

func (h heads) forget(conversation uuid.UUID) { h.byConversation.Remove(conversation) }
