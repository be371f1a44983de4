// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// Whoever held an older keyset would be told so by the database and would have to ask the key service.
func TestKeysConfirmedWithoutTheDatabaseAreThoseThatWereRotatedLast(t *testing.T) {
	db := storetest.New(t)
	keys := newService(t, db, 1)
	w := watch(t, configWith(t, db, keys.key()))
	other := openWith(t, db, keys.key())
	stop := keep(other, hasty())
	if _, err := other.RequestRotation(t.Context(), seal.Sealing); err != nil {
		t.Fatal(err)
	}
	waitRotated(t, db)
	stop()
	confirmed := w.KeyStatus().Confirmed
	before := keys.calls.Load()
	newConversation(t, w.Store, store.Contact{Name: redacted.New("Ada")})
	if keys.calls.Load() == before {
		t.Fatal("the keyset that was rotated away is not found out")
	}

	db.Cluster.Kill()
	w.pass(t, 10*time.Hour)
	if status := w.KeyStatus(); status.Err != nil || !status.Confirmed.After(confirmed) {
		t.Errorf("without a database: %+v", status)
	}
	db.Cluster.Start(t)
	before = keys.calls.Load()
	newConversation(t, w.Store, store.Contact{Name: redacted.New("Grace")})
	if asked := keys.calls.Load() - before; asked > 0 {
		t.Errorf("an older keyset was held: the key service had to be asked %d times", asked)
	}
}
