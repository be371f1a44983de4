// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/gateway/routes"
)

const patience = 20 * time.Second

// watchTable fills a table from the server until the test ends.
func watchTable(t *testing.T, server *apiServer) (*routes.Table, *routes.Watcher) {
	t.Helper()
	return watchTableLogging(t, server, logr.Discard())
}

func watchTableLogging(t *testing.T, server *apiServer, logger logr.Logger) (*routes.Table, *routes.Watcher) {
	t.Helper()
	table := routes.NewTable(nil)
	watcher, err := routes.NewWatcher(server.config(), table, logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watcher.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return table, watcher
}

func waitForRoutes(t *testing.T, watcher *routes.Watcher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !watcher.WaitForRoutes(ctx) {
		t.Fatal("no routes in time")
	}
}

func eventuallyLeadsTo(t *testing.T, table *routes.Table, host, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		owner, _ := table.Lookup(host)
		if owner == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s leads to %q, want %q", host, owner, want)
		}
	}
}

func TestTheTableFollowsTheAPIServer(t *testing.T) {
	server := startAPIServer(t)
	server.put(tenant("acme", "1", host, older))
	table, watcher := watchTable(t, server)
	waitForRoutes(t, watcher)
	if owner, _ := table.Lookup(host); owner != "acme" {
		t.Fatalf("after the first list %s leads to %q, want acme", host, owner)
	}

	server.put(tenant("initech", "2", "chat.initech.example", newer))
	eventuallyLeadsTo(t, table, "chat.initech.example", "initech")
	server.put(tenant("initech", "2", "new.initech.example", newer))
	eventuallyLeadsTo(t, table, "new.initech.example", "initech")
	eventuallyLeadsTo(t, table, "chat.initech.example", "")
	server.put(deleting(tenant("initech", "2", "new.initech.example", newer)))
	eventuallyLeadsTo(t, table, "new.initech.example", "")
	server.remove("acme")
	eventuallyLeadsTo(t, table, host, "")
}

func TestThereAreNoRoutesBeforeTheFirstList(t *testing.T) {
	server := startAPIServer(t)
	server.put(tenant("acme", "1", host, older))
	server.setAway(true)
	table, watcher := watchTable(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if watcher.WaitForRoutes(ctx) {
		t.Fatal("routes are said to be known while nobody could be asked")
	}
	server.setAway(false)
	waitForRoutes(t, watcher)
	eventuallyLeadsTo(t, table, host, "acme")
}

func TestRoutesOutliveTheAPIServer(t *testing.T) {
	server := startAPIServer(t)
	server.put(tenant("acme", "1", host, older))
	server.put(tenant("initech", "2", "chat.initech.example", newer))
	table, watcher := watchTable(t, server)
	waitForRoutes(t, watcher)

	server.setAway(true)
	for range 30 { // long enough for several attempts to fail
		time.Sleep(50 * time.Millisecond)
		if owner, _ := table.Lookup(host); owner != "acme" {
			t.Fatalf("with the API server away %s leads to %q, want acme", host, owner)
		}
	}
	server.remove("initech")
	server.put(tenant("globex", "3", "chat.globex.example", newer))
	server.setAway(false)
	eventuallyLeadsTo(t, table, "chat.globex.example", "globex")
	eventuallyLeadsTo(t, table, "chat.initech.example", "")
	eventuallyLeadsTo(t, table, host, "acme")
}

func TestAnAPIServerThatIsAwayIsLoggedOnce(t *testing.T) {
	server := startAPIServer(t)
	server.setAway(true)
	lines := make(chan string, 100)
	watchTableLogging(t, server, funcr.New(func(_, line string) { lines <- line }, funcr.Options{}))
	first := <-lines
	if !strings.Contains(first, "cannot reach the API server") {
		t.Errorf("logged %s", first)
	}
	time.Sleep(2 * time.Second) // for more attempts
	if len(lines) > 0 {
		t.Errorf("logged again: %s", <-lines)
	}
}

func TestOnlyChatTenantsAreReadAndNothingIsWritten(t *testing.T) {
	server := startAPIServer(t)
	_, watcher := watchTable(t, server)
	waitForRoutes(t, watcher)
	for _, request := range server.seen() {
		if diff := cmp.Diff("GET /apis/chattenant.io/v1alpha1/chattenants", request); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	}
}
