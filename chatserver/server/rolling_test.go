// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// Of a rolling restart under load: how many serve, talk and answer, and how long nobody may wait for an
// acknowledgement, counted from the first time a message is sent.
const (
	rollingReplicas = 2
	rollingVisitors = 12
	rollingAgents   = 3
	longestAckWait  = 3 * time.Second
	// betweenWords is the pause of a participant after each acknowledgement.
	betweenWords = 20 * time.Millisecond
	// endpointDelay is how long a Service goes on naming a replica that was told to end: longer than that one waits
	// before it sends its clients away.
	endpointDelay = 4 * time.Second
	// productionDrain is what the operator configures.
	productionDrain = 20
)

// balancer spreads connections over its endpoints, as a Service does.
type balancer struct {
	mu        sync.Mutex
	endpoints []*servertest.Replica
}

func (b *balancer) add(r *servertest.Replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = append(b.endpoints, r)
}

func (b *balancer) remove(r *servertest.Replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = slices.DeleteFunc(b.endpoints, func(e *servertest.Replica) bool { return e == r })
}

func (b *balancer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	b.mu.Lock()
	chosen := b.endpoints[rand.IntN(len(b.endpoints))] //nolint:gosec // Spreads load, hides nothing.
	b.mu.Unlock()
	return chosen.Dial(ctx, network, address)
}

func (b *balancer) client(t *testing.T, like *servertest.Replica) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: servertest.Endpoint, TLS: like.TLS(), Dial: b.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// crowd is everybody who talks, and the record of what was said.
type crowd struct {
	oracle  *oracle.Oracle
	stalls  *stalls
	readers []*oracle.Reader
	stop    chan struct{}
	talking sync.WaitGroup
	// leaving ends the sessions, one after the other.
	leaving []func()

	mu            sync.Mutex
	conversations []uuid.UUID
	waits         []time.Duration
	worst         wait
}

// wait is the time of a message without an acknowledgement.
type wait struct {
	from time.Time
	// raw is what the clock says, own leaves out when nothing at all ran on this machine.
	raw, own time.Duration
}

// join has somebody read everything they may, until everybody leaves.
func (c *crowd) join(t *testing.T, on *client.Client, who client.Credentials, name string) *client.Session {
	t.Helper()
	r := c.oracle.NewReader(name)
	c.readers = append(c.readers, r)
	s := on.NewSession(who, client.Observer{Event: r.Event, CaughtUp: r.CaughtUp, Reset: r.Reset})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the session ended: %v", name, err)
		}
	}()
	c.leaving = append(c.leaving, func() { cancel(); <-done })
	return s
}

// leave has everybody gone before the replicas are stopped, which would wait for them.
func (c *crowd) leave() {
	for _, end := range c.leaving {
		end()
	}
}

// talk says one thing after another, in a conversation that next names, until everybody stops.
func (c *crowd) talk(t *testing.T, s *client.Session, who uuid.UUID, next func() uuid.UUID) {
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		case <-time.After(betweenWords):
		}
		m := oracle.Message{Conversation: next(), Author: who, ClientID: uuid.New(), Body: fmt.Sprint(n)}
		c.oracle.Sending(m)
		from := time.Now()
		ack, err := s.SendAs(t.Context(), m.Conversation, m.ClientID, m.Body)
		if err != nil {
			t.Errorf("message %d: %v", n, err)
			return
		}
		c.oracle.Acknowledged(ack)
		c.note(from, time.Since(from))
	}
}

func (c *crowd) note(from time.Time, raw time.Duration) {
	own := raw - c.stalls.between(from, from.Add(raw))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, raw)
	if own > c.worst.own {
		c.worst = wait{from, raw, own}
	}
}

func (c *crowd) visit(t *testing.T, on *client.Client, name string) {
	t.Helper()
	who, err := on.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := c.join(t, on, who, name)
	opened, err := s.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.conversations = append(c.conversations, opened.Conversation)
	c.talking.Go(func() { c.talk(t, s, who.ID, func() uuid.UUID { return opened.Conversation }) })
}

