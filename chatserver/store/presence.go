// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// ErrLapsed says that the other replicas count everybody who is connected here as gone: RestorePresence mends it.
var ErrLapsed = errors.New("lease lapsed")

const (
	// presencePerNotice ids fit a notification's 8000 bytes.
	presencePerNotice = 200
	// presenceByName is how many people are told of one by one. Of more, that everything is to be read anew.
	presenceByName = 10 * presencePerNotice
	// lapsedFor is how long the rows of a replica that went away are kept.
	lapsedFor = time.Minute
)

// KeepPresence renews this replica's lease, notes who came to it and who left, and tells the others. It reports
// ErrLapsed, and changes nothing, if there is no lease to renew.
func (s *Store) KeepPresence(ctx context.Context, lease time.Duration, came, left []protocol.Participant) error {
	var batch pgx.Batch
	batch.Queue(`SET LOCAL synchronous_commit TO off`)
	batch.Queue(`UPDATE presence_lease SET until = clock_timestamp() + make_interval(secs => $2)
		WHERE replica = $1 AND until > clock_timestamp()`, s.replica, interval(lease)).Exec(requireRow)
	if len(left) > 0 {
		batch.Queue(`DELETE FROM presence WHERE replica = $1 AND person = ANY($2)`, s.replica, personIDs(left))
	}
	s.queuePresent(&batch, came)
	s.queuePresenceNotices(&batch, personIDs(slices.Concat(came, left)))
	return s.changePresence(ctx, &batch)
}

// RestorePresence takes a new lease for everybody who is connected to this replica, and forgets replicas long gone.
func (s *Store) RestorePresence(ctx context.Context, lease time.Duration, here []protocol.Participant) error {
	var batch pgx.Batch
	batch.Queue(`SET LOCAL synchronous_commit TO off`)
	batch.Queue(`INSERT INTO presence_lease (replica, until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
		ON CONFLICT (replica) DO UPDATE SET until = excluded.until`, s.replica, interval(lease))
	batch.Queue(`DELETE FROM presence WHERE replica = $1`, s.replica)
	s.queuePresent(&batch, here)
	// Rows that another replica is about to delete, or to renew, are left to it.
	batch.Queue(`DELETE FROM presence_lease WHERE replica IN (
			SELECT replica FROM presence_lease WHERE until < clock_timestamp() - make_interval(secs => $1)
			FOR UPDATE SKIP LOCKED)`, interval(lapsedFor))
	batch.Queue(`SELECT pg_notify($1, $2)`, channelPresence, s.payload())
	return s.changePresence(ctx, &batch)
}

func (s *Store) changePresence(ctx context.Context, batch *pgx.Batch) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
		return fmt.Errorf("tell who is connected: %w", err)
	}
	return nil
}

func requireRow(tag pgconn.CommandTag) error {
	if tag.RowsAffected() == 0 {
		return ErrLapsed
	}
	return nil
}

func (s *Store) queuePresent(batch *pgx.Batch, people []protocol.Participant) {
	if len(people) == 0 {
		return
	}
	kinds := make([]string, 0, len(people))
	for _, p := range people {
		kinds = append(kinds, string(p.Kind))
	}
	batch.Queue(`INSERT INTO presence (replica, person, person_kind)
		SELECT $1, w.person, w.kind FROM unnest($2::uuid[], $3::text[]) AS w (person, kind)
		ON CONFLICT DO NOTHING`, s.replica, personIDs(people), kinds)
}

// queuePresenceNotices names those of whom something changed; a notice that names nobody is about everybody.
func (s *Store) queuePresenceNotices(batch *pgx.Batch, ids []uuid.UUID) {
	if len(ids) > presenceByName {
		batch.Queue(`SELECT pg_notify($1, $2)`, channelPresence, s.payload())
		return
	}
	for chunk := range slices.Chunk(ids, presencePerNotice) {
		batch.Queue(`SELECT pg_notify($1, $2)`, channelPresence, s.payload(chunk...))
	}
}

func personIDs(people []protocol.Participant) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(people))
	for _, p := range people {
		ids = append(ids, p.ID)
	}
	return ids
}

// OtherReplicas lists, in order, the replicas whose lease holds, without this one.
func (s *Store) OtherReplicas(ctx context.Context) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `SELECT replica FROM presence_lease
		WHERE until > clock_timestamp() AND replica <> $1 ORDER BY replica`, s.replica)
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	replicas, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	return replicas, nil
}

const presentElsewhere = `SELECT DISTINCT p.person_kind, p.person
	FROM presence p JOIN presence_lease l ON l.replica = p.replica
	WHERE l.until > clock_timestamp() AND p.replica <> $1`

// PresentElsewhere returns those of the ids who are connected to other replicas.
func (s *Store) PresentElsewhere(ctx context.Context, ids []uuid.UUID) ([]protocol.Participant, error) {
	return s.present(ctx, presentElsewhere+` AND p.person = ANY($2)`, s.replica, ids)
}

// AllPresentElsewhere returns everybody who is connected to other replicas.
func (s *Store) AllPresentElsewhere(ctx context.Context) ([]protocol.Participant, error) {
	return s.present(ctx, presentElsewhere, s.replica)
}

func (s *Store) present(ctx context.Context, query string, args ...any) ([]protocol.Participant, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read who is connected: %w", err)
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByPos[protocol.Participant])
	if err != nil {
		return nil, fmt.Errorf("read who is connected: %w", err)
	}
	return people, nil
}
