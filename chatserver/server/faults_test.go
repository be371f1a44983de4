// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// newVisitor returns a visitor with an open conversation.
func newVisitor(t *testing.T, c *client.Client) (*servertest.Attendance, uuid.UUID) {
	t.Helper()
	who, err := c.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, c, who)
	opened, err := v.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return v, opened.Conversation
}

// talk sends numbered messages until stop is closed and returns how many were acknowledged.
func talk(ctx context.Context, t *testing.T, v *servertest.Attendance, c uuid.UUID, stop <-chan struct{}) int {
	t.Helper()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return n
		default:
		}
		if _, err := v.Send(ctx, c, fmt.Sprint(n)); err != nil {
			t.Errorf("message %d: %v", n, err)
			return n
		}
	}
}

// TestADrainingReplicaHandsItsClientsOverAndLosesNothing stops one of two replicas under load. The clients reach
// whichever is there, as through a Service.
func TestADrainingReplicaHandsItsClientsOverAndLosesNothing(t *testing.T) {
	servertest.OverEach(t, aDrainingReplicaHandsItsClientsOverAndLosesNothing)
}

func aDrainingReplicaHandsItsClientsOverAndLosesNothing(t *testing.T, over client.Transport) {
	t.Helper()
	const visitors = 5
	db := storetest.New(t)
	leaving := servertest.Start(t, db)
	leaving.Config.DrainSeconds = 5
	staying := servertest.StartBeside(t, db, leaving)
	var current atomic.Pointer[servertest.Replica]
	current.Store(leaving)
	c := servertest.ClientOver(t, over, leaving, current.Load)
	stop := make(chan struct{})
	type result struct {
		v            *servertest.Attendance
		conversation uuid.UUID
		sent         int
	}
	results := make([]result, visitors)
	var wg sync.WaitGroup
	for i := range results {
		v, conversation := newVisitor(t, c)
		results[i] = result{v: v, conversation: conversation}
		wg.Go(func() { results[i].sent = talk(t.Context(), t, v, conversation, stop) })
	}
	time.Sleep(200 * time.Millisecond)
	// Whenever the clients leave, the replica drains until it was looked at.
	release := leaving.InHand(t)
	current.Store(staying)
	start := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- leaving.Stop() }()
	expectUnready(t, leaving)
	release()
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if took, limit := time.Since(start), leaving.Config.DrainTimeout()+10*time.Second; took > limit {
		t.Errorf("stopping took %v, more than %v", took, limit)
	}
	close(stop)
	wg.Wait()
	for i, r := range results {
		events := r.v.WaitFor(t, r.conversation, r.sent)
		for n, event := range events {
			if event.Body.Reveal() != fmt.Sprint(n) {
				t.Errorf("visitor %d: event %d is %q", i, n, event.Body.Reveal())
			}
		}
		if r.v.Welcomes() < 2 {
			t.Errorf("visitor %d never moved", i)
		}
	}
	if !strings.Contains(leaving.Log.String(), "Drained") {
		t.Error("the log does not say that it drained")
	}
}

func expectUnready(t *testing.T, r *servertest.Replica) {
	t.Helper()
	var body string
	waitUntil(t, "readiness says no", func() (unready bool) {
		var status int
		status, body = r.Probe(t, "/readyz")
		return status == http.StatusServiceUnavailable
	})
	if !strings.Contains(body, "draining") {
		t.Errorf("while draining /readyz answers %q", body)
	}
	if live, _ := r.Probe(t, "/livez"); live != http.StatusOK {
		t.Errorf("while draining /livez answers %d", live)
	}
}

func TestARenewedCertificateIsServedWithoutDroppingOpenSockets(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	v, c := newVisitor(t, r.Client(t))
	renewed := certtest.NewCA(t)
	leaf := certtest.Leaf{CommonName: "renewed", Hosts: []string{servertest.Host}}
	renewed.Write(t, filepath.Dir(r.Config.TLS.CertFile), leaf)
	old := r.Roots
	r.Roots = renewed.Pool()
	fresh := r.Client(t)
	waitUntil(t, "the renewed certificate is served", func() bool {
		_, err := fresh.Info(t.Context())
		return err == nil
	})
	if status, body := r.Probe(t, "/livez"); status != http.StatusOK {
		t.Errorf("the health listener answers %d %s with the renewed authority", status, body)
	}
	r.Roots = old
	if _, err := r.Client(t).Info(t.Context()); err == nil {
		t.Error("the old certificate is still served")
	}
	if _, err := v.Send(t.Context(), c, "still here"); err != nil {
		t.Error(err)
	}
	if n := v.Welcomes(); n != 1 {
		t.Errorf("the open socket connected %d times", n)
	}
}

