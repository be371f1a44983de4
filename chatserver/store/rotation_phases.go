// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// A rotation goes through these phases, each entered by one transaction that changes the keyset and notes the phase, so
// that whichever replica comes next goes on from there.
const (
	// phaseRequested: nothing was done yet.
	phaseRequested = "requested"
	// phasePublished: the new key is in the keyset but nobody uses it, so that every replica can learn of it first.
	phasePublished = "published"
	// phasePromoted: the new key seals and indexes, the old ones only open and look up; rows are being moved.
	phasePromoted = "promoted"
	// phaseDrained: no row is left under an old key. They stay a while for readers who hold a row of before.
	phaseDrained = "drained"
)

// rotation is a row of keyset_rotation.
type rotation struct {
	Keyset   seal.Keyset
	Phase    string
	Key      *int64
	Retiring []int64
	Revision int64
	// Settled says that the phase has lasted for as long as the policy wants.
	Settled bool
}

// rotator rotates keys on a connection of its own, whose session holds the lock: if either is lost, both are.
type rotator struct {
	store  *Store
	policy *RotationPolicy
	conn   *pgx.Conn
	log    *slog.Logger
}

// rotationLock is the advisory lock of the replica that rotates.
const rotationLock = 0x6b657973 // "keys"

// rotate does what can be done now about the rotations under way, unless another replica does.
func (s *Store) rotate(ctx context.Context, policy *RotationPolicy) error {
	conn, err := connectAlone(ctx, s.config.Database, sessionSettings)
	if err != nil {
		return err
	}
	defer closeConn(context.WithoutCancel(ctx), conn)
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, rotationLock).Scan(&mine); err != nil {
		return fmt.Errorf("lock rotation: %w", err)
	}
	if !mine {
		return nil
	}
	r := &rotator{store: s, policy: policy, conn: conn, log: s.config.Logger}
	return errors.Join(r.rotateTenant(ctx), r.rotateSubjects(ctx))
}

// rotateTenant moves each rotation on until all of them wait for something. One that fails does not hold up the other.
func (r *rotator) rotateTenant(ctx context.Context) (err error) {
	for more := true; more; {
		rotations, listErr := readRotations(ctx, r.conn, r.policy.Settle)
		if listErr != nil {
			return listErr
		}
		more, err = false, nil
		for i := range rotations {
			moved, stepErr := r.step(ctx, &rotations[i])
			if stepErr != nil {
				stepErr = fmt.Errorf("rotate %s keyset, %s: %w", rotations[i].Keyset, rotations[i].Phase, stepErr)
			}
			more, err = more || moved && stepErr == nil, errors.Join(err, stepErr)
		}
	}
	return err
}

// step moves a rotation on and reports whether it did.
func (r *rotator) step(ctx context.Context, rot *rotation) (bool, error) {
	if err := r.store.renewKeys(ctx); err != nil {
		return false, err
	}
	keys, err := r.store.keys.held()
	if err != nil {
		return false, err
	}
	switch rot.Phase {
	case phaseRequested:
		return true, r.publish(ctx, keys, rot)
	case phasePublished:
		return r.promote(ctx, keys, rot)
	case phasePromoted:
		return r.drain(ctx, keys, rot)
	default:
		return r.retire(ctx, keys, rot)
	}
}

