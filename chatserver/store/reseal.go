// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// sealedTable is a table with columns that the tenant's sealing keyset sealed. A table that is not listed here loses
// what it holds when the key goes.
type sealedTable struct {
	name, id string
	columns  []string
	// of limits it to the rows of one visitor.
	of *uuid.UUID
	// reseal seals a value with the primary key.
	reseal func(keys *heldKeys, column string, id uuid.UUID, sealed []byte) ([]byte, error)
}

var sealedTables = []sealedTable{
	{name: "subject_key", id: "visitor", columns: []string{"wrapped"},
		reseal: func(keys *heldKeys, _ string, visitor uuid.UUID, wrapped []byte) ([]byte, error) {
			return keys.RewrapSubject(visitor, wrapped)
		}},
	{name: "agent", id: "id", columns: []string{"email", "display_name", "password"},
		reseal: func(keys *heldKeys, column string, agent uuid.UUID, sealed []byte) ([]byte, error) {
			return keys.Reseal(agentPlace(column, agent), sealed)
		}},
}

// under is a condition on the rows that one of the keys $1 sealed.
func (t *sealedTable) under() string {
	var each []string
	for _, column := range t.columns {
		each = append(each, `sealed_with(`+column+`) = ANY($1)`)
	}
	condition := `(` + strings.Join(each, ` OR `) + `)`
	if t.of != nil {
		condition += ` AND visitor = '` + t.of.String() + `'`
	}
	return condition
}

// move seals with the new key whatever an old one sealed, or indexes it.
func (r *rotator) move(ctx context.Context, keys *heldKeys, rot *rotation) error {
	if rot.Keyset == seal.Index {
		if err := r.pass(ctx, "agent", (&indexer{keys: keys, limit: r.policy.Batch}).move); err != nil {
			return err
		}
		return r.reindexSearch(ctx)
	}
	for i := range sealedTables {
		// One key after the other: then the rows come out of the index in order.
		for _, old := range rot.Retiring {
			m := &mover{table: &sealedTables[i], keys: keys, old: []int64{old}, limit: r.policy.Batch}
			if err := r.pass(ctx, m.table.name, m.move); err != nil {
				return err
			}
		}
	}
	return nil
}

// moved is what became of a batch: seen rows were looked at, refused ones of them stay as they are.
type moved struct{ seen, refused int }

// pass goes through a table once, a batch per transaction, resting in between. Rows that somebody else has locked are
// left for the next pass.
func (r *rotator) pass(
	ctx context.Context, table string, batch func(context.Context, pgx.Tx) (*moved, error),
) error {
	for refused, more := 0, true; more; {
		begun := r.store.config.Clock.Now()
		var m *moved
		err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) (err error) {
			m, err = batch(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("move rows of %s: %w", table, err)
		}
		refused, more = refused+m.refused, m.seen == r.policy.Batch
		if !more && refused > 0 {
			r.log.Error("Rows do not open with the key they claim to be sealed with", "table", table, "rows", refused)
		}
		if err := r.rest(ctx, r.store.config.Clock.Since(begun)); err != nil {
			return err
		}
	}
	return nil
}

// rest leaves the database to those who talk.
func (r *rotator) rest(ctx context.Context, worked time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.store.config.Clock.After(time.Duration(r.policy.Rest) * worked):
		return nil
	}
}

// mover goes through the rows of a table that old keys sealed.
type mover struct {
	table *sealedTable
	keys  *heldKeys
	old   []int64
	limit int
	// last is the row the next batch follows.
	last uuid.UUID
}

func (m *mover) move(ctx context.Context, tx pgx.Tx) (*moved, error) {
	t := m.table
	rows, err := tx.Query(ctx, `SELECT `+t.id+`, ARRAY[`+strings.Join(t.columns, `, `)+`] FROM `+t.name+`
		WHERE `+t.under()+` AND `+t.id+` > $2 ORDER BY `+t.id+` LIMIT $3 FOR UPDATE SKIP LOCKED`, m.old, m.last, m.limit)
	if err != nil {
		return nil, err
	}
	out := &moved{}
	var ids []uuid.UUID
	columns := make([][][]byte, len(t.columns))
	var sealed [][]byte
	_, err = pgx.ForEachRow(rows, []any{&m.last, &sealed}, func() error {
		out.seen++
		fresh, err := t.resealRow(m.keys, m.last, sealed)
		if errors.Is(err, seal.ErrRefused) {
			out.refused++
			return nil
		}
		ids = append(ids, m.last)
		for i := range fresh {
			columns[i] = append(columns[i], fresh[i])
		}
		return err
	})
	if err != nil || len(ids) == 0 {
		return out, err
	}
	return out, t.update(ctx, tx, ids, columns)
}

// resealRow leaves empty what the row does not have.
func (t *sealedTable) resealRow(keys *heldKeys, id uuid.UUID, sealed [][]byte) ([][]byte, error) {
	fresh := make([][]byte, len(sealed))
	for i, column := range t.columns {
		if len(sealed[i]) == 0 {
			continue
		}
		var err error
		if fresh[i], err = t.reseal(keys, column, id, sealed[i]); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

func (t *sealedTable) update(ctx context.Context, tx pgx.Tx, ids []uuid.UUID, columns [][][]byte) error {
	args := []any{ids}
	var sets, lists []string
	for i, column := range t.columns {
		args = append(args, columns[i])
		sets = append(sets, fmt.Sprintf(`%[1]s = coalesce(w.%[1]s, t.%[1]s)`, column))
		lists = append(lists, fmt.Sprintf(`$%d::bytea[]`, i+2))
	}
	_, err := tx.Exec(ctx, `UPDATE `+t.name+` t SET `+strings.Join(sets, `, `)+`
		FROM unnest($1::uuid[], `+strings.Join(lists, `, `)+`) AS w (id, `+strings.Join(t.columns, `, `)+`)
		WHERE t.`+t.id+` = w.id`, args...)
	return err
}

// left counts the rows that still need an old key.
func (r *rotator) left(ctx context.Context, q querier, rot *rotation) (rows int64, err error) {
	counts, err := leftUnder(ctx, q, rot)
	for _, n := range counts {
		rows += n
	}
	return rows, err
}

// leftUnder counts them by table.
func leftUnder(ctx context.Context, q querier, rot *rotation) (map[string]int64, error) {
	out := map[string]int64{}
	count := func(table, query string, arg any) error {
		var n int64
		err := q.QueryRow(ctx, query, arg).Scan(&n)
		if err != nil {
			return fmt.Errorf("count rows of %s under old keys: %w", table, err)
		}
		out[table] = n
		return nil
	}
	if rot.Keyset == seal.Index {
		return out, errors.Join(
			count("agent", `SELECT count(*) FROM agent WHERE email_index_key IS DISTINCT FROM $1`, rot.Key),
			count(searchTable, `SELECT count(*) FROM `+searchTable+` WHERE index_key <> $1`, rot.Key))
	}
	for i := range sealedTables {
		t := &sealedTables[i]
		if err := count(t.name, `SELECT count(*) FROM `+t.name+` WHERE `+t.under(), rot.Retiring); err != nil {
			return nil, err
		}
	}
	return out, nil
}