func TestPostgreSQLRereadsItsFilesWhenTheClientCertificateIsRenewed(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	admin := db.Admin(t)
	loaded := func() (at time.Time) {
		if err := admin.QueryRow(t.Context(), `SELECT pg_conf_load_time()`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := loaded()
	renewed := certtest.Leaf{CommonName: r.Config.Database.User}
	db.Cluster.CA.Write(t, filepath.Dir(r.Config.Database.TLS.CertFile), renewed)
	waitUntil(t, "PostgreSQL has reread its files", func() bool { return loaded().After(before) })
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("waited in vain until %s", what)
}

func TestADatabaseThatComesLateOrGoesAwayIsWaitedFor(t *testing.T) {
	servertest.OverEach(t, aDatabaseThatComesLateOrGoesAwayIsWaitedFor)
}

func aDatabaseThatComesLateOrGoesAwayIsWaitedFor(t *testing.T, over client.Transport) {
	t.Helper()
	db := storetest.New(t)
	db.Cluster.Kill()
	r := servertest.Launch(t, db)
	if status, _ := r.Probe(t, "/livez"); status != http.StatusOK {
		t.Errorf("without a database /livez answers %d", status)
	}
	if status, body := r.Probe(t, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("without a database /readyz answers %d %s", status, body)
	}
	db.Cluster.Start(t)
	r.WaitReady(t)
	v, c := newVisitor(t, servertest.ClientOver(t, over, r, func() *servertest.Replica { return r }))
	db.Cluster.Kill()
	waitUntil(t, "readiness notices", func() bool {
		status, _ := r.Probe(t, "/readyz")
		return status == http.StatusServiceUnavailable
	})
	sent := make(chan error, 1)
	go func() {
		_, err := v.Send(t.Context(), c, "while the database was away")
		sent <- err
	}()
	time.Sleep(200 * time.Millisecond)
	db.Cluster.Start(t)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	v.WaitFor(t, c, 1)
	if n := v.Welcomes(); n != 1 {
		t.Errorf("the socket was dropped: %d connections", n)
	}
}

func TestNothingPersonalReachesLogsOrMetrics(t *testing.T) {
	servertest.OverEach(t, nothingPersonalReachesLogsOrMetrics)
}

func nothingPersonalReachesLogsOrMetrics(t *testing.T, over client.Transport) {
	t.Helper()
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, "grace@seeded.example", "Seeded Grace")
	c := servertest.ClientOver(t, over, r, func() *servertest.Replica { return r })
	who, err := c.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, c, who)
	contact := &protocol.Contact{Name: protocol.NewText("Seeded Ada"), Email: protocol.NewText("ada@seeded.example")}
	opened, err := v.Open(t.Context(), contact)
	if err != nil {
		t.Fatal(err)
	}
	email := redacted.New("grace@seeded.example")
	if _, err := c.SignIn(t.Context(), email, redacted.New("seeded wrong password")); err == nil {
		t.Error("a wrong password signs in")
	}
	agent, err := c.SignIn(t.Context(), email, redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	a := servertest.Attend(t, c, agent)
	a.WaitWelcomes(t, 1)
	if _, err := v.Send(t.Context(), opened.Conversation, "seeded question"); err != nil {
		t.Fatal(err)
	}
	a.WaitFor(t, opened.Conversation, 1)
	// Faults are where values slip into logs: the database goes away under every kind of request.
	db.Cluster.Kill()
	_, _ = c.SignIn(t.Context(), email, redacted.New(servertest.Password))
	_, _ = c.NewVisitor(t.Context())
	sent := make(chan struct{})
	go func() { defer close(sent); _, _ = v.Send(t.Context(), opened.Conversation, "seeded question in vain") }()
	time.Sleep(200 * time.Millisecond)
	db.Cluster.Start(t)
	<-sent
	_, metrics := r.Probe(t, "/metrics")
	if !strings.Contains(metrics, "chattenant_messages_total") || !strings.Contains(r.Log.String(), "Cannot") {
		t.Fatal("there is nothing to search")
	}
	for _, value := range []string{"seeded", "203.0.113.7", servertest.Password} {
		if strings.Contains(strings.ToLower(metrics+r.Log.String()), value) {
			t.Errorf("logs or metrics hold %q", value)
		}
	}
	for _, id := range []uuid.UUID{opened.Conversation, who.ID, agent.ID} {
		if strings.Contains(metrics, id.String()) {
			t.Errorf("metrics hold the id %s", id)
		}
	}
}
