// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"time"
)

// askForKeys has the tenant's keys replaced and those of some visitors, while everything else goes wrong.
func askForKeys(w *world, _ *fault) error {
	for _, statement := range []string{
		`INSERT INTO keyset_rotation (keyset) VALUES ('sealing'), ('index') ON CONFLICT DO NOTHING`,
		`INSERT INTO subject_rotation (visitor)
			SELECT visitor FROM subject_key ORDER BY random() LIMIT 3 ON CONFLICT DO NOTHING`,
		`NOTIFY chattenant_keys`,
	} {
		if err := w.db.exec(w.ctx, statement); err != nil {
			return fmt.Errorf("ask for new keys: %w", err)
		}
	}
	return nil
}

// hurryRotations takes away the minutes that a rotation otherwise waits, in which a replica that lacks a key would get
// it: here each finds out by what it cannot open or may not write. A replica that was killed is not waited for either.
func (d *database) hurryRotations(ctx context.Context) error {
	for _, statement := range []string{
		`CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			NEW.at := NEW.at - interval '1 hour'; RETURN NEW; END $$`,
		`CREATE TRIGGER hurry BEFORE INSERT OR UPDATE ON keyset_rotation FOR EACH ROW EXECUTE FUNCTION hurry()`,
		`CREATE FUNCTION hurry_holder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			NEW.seen_at := NEW.seen_at - interval '58 s'; RETURN NEW; END $$`,
		`CREATE TRIGGER hurry BEFORE INSERT OR UPDATE ON keyset_holder FOR EACH ROW EXECUTE FUNCTION hurry_holder()`,
	} {
		if err := d.exec(ctx, statement); err != nil {
			return fmt.Errorf("hurry rotations: %w", err)
		}
	}
	return nil
}

// checkKeys finds that every rotation asked for came to its end, and that nothing is left under a key that went.
func (w *world) checkKeys(limit time.Duration) {
	w.waitUntil(limit, "no rotation is under way", func() string {
		return w.expectNone(`SELECT (SELECT count(*) FROM keyset_rotation) + (SELECT count(*) FROM subject_rotation)`)
	})
	for what, query := range map[string]string{
		"visitors' keys": `SELECT count(*) FROM subject_key, tenant_keyset WHERE sealed_with(wrapped) <> sealing_primary`,
		"agents": `SELECT count(*) FROM agent, tenant_keyset WHERE email_index_key <> index_primary
			OR sealed_with(email) <> sealing_primary OR sealed_with(display_name) <> sealing_primary`,
	} {
		if complaint := w.expectNone(query); complaint != "" {
			w.oracle.Violated("%s under keys that are gone: %s", what, complaint)
		}
	}
}

func (w *world) expectNone(count string) string {
	conn, err := w.db.connect(w.ctx)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close(w.ctx) }()
	var n int
	if err := conn.QueryRow(w.ctx, count).Scan(&n); err != nil {
		return err.Error()
	}
	if n > 0 {
		return fmt.Sprintf("there are %d", n)
	}
	return ""
}
