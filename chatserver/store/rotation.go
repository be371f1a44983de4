// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// RotationPolicy says when keys are rotated and how fast.
type RotationPolicy struct {
	// RotateAfter is the age at which the tenant's keys are replaced, 0 for never.
	RotateAfter time.Duration
	// Poll is how often a replica looks whether the keysets changed or are to be rotated; notifications make it sooner.
	Poll time.Duration
	// Settle is how long a new key is known before it is used, and an old one stays after the last row left it. Many
	// polls fit into it: a replica that is awake has the new keyset long before.
	Settle time.Duration
	// Batch is how many rows are sealed anew in one transaction.
	Batch int
	// Rest is how many times as long as a batch took the database is left alone after it.
	Rest int
	// Report is told the state of the keys at every poll.
	Report func(RotationStatus)
}

// DefaultRotationPolicy rotates in the background of a busy server: a batch takes milliseconds, and batches a fifth of
// the time.
func DefaultRotationPolicy() RotationPolicy {
	return RotationPolicy{Poll: 10 * time.Second, Settle: time.Minute, Batch: 100, Rest: 4}
}

// RequestRotation asks the replicas to replace the keys of a keyset. It reports whether that is new: a rotation under
// way is the one that was asked for.
func (s *Store) RequestRotation(ctx context.Context, which seal.Keyset) (bool, error) {
	return s.request(ctx, `INSERT INTO keyset_rotation (keyset) VALUES ($1) ON CONFLICT DO NOTHING`, which)
}

// RequestSubjectRotation asks the replicas to replace the keys of one visitor. It reports whether that is new, and
// ErrNotFound if there is no such visitor.
func (s *Store) RequestSubjectRotation(ctx context.Context, visitor uuid.UUID) (bool, error) {
	var known bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM subject_key WHERE visitor = $1)`, visitor).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("find visitor: %w", err)
	}
	if !known {
		return false, fmt.Errorf("visitor: %w", ErrNotFound)
	}
	return s.request(ctx, `INSERT INTO subject_rotation (visitor) VALUES ($1) ON CONFLICT DO NOTHING`, visitor)
}

func (s *Store) request(ctx context.Context, insert string, arg any) (fresh bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, insert, arg)
		if err != nil {
			return err
		}
		fresh = tag.RowsAffected() > 0
		return s.announceKeys(ctx, tx)
	})
	if err != nil {
		return false, fmt.Errorf("request rotation: %w", err)
	}
	return fresh, nil
}

// announceKeys makes the other replicas look when the transaction commits.
func (s *Store) announceKeys(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channelKeys, s.payload()); err != nil {
		return fmt.Errorf("announce changed keys: %w", err)
	}
	return nil
}

// RunRotations follows the keysets and takes part in their rotation until ctx ends.
func (s *Store) RunRotations(ctx context.Context, policy RotationPolicy) {
	work := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(work)
	wg.Go(func() {
		for range work {
			if err := s.rotate(ctx, &policy); err != nil && ctx.Err() == nil {
				s.config.Logger.Error("Cannot go on rotating keys yet", "err", err)
			}
		}
	})
	for first := true; first || s.await(ctx, &policy, s.keys.changed); first = false {
		waiting, err := s.watchKeys(ctx, &policy)
		if err != nil && ctx.Err() == nil {
			s.config.Logger.Error("Cannot look after the keys", "err", err)
		}
		if waiting {
			ring(work)
		}
	}
}

// await waits for the bell or for a poll, and tells whether to go on.
func (s *Store) await(ctx context.Context, policy *RotationPolicy, bell <-chan struct{}) bool {
	timer := s.config.Clock.NewTimer(policy.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-bell:
	case <-timer.C():
	}
	return ctx.Err() == nil
}

// watchKeys takes up changed keysets, tells the others so while a rotation waits for it, and asks for rotations that
// are due. It reports whether any is under way.
func (s *Store) watchKeys(ctx context.Context, policy *RotationPolicy) (waiting bool, err error) {
	loadErr := s.renewKeys(ctx)
	if err := s.requestDue(ctx, policy.RotateAfter); err != nil {
		return false, err
	}
	status, err := s.RotationStatus(ctx)
	if err != nil {
		return false, err
	}
	if policy.Report != nil {
		policy.Report(status)
	}
	if !status.Rotating {
		return status.Subjects > 0, loadErr
	}
	// Also of an old revision: a replica that cannot open the new one holds the rotation up.
	if err := s.acknowledge(ctx); err != nil {
		return true, err
	}
	return true, loadErr
}

// acknowledge says which revision this replica holds, 0 while its keys are locked.
func (s *Store) acknowledge(ctx context.Context) error {
	var revision int64
	if keys, err := s.keys.held(); err == nil {
		revision = keys.revision
	}
	_, err := s.pool.Exec(ctx, `
		INSERT INTO keyset_holder (replica, revision, seen_at) VALUES ($1, $2, clock_timestamp())
		ON CONFLICT (replica) DO UPDATE SET revision = excluded.revision, seen_at = excluded.seen_at`,
		s.replica, revision)
	if err != nil {
		return fmt.Errorf("acknowledge keysets: %w", err)
	}
	return nil
}

// requestDue asks for the rotation of keys that reached their age.
func (s *Store) requestDue(ctx context.Context, age time.Duration) error {
	if age <= 0 {
		return nil
	}
	const due = `INSERT INTO keyset_rotation (keyset)
		SELECT due.keyset
		FROM tenant_keyset k, LATERAL (VALUES ('sealing', sealing_at), ('index', index_at)) due (keyset, since)
		WHERE due.since < clock_timestamp() - make_interval(secs => $1) ON CONFLICT DO NOTHING`
	if _, err := s.pool.Exec(ctx, due, interval(age)); err != nil {
		return fmt.Errorf("request rotation of old keys: %w", err)
	}
	return nil
}
