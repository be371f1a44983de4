// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// never is a pause between polls that no test waits for: what is found is found otherwise.
const never = time.Hour

// unanswering is a store whose commits happen and, for as long as it is mute, go unanswered.
type unanswering struct {
	*store.Store
	mute atomic.Bool
}

func (u *unanswering) Append(ctx context.Context, drafts []store.Draft, permit store.Permit) (store.Appended, error) {
	appended, err := u.Store.Append(ctx, drafts, permit)
	if err == nil && u.mute.Load() {
		return store.Appended{}, errors.New("the connection broke before the answer came")
	}
	return appended, err
}

// deafening is a store that hears nothing of other replicas' conversations for as long as it is deaf.
type deafening struct {
	*store.Store
	deaf atomic.Bool
}

func (d *deafening) Listen(ctx context.Context, l store.Listener) error {
	return d.Store.Listen(ctx, muffled{l, &d.deaf})
}

type muffled struct {
	store.Listener
	deaf *atomic.Bool
}

func (m muffled) ConversationsTouched(ctx context.Context, ids []uuid.UUID) {
	if !m.deaf.Load() {
		m.Listener.ConversationsTouched(ctx, ids)
	}
}

// erasure is a message that was read at two replicas, both of which cache it, by an agent who is then at neither.
type erasure struct {
	here, there   *conversation.Engine
	author, agent identity.Principal
	said          *protocol.Ack
	// mute keeps the commits of here from being answered, deaf those of here from being heard of there.
	mute, deaf *atomic.Bool
	// present are the subscriptions of the agent, here and there.
	present []*reader
}

// newErasure sends the message at here; there polls every so often.
func newErasure(t *testing.T, poll time.Duration) *erasure {
	t.Helper()
	db := storetest.New(t)
	one, two := db.Open(t), db.Open(t)
	answered, heard := &unanswering{Store: one}, &deafening{Store: two}
	w := &erasure{author: newVisitor(t, one), agent: newAgent(t, one, "grace"), mute: &answered.mute, deaf: &heard.deaf}
	w.here, _ = launch(t, conversation.Config{Store: answered, PollInterval: never})
	w.there, _ = launch(t, conversation.Config{Store: heard, PollInterval: poll})
	w.present = []*reader{subscribe(t, w.here, w.agent, nil), subscribe(t, w.there, w.agent, nil)}
	c := openConversation(t, w.here, w.author)
	w.said = mustSend(t, w.here, w.author, c, "my number is 4242")
	for _, r := range w.present {
		r.waitFor(t, c, 1)
	}
	return w
}

// leave takes the agent away from both replicas.
func (w *erasure) leave(t *testing.T) {
	t.Helper()
	for _, r := range w.present {
		r.cancel()
		if err := <-r.closed; !errors.Is(err, context.Canceled) {
			t.Errorf("the subscription ended with %v", err)
		}
	}
	for _, e := range []*conversation.Engine{w.here, w.there} {
		waitUntil(t, "the agent has left", func() bool { return e.Subscriptions(w.agent) == 0 })
	}
}

// expectErased has the agent read everything at e, as if for the first time.
func (w *erasure) expectErased(t *testing.T, e *conversation.Engine) {
	t.Helper()
	first := subscribe(t, e, w.agent, nil).waitFor(t, w.said.Conversation, 2)[0]
	if !first.Erased || first.Body.Reveal() != "" {
		t.Errorf("a fresh reader is shown %q, which was deleted", first.Body.Reveal())
	}
}

func (w *erasure) expectForgotten(t *testing.T, e *conversation.Engine) {
	t.Helper()
	waitUntil(t, "what was deleted is forgotten", func() bool { return !e.Caches(w.said.Conversation) })
	w.expectErased(t, e)
}

func TestADeletionWhoseCommitGoesUnansweredIsForgotten(t *testing.T) {
	w := newErasure(t, never)
	w.mute.Store(true)
	wantRefusal(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)), protocol.Unavailable)
	if w.here.Caches(w.said.Conversation) {
		t.Error("the text is kept")
	}
	w.expectErased(t, w.here)
}

func TestADeletionSentAgainIsForgottenWhereItWasUnheard(t *testing.T) {
	w := newErasure(t, never)
	w.deaf.Store(true)
	w.mute.Store(true)
	frame := deletion(w.said.Conversation, w.said.ID)
	wantRefusal(t, submit(t, w.here, w.author, frame), protocol.Unavailable)
	wantAck(t, submit(t, w.there, w.author, frame))
	if w.there.Caches(w.said.Conversation) {
		t.Error("the text is kept")
	}
	w.expectErased(t, w.there)
}

func TestADeletionThatNobodyHereWantsToKnowOfIsForgotten(t *testing.T) {
	w := newErasure(t, never)
	w.leave(t)
	wantAck(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)))
	if w.here.Caches(w.said.Conversation) {
		t.Error("the text is kept")
	}
	w.expectErased(t, w.here)
}

func TestAnotherReplicasDeletionIsForgottenWhereNobodyIs(t *testing.T) {
	w := newErasure(t, never)
	w.leave(t)
	wantAck(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)))
	w.expectForgotten(t, w.there)
}

func TestAnotherReplicasDeletionIsForgottenWhereNobodyMayReadIt(t *testing.T) {
	w := newErasure(t, never)
	stranger := identity.Principal{Kind: protocol.Visitor, ID: uuid.New(), ExpiresAt: w.author.ExpiresAt}
	subscribe(t, w.there, stranger, nil)
	w.leave(t)
	wantAck(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)))
	w.expectForgotten(t, w.there)
}

func TestADeletionOfWhichNoNotificationCameIsForgottenByThePoll(t *testing.T) {
	w := newErasure(t, 50*time.Millisecond)
	w.deaf.Store(true)
	w.leave(t)
	wantAck(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)))
	w.expectForgotten(t, w.there)
}

func TestAFreshReaderIsNotShownWhatIsCachedOfADeletionNotYetHeardOf(t *testing.T) {
	w := newErasure(t, never)
	w.deaf.Store(true)
	wantAck(t, submit(t, w.here, w.author, deletion(w.said.Conversation, w.said.ID)))
	w.expectErased(t, w.there)
}
