// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"context"

	"github.com/chattenant/chattenant/chatserver/store"
)

// history is what the database is in until an earlier state of it is restored, and what is known of it. Whoever works
// in one that is over keeps to it, so that two are never mixed: what they cache is found by nobody, and what they send
// carries its epoch, which clients are then reset from.
type history struct {
	epoch  int64
	recent *recent
}

func newHistory(epoch int64) *history { return &history{epoch: epoch, recent: newRecent(recentBytes)} }

// Epoch names the history of the database.
func (e *Engine) Epoch() int64 { return e.history.Load().epoch }

// noteEpoch begins another history when the database was restored under us, and ends every subscription: clients come
// back and are reset. Epochs only grow, so an answer that comes late changes nothing.
func (e *Engine) noteEpoch(epoch int64) {
	known := e.history.Load()
	if epoch <= known.epoch {
		return
	}
	if !e.history.CompareAndSwap(known, newHistory(epoch)) {
		e.noteEpoch(epoch)
		return
	}
	e.log.Info("The database's history changed, disconnecting clients", "epoch", epoch)
	e.unsubscribed.clear()
	e.hub.endAll(ErrRestored)
}

// eventsOf reads events of h. They are none of it if the database was found to be in another one while they were read.
func (e *Engine) eventsOf(
	ctx context.Context, h *history, after []store.Position, limit int,
) ([]store.Event, error) {
	events, err := e.store.EventsAfter(ctx, after, limit)
	if err := e.stillIn(h); err != nil {
		return nil, err
	}
	return events, err
}

// stillIn fails if the database is not in h any more.
func (e *Engine) stillIn(h *history) error {
	e.noteEpoch(e.store.KnownEpoch())
	if e.history.Load() != h {
		return ErrRestored
	}
	return nil
}
