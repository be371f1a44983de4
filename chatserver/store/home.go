// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// home says where the instance's row is: in which database cluster, on which timeline of its log, in which table. A
// dump loaded elsewhere or again, a recovery to a point in time and a promoted standby are each at another home, while
// restarts and crashes change nothing. The timeline is that of what is being written: the control file's may be the
// one before for minutes. On a standby this is an error, as a write would be. Any role may ask for all of it.
const home = `(SELECT concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
	'instance'::regclass::oid) FROM pg_control_system())`

// raised is an epoch that was never handed out before, not even by a history that was lost: each was the time when it
// was made, or more.
const raised = `greatest(epoch + 1, $1::bigint + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`

// recognise reads the epoch, and raises it first if the database is not where, or is older than, what it was when the
// epoch was made: what was acknowledged since may be missing, and what clients have may stand elsewhere in the order.
func (s *Store) recognise(ctx context.Context, q querier) (int64, error) {
	epoch, same, err := lookHome(ctx, q)
	if err != nil {
		return 0, err
	}
	if !same || epoch < s.epoch.Load() {
		if epoch, err = s.raise(ctx, q); err != nil {
			return 0, err
		}
	}
	s.noteEpoch(epoch)
	return epoch, nil
}

// lookHome reads the epoch and whether the database is where it was made.
func lookHome(ctx context.Context, q querier) (epoch int64, same bool, err error) {
	err = q.QueryRow(ctx, `SELECT epoch, coalesce(home = `+home+`, false) FROM instance WHERE singleton`).
		Scan(&epoch, &same)
	if err != nil {
		return 0, false, fmt.Errorf("read epoch: %w", err)
	}
	return epoch, same, nil
}

// raise raises the epoch unless somebody else just has, and returns what it is then: whoever comes second waits for the
// row, and finds that there is nothing to do.
func (s *Store) raise(ctx context.Context, q querier) (int64, error) {
	var epoch int64
	err := q.QueryRow(ctx, `UPDATE instance SET epoch = `+raised+`, home = `+home+`
		WHERE singleton AND (epoch < $1 OR home IS DISTINCT FROM `+home+`) RETURNING epoch`, s.epoch.Load()).Scan(&epoch)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		epoch, _, err = lookHome(ctx, q)
		return epoch, err
	case err != nil:
		return 0, fmt.Errorf("raise epoch: %w", err)
	}
	s.config.Logger.Warn("The database is a copy or an earlier state of itself: clients start anew", "epoch", epoch)
	return epoch, nil
}

// noteEpoch remembers the highest epoch met, against the answers of a history that is over.
func (s *Store) noteEpoch(epoch int64) {
	for known := s.epoch.Load(); epoch > known && !s.epoch.CompareAndSwap(known, epoch); known = s.epoch.Load() {
	}
}

// RaiseEpoch starts a new history by hand, for restores that the database cannot show, as that of a volume's snapshot.
func (s *Store) RaiseEpoch(ctx context.Context) (int64, error) {
	var epoch int64
	err := s.pool.QueryRow(ctx, `UPDATE instance SET epoch = `+raised+`, home = `+home+` WHERE singleton RETURNING epoch`,
		s.epoch.Load()).Scan(&epoch)
	if err != nil {
		return 0, fmt.Errorf("raise epoch: %w", err)
	}
	s.noteEpoch(epoch)
	return epoch, nil
}