// publish adds a key that nobody uses yet.
func (r *rotator) publish(ctx context.Context, keys *heldKeys, rot *rotation) error {
	next, id, err := keys.WithNewKey(rot.Keyset)
	if err != nil {
		return err
	}
	old := keys.KeyIDs(rot.Keyset)
	err = r.change(ctx, keys, next, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE keyset_rotation SET phase = $2, key = $3, retiring = $4, revision = $5, at = clock_timestamp()
			WHERE keyset = $1`, rot.Keyset, phasePublished, id, append(old.Others, old.Primary), keys.revision+1)
		return err
	})
	if err == nil {
		r.log.Info("Published a new key", "keyset", rot.Keyset, "key", id)
	}
	return err
}

// promote makes the new key the one that seals, once every replica that is awake has it.
func (r *rotator) promote(ctx context.Context, keys *heldKeys, rot *rotation) (bool, error) {
	if ready, err := r.everyoneHas(ctx, rot); err != nil || !ready {
		return false, err
	}
	next, err := keys.WithPrimary(rot.Keyset, keyID(*rot.Key))
	if err != nil {
		return false, err
	}
	err = r.change(ctx, keys, next, func(tx pgx.Tx) error { return enter(ctx, tx, rot, phasePromoted) })
	if err == nil {
		r.log.Info("Use a new key", "keyset", rot.Keyset, "key", *rot.Key)
	}
	return true, err
}

// everyoneHas tells whether the new key has been out for long enough and nobody lacks it who was seen since.
func (r *rotator) everyoneHas(ctx context.Context, rot *rotation) (bool, error) {
	if !rot.Settled {
		return false, nil
	}
	var lacking int
	err := r.conn.QueryRow(ctx, `SELECT count(*) FROM keyset_holder
		WHERE revision < $1 AND seen_at > clock_timestamp() - make_interval(secs => $2)`,
		rot.Revision, interval(r.policy.Settle)).Scan(&lacking)
	if err != nil {
		return false, fmt.Errorf("ask who has the key: %w", err)
	}
	if lacking > 0 {
		r.log.Warn("Replicas do not have a new key yet", "keyset", rot.Keyset, "replicas", lacking)
	}
	return lacking == 0, nil
}

// drain moves every row to the new key.
func (r *rotator) drain(ctx context.Context, keys *heldKeys, rot *rotation) (bool, error) {
	if err := r.move(ctx, keys, rot); err != nil {
		return false, err
	}
	left, err := r.left(ctx, r.conn, rot)
	if err != nil {
		return false, err
	}
	if left > 0 {
		// Locked just now, or refused: an old key stays for as long as any row claims to need it.
		r.log.Warn("Rows are left under an old key", "keyset", rot.Keyset, "rows", left)
		return false, nil
	}
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error { return enter(ctx, tx, rot, phaseDrained) })
	return true, err
}

// retire takes the old keys away, if no row came back to them.
func (r *rotator) retire(ctx context.Context, keys *heldKeys, rot *rotation) (bool, error) {
	if !rot.Settled {
		return false, nil
	}
	next, err := keys.WithoutOthers(rot.Keyset)
	if err != nil {
		return false, err
	}
	err = r.change(ctx, keys, next, func(tx pgx.Tx) error {
		// Nobody can write with an old key any more, since they are not primary; somebody may have restored rows.
		left, err := r.left(ctx, tx, rot)
		if err != nil {
			return err
		}
		if left > 0 {
			return fmt.Errorf("%w: %d", errRowsCameBack, left)
		}
		return finish(ctx, tx, rot.Keyset)
	})
	if errors.Is(err, errRowsCameBack) {
		return true, pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error { return enter(ctx, tx, rot, phasePromoted) })
	}
	if err == nil {
		r.log.Info("Removed old keys", "keyset", rot.Keyset, "keys", rot.Retiring)
	}
	return true, err
}

var errRowsCameBack = errors.New("rows under an old key appeared")

// enter notes the next phase.
func enter(ctx context.Context, tx pgx.Tx, rot *rotation, phase string) error {
	_, err := tx.Exec(ctx, `UPDATE keyset_rotation SET phase = $2, at = clock_timestamp() WHERE keyset = $1`,
		rot.Keyset, phase)
	return err
}

func finish(ctx context.Context, tx pgx.Tx, which seal.Keyset) error {
	for statement, args := range map[string][]any{
		`DELETE FROM keyset_rotation WHERE keyset = $1`: {which},
		`DELETE FROM keyset_holder`:                     nil,
	} {
		if _, err := tx.Exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// change replaces the keysets in one transaction with what else belongs to it, if they are still those it was made of.
func (r *rotator) change(ctx context.Context, keys *heldKeys, next *seal.Tenant, more func(pgx.Tx) error) error {
	s := r.store
	newest := s.config.Keys.Newest()
	wrapped, err := next.Wrap(ctx, newest)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE tenant_keyset SET kek_generation = $2, kek = $7, sealing = $3, index = $4, wrapped_at = now(),
				revision = revision + 1,
				sealing_primary = $5, sealing_at = CASE WHEN sealing_primary = $5 THEN sealing_at ELSE clock_timestamp() END,
				index_primary = $6, index_at = CASE WHEN index_primary = $6 THEN index_at ELSE clock_timestamp() END
			WHERE revision = $1`, keys.revision, newest.Generation, wrapped.Sealing, wrapped.Index,
			next.KeyIDs(seal.Sealing).Primary, next.KeyIDs(seal.Index).Primary, newest.Name)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errStale
		}
		if err := more(tx); err != nil {
			return err
		}
		return s.announceKeys(ctx, tx)
	})
	return errors.Join(err, s.renewKeys(ctx))
}

// keyID is a key's id as PostgreSQL, which has no unsigned numbers, keeps it.
func keyID(id int64) uint32 { return uint32(id) } //nolint:gosec // Written from a uint32.
