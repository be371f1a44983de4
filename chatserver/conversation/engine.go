// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package conversation is the engine: it gives messages their place in the order, acknowledges them once they are on
// disk, and brings every reader everything in that order without gaps.
//
// Delivery is pulled, not pushed. A commit only marks the conversation on each subscription that may read it; the
// subscription then reads from its own cursor, out of a shared cache of recent events or out of the database. So the
// hand-over from catching up to live is no special case, a slow reader costs a marker instead of a growing queue, and
// a lost notification delays but never loses.
package conversation

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// Store is what the engine needs of the database.
type Store interface {
	Append(ctx context.Context, drafts []store.Draft, permit store.Permit) (store.Appended, error)
	OpenConversation(ctx context.Context, visitor, clientID uuid.UUID, contact store.Contact) (
		store.Conversation, bool, error)
	EventsAfter(ctx context.Context, after []store.Position, limit int) ([]store.Event, error)
	VisitorConversations(ctx context.Context, visitor uuid.UUID) ([]store.Conversation, error)
	RecentConversations(ctx context.Context, limit int) ([]store.Conversation, error)
	Conversations(ctx context.Context, ids []uuid.UUID) ([]store.Conversation, error)
	TouchedWithin(ctx context.Context, d time.Duration) ([]store.Touched, error)
	Heads(ctx context.Context, ids []uuid.UUID) ([]store.Touched, error)
	VisitorHeads(ctx context.Context, visitor uuid.UUID) ([]store.Touched, error)
	Tell(ctx context.Context, signals store.Signals) error
	Receipts(ctx context.Context, conversations []uuid.UUID) ([]store.Receipt, error)
	Company(ctx context.Context, conversations []uuid.UUID) ([]store.Receipt, []store.Participation, error)
	KeepPresence(ctx context.Context, lease time.Duration, came, left []protocol.Participant) error
	RestorePresence(ctx context.Context, lease time.Duration, here []protocol.Participant) error
	OtherReplicas(ctx context.Context) ([]uuid.UUID, error)
	PresentElsewhere(ctx context.Context, ids []uuid.UUID) ([]protocol.Participant, error)
	AllPresentElsewhere(ctx context.Context) ([]protocol.Participant, error)
	LiveSessions(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	// Epoch asks which history the database is in; KnownEpoch is the last one met, by whatever method.
	Epoch(ctx context.Context) (int64, error)
	KnownEpoch() int64
	Listen(ctx context.Context, l store.Listener) error
}

// Config has the engine's collaborators.
type Config struct {
	Store   Store
	Clock   clock.WithTickerAndDelayedExecution
	Logger  *slog.Logger
	Metrics *Metrics
	// PollInterval is how long a lost notification may go unnoticed.
	PollInterval time.Duration
	// Presence is timed by DefaultPresenceTiming if it is zero.
	Presence PresenceTiming
}

// Engine serves the conversations of one tenant on one replica.
type Engine struct {
	store   Store
	clock   clock.WithTickerAndDelayedExecution
	log     *slog.Logger
	metrics *Metrics

	interval time.Duration

	history atomic.Pointer[history]
	queue   chan *submission
	hub     hub
	remote  *inbox
	// moved gathers the conversations of which other replicas stored receipts.
	moved  *inbox
	untold *untold

	unsubscribed *unsubscribed
	presence     *presence
	timing       PresenceTiming
	// attendees gathers who came to other replicas or left them.
	attendees *inbox

	// accepting guards queue against being written to after it was closed.
	accepting sync.RWMutex
	stopped   bool
}

// New makes an engine and reads the database's epoch and who is connected to other replicas. Run makes it work.
func New(ctx context.Context, c Config) (*Engine, error) {
	e := &Engine{
		store: c.Store, clock: c.Clock, log: c.Logger, metrics: c.Metrics, interval: c.PollInterval,
		queue: make(chan *submission, queueLength),
		hub:   newHub(), remote: newInbox(), moved: newInbox(), untold: newUntold(),
		unsubscribed: newUnsubscribed(),
		timing:       c.Presence, attendees: newInbox(),
	}
	if e.timing == (PresenceTiming{}) {
		e.timing = DefaultPresenceTiming()
	}
	e.presence = newPresence(e.timing.Grace)
	epoch, err := c.Store.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	e.history.Store(newHistory(epoch))
	// Known before the first client comes: it is not to be told of an empty house that is not.
	if err := e.readEverybody(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Run writes, listens and polls. It returns when ctx has ended and everything accepted before is answered.
func (e *Engine) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { e.listen(ctx) })
	wg.Go(func() { e.readRemote(ctx) })
	wg.Go(func() { e.poll(ctx) })
	wg.Go(func() { e.tell(ctx) })
	wg.Go(func() { e.readMoved(ctx) })
	wg.Go(func() { e.writePresence(ctx) })
	wg.Go(func() { e.readPresence(ctx) })
	wg.Go(func() { e.settlePresence(ctx) })
	// The writer outlives ctx: what was accepted is brought to an end.
	wg.Go(func() { e.write(context.WithoutCancel(ctx)) })
	<-ctx.Done()
	e.stopAccepting()
	wg.Wait()
}
