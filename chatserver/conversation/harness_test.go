// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// patience is long for machines with much else to do; what goes right does not take it.
const patience = 90 * time.Second

// startEngine runs a replica on its own store until the test ends.
func startEngine(t *testing.T, s conversation.Store) *conversation.Engine {
	t.Helper()
	e, _ := launchEngine(t, s)
	return e
}

// launchEngine is startEngine with a way to stop earlier, which waits for the end.
func launchEngine(t *testing.T, s conversation.Store) (e *conversation.Engine, stop func()) {
	t.Helper()
	return launchTimed(t, s, conversation.DefaultPresenceTiming())
}

// launchTimed is launchEngine with its own times of presence.
func launchTimed(
	t *testing.T, s conversation.Store, timing conversation.PresenceTiming,
) (e *conversation.Engine, stop func()) {
	t.Helper()
	return launch(t, conversation.Config{Store: s, PollInterval: time.Second, Presence: timing})
}

// launch runs a replica that is configured by the test, and says how to end it.
func launch(t *testing.T, config conversation.Config) (e *conversation.Engine, stop func()) {
	t.Helper()
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	config.Logger = slog.New(slog.DiscardHandler)
	config.Metrics = conversation.NewMetrics(prometheus.NewRegistry())
	e, err := conversation.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return e, stop
}

func newVisitor(tb testing.TB, s *store.Store) identity.Principal {
	tb.Helper()
	token := uuid.New()
	v, err := s.CreateVisitor(tb.Context(), sha256.Sum256(token[:]), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	return identity.Principal{Kind: protocol.Visitor, ID: v.ID, ExpiresAt: v.ExpiresAt}
}

func newAgent(tb testing.TB, s *store.Store, name string) identity.Principal {
	tb.Helper()
	a, err := s.EnsureAgent(tb.Context(), redacted.New(name+"@example.org"), redacted.New(name))
	if err != nil {
		tb.Fatal(err)
	}
	token := uuid.New()
	session, err := s.CreateSession(tb.Context(), a, sha256.Sum256(token[:]), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	return identity.Principal{
		Kind: protocol.Agent, ID: a.ID, DisplayName: a.DisplayName, Session: session.ID, ExpiresAt: session.ExpiresAt,
	}
}

func openConversation(tb testing.TB, e *conversation.Engine, p identity.Principal) uuid.UUID {
	tb.Helper()
	open := &protocol.Open{ClientID: uuid.New()}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if opened, ok := e.Open(tb.Context(), p, open).(*protocol.Opened); ok {
			return opened.Conversation
		}
	}
	tb.Fatal("the conversation was never opened")
	return uuid.Nil
}

// send submits a message and waits for the answer.
func send(
	tb testing.TB, e *conversation.Engine, p identity.Principal, c, clientID uuid.UUID, body string,
) protocol.Frame {
	tb.Helper()
	answer := make(chan protocol.Frame, 1)
	e.Submit(p, &protocol.Send{Conversation: c, ClientID: clientID, Body: protocol.NewText(body)}, func(f protocol.Frame) {
		answer <- f
	})
	select {
	case f := <-answer:
		return f
	case <-time.After(patience):
		tb.Error("no answer to a message")
		return nil
	}
}

// mustSend resends with the same client id until the message is acknowledged, as clients do.
func mustSend(t *testing.T, e *conversation.Engine, p identity.Principal, c uuid.UUID, body string) *protocol.Ack {
	t.Helper()
	clientID := uuid.New()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ack, ok := send(t, e, p, c, clientID, body).(*protocol.Ack); ok {
			return ack
		}
	}
	t.Error("message was never acknowledged")
	return &protocol.Ack{}
}

// reader keeps what a subscription delivered and checks the order as it comes.
type reader struct {
	sub    *conversation.Subscription
	mu     sync.Mutex
	events map[uuid.UUID][]*protocol.Event
	frames []protocol.Frame
	faults []error
	last   map[uuid.UUID]int64
	closed chan error
	cancel context.CancelFunc
}

func subscribe(
	tb testing.TB, e *conversation.Engine, p identity.Principal, cursors map[uuid.UUID]protocol.Cursor,
) *reader {
	tb.Helper()
	sub, err := e.Subscribe(tb.Context(), p, cursors)
	if err != nil {
		tb.Fatalf("Subscribe: %v", err)
	}
	return readAll(tb, sub, cursors)
}

// readAll reads a subscription until it ends or the test does.
func readAll(tb testing.TB, sub *conversation.Subscription, cursors map[uuid.UUID]protocol.Cursor) *reader {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{
		sub: sub, events: map[uuid.UUID][]*protocol.Event{}, last: map[uuid.UUID]int64{}, closed: make(chan error, 1),
		cancel: cancel,
	}
	for id, cursor := range cursors {
		r.last[id] = cursor.Seq
	}
	go func() {
		err := r.run(ctx, sub)
		// Whoever is told of the end may count on the subscription to be gone.
		sub.Close()
		r.closed <- err
	}()
	tb.Cleanup(cancel)
	return r
}

func (r *reader) run(ctx context.Context, sub *conversation.Subscription) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Ready():
		}
		frames, err := sub.Poll(ctx)
		if err != nil {
			return err
		}
		for _, data := range frames {
			frame, err := protocol.DecodeServer(data)
			if err != nil {
				return fmt.Errorf("frame %s: %w", data, err)
			}
			r.receive(frame)
		}
	}
}

func (r *reader) receive(frame protocol.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, frame)
	switch f := frame.(type) {
	case *protocol.Reset:
		r.last[f.Conversation] = 0
		r.events[f.Conversation] = nil
	case *protocol.CaughtUp:
		if f.Seq != r.last[f.Conversation] {
			r.faults = append(r.faults, fmt.Errorf("caught up at %d after event %d", f.Seq, r.last[f.Conversation]))
		}
	case *protocol.Event:
		if f.Seq != r.last[f.Conversation]+1 {
			r.faults = append(r.faults, fmt.Errorf("event %d follows event %d", f.Seq, r.last[f.Conversation]))
		}
		r.last[f.Conversation] = f.Seq
		r.events[f.Conversation] = append(r.events[f.Conversation], f)
	}
}

// waitFor waits until the reader has the conversation's event seq, and fails on any gap or duplicate on the way.
func (r *reader) waitFor(t *testing.T, c uuid.UUID, seq int64) []*protocol.Event {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		r.mu.Lock()
		events, last, faults := r.events[c], r.last[c], errors.Join(r.faults...)
		r.mu.Unlock()
		if faults != nil {
			t.Fatal(faults)
		}
		if last >= seq {
			return events
		}
	}
	t.Fatalf("waited %v for event %d, have %d", patience, seq, r.last[c])
	return nil
}

// frameOf waits for the first frame of a type.
func frameOf[T protocol.Frame](t *testing.T, r *reader) T {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		r.mu.Lock()
		for _, f := range r.frames {
			if frame, ok := f.(T); ok {
				r.mu.Unlock()
				return frame
			}
		}
		r.mu.Unlock()
	}
	var none T
	t.Fatalf("waited %v for %T", patience, none)
	return none
}
