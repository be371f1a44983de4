// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/lru"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// What a client says may reach another replica than the one its subscription is on. Who may say it is then decided by
// the database, not by what the subscription has shown.

// maxKnown bounds what is remembered of such clients; the least recently used is forgotten.
const maxKnown = 4096

// recently is how far back Heads looks for agents. It is more than a client waits for a stream that is silent.
const recently = time.Minute

// unsubscribed remembers what spares the database a question.
type unsubscribed struct {
	// visitors has whose a conversation is, which never changes.
	visitors *lru.Cache
	mu       sync.Mutex
	// receipts has the last receipt of each participant: requests may overtake each other, receipts only grow.
	receipts *lru.Cache
}

func newUnsubscribed() *unsubscribed {
	return &unsubscribed{visitors: lru.New(maxKnown), receipts: lru.New(maxKnown)}
}

// clear forgets a history that is not the database's any more.
func (u *unsubscribed) clear() {
	u.visitors.Clear()
	u.receipts.Clear()
}

// Typing passes on that p began or stopped writing, wherever their subscription is. What p may not write in, or does
// not exist, is left alone.
func (e *Engine) Typing(ctx context.Context, p identity.Principal, f *protocol.Typing) error {
	visitor, err := e.visitorOf(ctx, f.Conversation)
	if err != nil || visitor == uuid.Nil || !p.May(identity.WriteConversation, visitor) {
		return err
	}
	who := store.Participation{Conversation: f.Conversation, Kind: p.Kind, ID: p.ID}
	t := store.Typing{Participation: who, Visitor: visitor, Typing: f.Typing}
	e.hub.tell(visitor, typingNotice(&t), nil)
	e.untold.addTyping(t)
	return nil
}

// visitorOf says whose a conversation is, nobody's if there is none.
func (e *Engine) visitorOf(ctx context.Context, conversation uuid.UUID) (uuid.UUID, error) {
	if known, ok := e.unsubscribed.visitors.Get(conversation); ok {
		visitor, _ := known.(uuid.UUID)
		return visitor, nil
	}
	found, ok, err := e.find(ctx, conversation)
	if err != nil || !ok {
		return uuid.Nil, err
	}
	e.unsubscribed.visitors.Add(conversation, found.Visitor)
	return found.Visitor, nil
}

func (e *Engine) find(ctx context.Context, conversation uuid.UUID) (store.Touched, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	found, err := e.store.Heads(ctx, []uuid.UUID{conversation})
	if err != nil || len(found) == 0 {
		return store.Touched{}, false, err
	}
	return found[0], true, nil
}

// Receipt notes how far p has received and read a conversation, wherever their subscription is. Nobody has received
// more than there is. What p may not read, or does not exist, is left alone.
func (e *Engine) Receipt(ctx context.Context, p identity.Principal, f *protocol.Receipt) error {
	found, ok, err := e.find(ctx, f.Conversation)
	if err != nil || !ok || !p.May(identity.ReadConversation, found.Visitor) {
		return err
	}
	who := store.Participation{Conversation: f.Conversation, Kind: p.Kind, ID: p.ID}
	r, grown := e.unsubscribed.grow(store.Receipt{
		Participation: who, Delivered: min(max(f.Delivered, f.Read), found.Head), Read: min(f.Read, found.Head),
	})
	if grown {
		e.hub.tell(found.Visitor, receiptNotice(&r), nil)
		e.untold.addReceipt(r)
	}
	return nil
}

// grow notes what is new in a receipt, and says whether anything is.
func (u *unsubscribed) grow(r store.Receipt) (store.Receipt, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	value, _ := u.receipts.Get(r.Participation)
	known, _ := value.(store.Receipt)
	grown := r.Delivered > known.Delivered || r.Read > known.Read
	r.Delivered, r.Read = max(r.Delivered, known.Delivered), max(r.Read, known.Read)
	if grown {
		u.receipts.Add(r.Participation, r)
	}
	return r, grown
}

// Heads returns the heads of a visitor's conversations, or of those that changed recently for an agent.
func (e *Engine) Heads(ctx context.Context, p identity.Principal) (map[uuid.UUID]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	touched, err := e.touchedOf(ctx, p)
	heads := make(map[uuid.UUID]int64, len(touched))
	for _, t := range touched {
		if p.May(identity.ReadConversation, t.Visitor) {
			heads[t.Conversation] = t.Head
		}
	}
	return heads, err
}

func (e *Engine) touchedOf(ctx context.Context, p identity.Principal) ([]store.Touched, error) {
	if p.Kind == protocol.Visitor {
		return e.store.VisitorHeads(ctx, p.ID)
	}
	return e.store.TouchedWithin(ctx, recently)
}
