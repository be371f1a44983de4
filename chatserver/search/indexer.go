// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/store"
)

const (
	// gatherTime is how long a message waits for others before it is indexed.
	gatherTime = 300 * time.Millisecond
	// rest is how many times as long as it worked the indexer pauses: chatting has precedence.
	rest = 9
	// lookAgain finds what a replica wrote that ended before it indexed it.
	lookAgain = 30 * time.Second
	// sweep looks at all conversations: a clock that went back hides some from the look at the latest.
	sweep = time.Hour
	// retry is the pause when the database is away or another replica indexes.
	retry = time.Second
	// overlap is more than any transaction lasts: a conversation's time is taken before its commit.
	overlap = 30 * time.Second
	// indexTimeout bounds one piece of work.
	indexTimeout = 10 * time.Second
)

// IndexStore is what the indexer needs of the database.
type IndexStore interface {
	Index(ctx context.Context, since time.Time) (store.Indexed, error)
	Written() <-chan struct{}
}

// Indexer makes searchable what is written. Each replica has one; they take turns.
type Indexer struct {
	store   IndexStore
	clock   clock.Clock
	log     *slog.Logger
	metrics *Metrics

	// since is the time up to which everything is indexed, zero if that is unknown.
	since time.Time
	swept time.Time
	key   uint32
}

// NewIndexer makes an indexer. Run makes it work.
func NewIndexer(s IndexStore, c clock.Clock, log *slog.Logger, metrics *Metrics) *Indexer {
	return &Indexer{store: s, clock: c, log: log, metrics: metrics}
}

// Run indexes until ctx ends.
func (i *Indexer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		more, pause := i.work(ctx)
		if !more {
			i.await(ctx)
		}
		select {
		case <-ctx.Done():
		case <-i.clock.After(pause):
		}
	}
}

// await waits until something was written here, or long enough that something may have been elsewhere.
func (i *Indexer) await(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-i.store.Written():
	case <-i.clock.After(lookAgain):
	}
}

// work does one piece and tells whether more is known of, and how long to pause.
func (i *Indexer) work(ctx context.Context) (more bool, pause time.Duration) {
	start := i.clock.Now()
	if start.Sub(i.swept) >= sweep {
		i.since, i.swept = time.Time{}, start
	}
	bounded, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	done, err := i.store.Index(bounded, i.since)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, 0
	case errors.Is(err, store.ErrLocked):
		// Whoever looks after the keys has said so.
		return true, retry
	case err != nil:
		i.metrics.failures.Inc()
		i.log.Error("Cannot index conversations", "err", err)
		return true, retry
	case done.Elsewhere:
		return true, retry
	}
	return i.note(done), max(gatherTime, rest*i.clock.Since(start))
}

// note draws the conclusions from a piece of work and tells whether there is more to do.
func (i *Indexer) note(done store.Indexed) (more bool) {
	i.metrics.backlog.Set(float64(done.Backlog))
	i.metrics.events.Add(float64(done.Events))
	if done.Unreadable > 0 {
		i.metrics.unreadable.Add(float64(done.Unreadable))
		i.log.Error("Left events out of the search: ciphertext refused", "events", done.Unreadable)
	}
	switch {
	case done.Key != i.key:
		// What a former key indexed is to be done anew, in whichever conversation.
		i.key, i.since = done.Key, time.Time{}
		return true
	case done.More:
		return true
	default:
		i.since = done.At.Add(-overlap)
		return false
	}
}
