// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// swiftly makes a replica rotate within a second.
func swiftly(_ *serverconfig.ChatServerConfiguration, o *server.Options) {
	o.Rotation = store.RotationPolicy{Poll: 50 * time.Millisecond, Settle: 200 * time.Millisecond, Batch: 100}
}

func TestRotateKeysIsDoneByTheRunningReplicas(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	r := servertest.Start(t, db, swiftly)
	c := r.Client(t)
	who, err := c.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, c, who)
	opened, err := v.Open(t.Context(), &protocol.Contact{Name: protocol.NewText("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	send := func(body string) {
		t.Helper()
		if _, err := v.Send(t.Context(), opened.Conversation, body); err != nil {
			t.Error(err)
		}
	}
	send("before")
	before := keysInUse(t, db)
	rotate(t, file, "sealing keyset: rotation requested\nindex keyset: rotation requested\n")
	rotate(t, file, "visitor's keyset: rotation requested\n", "--visitor", visitorOf(t, db).String())
	send("meanwhile")
	waitForRotation(t, db)
	send("after")
	for i, key := range keysInUse(t, db) {
		if key == before[i] {
			t.Errorf("key %d is still in use", key)
		}
	}
	v.WaitFor(t, opened.Conversation, 3)
	expectMetrics(t, r,
		`chattenant_keyset_created_timestamp_seconds{keyset="sealing"} 1.`,
		`chattenant_keyset_rotation_remaining_rows{keyset="sealing",table="subject_key"} 0`,
		`chattenant_keyset_rotation_remaining_rows{keyset="index",table="agent"} 0`,
		`chattenant_subject_rotations_pending 0`)
}

// expectMetrics waits until the replica tells everything wanted.
func expectMetrics(t *testing.T, r *servertest.Replica, wanted ...string) {
	t.Helper()
	missing := wanted
	for range 600 {
		_, metrics := r.Probe(t, "/metrics")
		missing = slices.DeleteFunc(slices.Clone(wanted), func(w string) bool { return strings.Contains(metrics, w) })
		if len(missing) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("metrics lack %v", missing)
}

func TestRotateKeysRefusesWhoIsNoVisitor(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	for _, visitor := range []string{"ada", uuid.NewString()} {
		if out, err := run(t, "", "rotate-keys", "--config", file, "--visitor", visitor); err == nil {
			t.Errorf("visitor %s: printed %q", visitor, out)
		}
	}
}

func rotate(t *testing.T, file, want string, args ...string) {
	t.Helper()
	out, err := run(t, "", append([]string{"rotate-keys", "--config", file}, args...)...)
	if err != nil || out != want {
		t.Errorf("rotate-keys %v printed %q, %v", args, out, err)
	}
}

func visitorOf(t *testing.T, db *storetest.Database) (visitor uuid.UUID) {
	t.Helper()
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT visitor FROM conversation`).Scan(&visitor); err != nil {
		t.Fatal(err)
	}
	return visitor
}

// keysInUse are the keys that seal, that index, and that sealed the visitor's first message.
func keysInUse(t *testing.T, db *storetest.Database) (keys [3]int64) {
	t.Helper()
	err := db.Admin(t).QueryRow(t.Context(), `
		SELECT sealing_primary, index_primary, sealed_with(body) FROM tenant_keyset, event WHERE seq = 1`).
		Scan(&keys[0], &keys[1], &keys[2])
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func waitForRotation(t *testing.T, db *storetest.Database) {
	t.Helper()
	admin := db.Admin(t)
	for range 1200 {
		var left int
		err := admin.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM keyset_rotation) + (SELECT count(*) FROM subject_rotation)`).Scan(&left)
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the rotation does not end")
}
