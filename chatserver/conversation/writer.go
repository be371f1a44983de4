// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

const (
	// queueLength bounds the messages that wait for the writer. A full queue turns senders away before memory grows.
	queueLength = 512
	// crowd is how many messages in a batch tell that more than the next few are on their way, and crowdPause how long
	// they are then given to come, so that they share a commit: it costs as much as five of them.
	crowd      = 8
	crowdPause = 2 * time.Millisecond
	// commitTimeout bounds how long a sender waits for the database.
	commitTimeout = 5 * time.Second
	// retryAfter is what senders are told when the database is away.
	retryAfter = 2 * time.Second
)

// submission is an event on its way to the writer.
type submission struct {
	draft store.Draft
	reply func(protocol.Frame)
}

// Submit queues a message, an edit or a deletion. reply is called exactly once, from another goroutine or this one, and
// must not block: with an ack after the commit, or with an error.
func (e *Engine) Submit(p identity.Principal, frame protocol.Submission, reply func(protocol.Frame)) {
	entry := frame.Entry()
	s := &submission{reply: reply, draft: store.Draft{
		Kind:         entry.Kind,
		Conversation: entry.Conversation,
		Author:       store.Author{Kind: p.Kind, ID: p.ID, DisplayName: p.DisplayName},
		ClientID:     entry.ClientID,
		Target:       entry.Target,
		Body:         entry.Body.String,
	}}
	if !e.enqueue(s) {
		reply(unavailable(s.draft.ClientID))
	}
}

func (e *Engine) enqueue(s *submission) bool {
	e.accepting.RLock()
	defer e.accepting.RUnlock()
	if e.stopped {
		return false
	}
	select {
	case e.queue <- s:
		return true
	default:
		e.metrics.queueFull.Inc()
		return false
	}
}

func (e *Engine) stopAccepting() {
	e.accepting.Lock()
	defer e.accepting.Unlock()
	if !e.stopped {
		e.stopped = true
		close(e.queue)
	}
}

// write is the only writer: what arrives while a batch commits becomes the next batch. It ends once the queue is closed
// and empty. After a crowd it waits a moment for the next: who has a writer to themselves never waits for others.
func (e *Engine) write(ctx context.Context) {
	for first := range e.queue {
		batch := e.gather(first)
		e.commit(ctx, batch)
		if n := len(batch); n >= crowd && n < store.MaxAppend {
			e.clock.Sleep(crowdPause)
		}
	}
}

func (e *Engine) gather(first *submission) []*submission {
	batch := []*submission{first}
	for len(batch) < store.MaxAppend {
		select {
		case s, ok := <-e.queue:
			if !ok {
				return batch
			}
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

func (e *Engine) commit(ctx context.Context, batch []*submission) {
	appended, err := e.append(ctx, batch)
	switch {
	case err == nil:
		e.publish(batch, appended)
	case len(batch) > 1 && store.IsRefusal(err):
		// One message the database will not have must not take the others with it.
		for _, s := range batch {
			e.commit(ctx, []*submission{s})
		}
	default:
		e.fail(batch, err)
	}
}

func (e *Engine) append(ctx context.Context, batch []*submission) (store.Appended, error) {
	drafts := make([]store.Draft, 0, len(batch))
	for _, s := range batch {
		drafts = append(drafts, s.draft)
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	start := e.clock.Now()
	appended, err := e.store.Append(ctx, drafts, func(a store.Author, visitor uuid.UUID) bool {
		return identity.Principal{Kind: a.Kind, ID: a.ID}.May(identity.WriteConversation, visitor)
	})
	e.metrics.observeCommit(len(batch), e.clock.Since(start), err)
	return appended, err
}

func (e *Engine) reply(d *store.Draft, o *store.Outcome, epoch int64) protocol.Frame {
	switch {
	case errors.Is(o.Err, store.ErrNotFound):
		return protocolError(protocol.NotFound, "no such conversation or message", d.ClientID)
	case errors.Is(o.Err, store.ErrNotAuthor):
		return protocolError(protocol.Forbidden, "only its author may change a message", d.ClientID)
	case store.IsRefusal(o.Err):
		e.log.Error("Cannot place a message", "err", o.Err)
		return protocolError(protocol.Internal, "the message could not be stored", d.ClientID)
	case o.Err != nil:
		e.log.Error("Cannot commit a message", "err", o.Err)
		return unavailable(d.ClientID)
	}
	if !o.Duplicate && d.Kind == protocol.KindMessage {
		e.metrics.messages.WithLabelValues(string(d.Author.Kind)).Inc()
	}
	return &protocol.Ack{
		ClientID: d.ClientID, Conversation: d.Conversation, Epoch: epoch,
		Seq: o.Event.Seq, ID: o.Event.ID, At: protocol.Time{Time: o.Event.At},
	}
}

func (e *Engine) fail(batch []*submission, err error) {
	e.log.Error("Cannot commit messages", "messages", len(batch), "err", err)
	e.forgetErased(batch)
	for _, s := range batch {
		s.reply(unavailable(s.draft.ClientID))
	}
}

func unavailable(clientID uuid.UUID) *protocol.Error {
	f := protocolError(protocol.Unavailable, "the message could not be stored now", clientID)
	f.RetryAfterMs = retryAfter.Milliseconds()
	return f
}

func protocolError(code protocol.Code, message string, clientID uuid.UUID) *protocol.Error {
	return &protocol.Error{Code: code, Message: message, ClientID: &clientID}
}