func (c *crowd) answer(t *testing.T, on *client.Client, name string) {
	t.Helper()
	who, err := on.SignIn(t.Context(), redacted.New(name+"@example.org"), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	s := c.join(t, on, who, name)
	all := slices.Clone(c.conversations)
	anywhere := func() uuid.UUID { return all[rand.IntN(len(all))] } //nolint:gosec // Spreads load, hides nothing.
	c.talking.Go(func() { c.talk(t, s, who.ID, anywhere) })
}

// TestARollingRestartUnderLoadKeepsNobodyWaiting replaces every replica as a Deployment does: a new one is ready before
// an old one is told to end, and is told of by the Service until a moment after that.
func TestARollingRestartUnderLoadKeepsNobodyWaiting(t *testing.T) {
	db := storetest.New(t)
	drain := func(config *serverconfig.ChatServerConfiguration, _ *server.Options) {
		config.DrainSeconds = productionDrain
	}
	first := servertest.Start(t, db, drain)
	service := &balancer{}
	service.add(first)
	old := []*servertest.Replica{first}
	for len(old) < rollingReplicas {
		r := servertest.StartBeside(t, db, first, drain)
		service.add(r)
		old = append(old, r)
	}
	c := &crowd{oracle: oracle.New(clock.RealClock{}), stalls: watchStalls(t), stop: make(chan struct{})}
	defer c.leave()
	for i := range rollingVisitors {
		c.visit(t, service.client(t, first), fmt.Sprintf("visitor%d", i))
	}
	for i := range rollingAgents {
		name := fmt.Sprintf("agent%d", i)
		servertest.NewAgent(t, db, name+"@example.org", name)
		c.answer(t, service.client(t, first), name)
	}
	time.Sleep(time.Second)
	calm := c.soFar()
	for _, leaving := range old {
		service.add(servertest.StartBeside(t, db, first, drain))
		retire(t, service, leaving)
	}
	time.Sleep(time.Second)
	close(c.stop)
	c.talking.Wait()
	c.judge(t, db)
	t.Logf("%d messages before, %d in all; waits: median %v, 99 %% within %v, longest %v (%v without the machine's own "+
		"pauses)", calm, len(c.waits), c.quantile(0.5), c.quantile(0.99), c.quantile(1), c.worst.own.Round(time.Millisecond))
	if c.worst.own > longestAckWait {
		t.Errorf("a message sent at %s waited %v for its acknowledgement, more than %v",
			c.worst.from.UTC().Format(time.TimeOnly), c.worst.own, longestAckWait)
	}
}

// retire ends a replica as a kubelet does while the Service's endpoints lag behind.
func retire(t *testing.T, service *balancer, leaving *servertest.Replica) {
	t.Helper()
	lag := time.AfterFunc(endpointDelay, func() { service.remove(leaving) })
	defer lag.Stop()
	if err := leaving.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	service.remove(leaving)
}

func (c *crowd) soFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waits)
}

// judge waits until everybody has read everything, then compares all of it with the database.
func (c *crowd) judge(t *testing.T, db *storetest.Database) {
	t.Helper()
	for _, r := range c.readers {
		mine := slices.DeleteFunc(slices.Clone(c.conversations), func(id uuid.UUID) bool { return r.Seen(id) == 0 })
		waitUntil(t, "everything is read", func() bool { return r.Behind(mine) == "" })
	}
	rows, heads := stored(t, db)
	c.oracle.Audit(rows, heads)
	for _, violation := range c.oracle.Violations() {
		t.Error(violation)
	}
	slices.Sort(c.waits)
}

func (c *crowd) quantile(q float64) time.Duration {
	return c.waits[int(q*float64(len(c.waits)-1))].Round(time.Millisecond)
}

// stored reads every event and head of the database.
func stored(t *testing.T, db *storetest.Database) (rows []oracle.Row, heads map[uuid.UUID]int64) {
	t.Helper()
	admin := db.Admin(t)
	events, err := admin.Query(t.Context(), `SELECT conversation::text, seq, id::text, author::text, client_id::text
		FROM event ORDER BY conversation, seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	heads = map[uuid.UUID]int64{}
	for events.Next() {
		var conversation, id, author, clientID string
		var row oracle.Row
		if err := events.Scan(&conversation, &row.Seq, &id, &author, &clientID); err != nil {
			t.Fatal(err)
		}
		row.Conversation, row.ID = uuid.MustParse(conversation), uuid.MustParse(id)
		row.Author, row.ClientID = uuid.MustParse(author), uuid.MustParse(clientID)
		rows = append(rows, row)
		heads[row.Conversation] = row.Seq
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	return rows, heads
}
