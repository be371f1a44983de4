// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func signIn(t *testing.T, db *storetest.Database, c *client.Client, name string) client.Credentials {
	t.Helper()
	servertest.NewAgent(t, db, name+"@example.org", name)
	who, err := c.SignIn(t.Context(), redacted.New(name+"@example.org"), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// TestNobodySeesThatADrainingReplicaHandsItsClientsOver stops one of two replicas: its clients move to the other, where
// they count as there throughout.
func TestNobodySeesThatADrainingReplicaHandsItsClientsOver(t *testing.T) {
	db := storetest.New(t)
	leaving := servertest.Start(t, db)
	staying := servertest.StartBeside(t, db, leaving)
	var current atomic.Pointer[servertest.Replica]
	current.Store(leaving)
	moving, settled := servertest.ClientOf(t, leaving, current.Load), staying.Client(t)
	who, err := moving.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, moving, who)
	opened, err := v.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	conversation := opened.Conversation
	mover := signIn(t, db, moving, "grace")
	g := servertest.Attend(t, moving, mover)
	watcher := servertest.Attend(t, settled, signIn(t, db, settled, "ada"))
	watcher.WaitOnline(t, conversation, who.ID, true)
	watcher.WaitOnline(t, uuid.Nil, mover.ID, true)
	v.WaitAvailable(t, true)
	current.Store(staying)
	if err := leaving.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	v.WaitWelcomes(t, 2)
	g.WaitWelcomes(t, 2)
	v.WaitAvailable(t, true)
	// More than the grace, and than the lease of the replica that is gone.
	time.Sleep(20 * time.Second)
	if n := watcher.Farewells(); n != 0 {
		t.Errorf("the watcher was told %d times that somebody left", n)
	}
	watcher.WaitOnline(t, conversation, who.ID, true)
	watcher.WaitOnline(t, uuid.Nil, mover.ID, true)
	v.Leave()
	watcher.WaitOnline(t, conversation, who.ID, false)
}

func TestTheInfoSaysWhetherAnyoneIsThere(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	c := r.Client(t)
	if info, err := c.Info(t.Context()); err != nil || info.Available {
		t.Errorf("with nobody there: %+v, %v", info, err)
	}
	who := signIn(t, db, c, "grace")
	g := servertest.Attend(t, c, who)
	g.WaitWelcomes(t, 1)
	if info, err := c.Info(t.Context()); err != nil || !info.Available {
		t.Errorf("with an agent there: %+v, %v", info, err)
	}
}
