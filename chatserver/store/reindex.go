// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// searchTable hangs together everything that can be searched for. Its rows say which key made them.
const searchTable = "search_conversation"

// reindexSearch makes searchable with the primary key what another one did. While another replica indexes, what is left
// is left for the next look.
func (r *rotator) reindexSearch(ctx context.Context) error {
	for more := true; more; {
		begun := r.store.config.Clock.Now()
		done, err := r.store.Index(ctx, time.Time{})
		if err != nil {
			return err
		}
		more = done.More && !done.Elsewhere
		if err := r.rest(ctx, r.store.config.Clock.Since(begun)); err != nil {
			return err
		}
	}
	return nil
}

// indexer goes through the accounts whose blind index was not computed with the primary key.
type indexer struct {
	keys  *heldKeys
	limit int
	// last is the row the next batch follows.
	last uuid.UUID
}

func (x *indexer) move(ctx context.Context, tx pgx.Tx) (*moved, error) {
	primary := x.keys.KeyIDs(seal.Index).Primary
	rows, err := tx.Query(ctx, `SELECT id, email FROM agent WHERE id > $1 AND email_index_key IS DISTINCT FROM $2
		ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED`, x.last, primary, x.limit)
	if err != nil {
		return nil, err
	}
	out := &moved{}
	var ids []uuid.UUID
	var indexes [][]byte
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&x.last, &sealed}, func() error {
		out.seen++
		email, err := x.keys.Open(agentPlace("email", x.last), sealed)
		if errors.Is(err, seal.ErrRefused) {
			out.refused++
			return nil
		}
		if err != nil {
			return err
		}
		index, err := x.keys.BlindIndex("agent", "email", email)
		ids, indexes = append(ids, x.last), append(indexes, index)
		return err
	})
	if err != nil || len(ids) == 0 {
		return out, err
	}
	_, err = tx.Exec(ctx, `UPDATE agent a SET email_index = w.index, email_index_key = $3
		FROM unnest($1::uuid[], $2::bytea[]) AS w (id, index) WHERE a.id = w.id`, ids, indexes, primary)
	return out, err
}
