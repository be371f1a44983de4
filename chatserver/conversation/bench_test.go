// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/search"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// BenchmarkCommit sends messages of visitors who each wait for their acknowledgement, while an agent reads all of them.
func BenchmarkCommit(b *testing.B) {
	for _, senders := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("%d senders", senders), func(b *testing.B) { benchmarkCommit(b, senders, nil) })
	}
}

// BenchmarkCommitBesideTheIndexer is BenchmarkCommit while what is said is made searchable.
func BenchmarkCommitBesideTheIndexer(b *testing.B) {
	for _, senders := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("%d senders", senders), func(b *testing.B) { benchmarkCommit(b, senders, index) })
	}
}

func index(ctx context.Context, s *store.Store) {
	metrics := search.NewMetrics(prometheus.NewRegistry())
	search.NewIndexer(s, clock.RealClock{}, slog.New(slog.DiscardHandler), metrics).Run(ctx)
}

// benchmarkCommit runs something beside the engine, if there is something.
func benchmarkCommit(b *testing.B, senders int, beside func(context.Context, *store.Store)) {
	b.Helper()
	s := storetest.New(b).Open(b)
	e, err := conversation.New(b.Context(), conversation.Config{
		Store: s, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
		Metrics: conversation.NewMetrics(prometheus.NewRegistry()), PollInterval: conversation.DefaultPollInterval,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	if beside != nil {
		ended := make(chan struct{})
		go func() { defer close(ended); beside(ctx, s) }()
		b.Cleanup(func() { cancel(); <-ended })
	}
	people := make([]identity.Principal, senders)
	conversations := make([]uuid.UUID, senders)
	for i := range senders {
		people[i] = newVisitor(b, s)
		conversations[i] = openConversation(b, e, people[i])
	}
	subscribe(b, e, newAgent(b, s, "grace"), nil)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range b.N / senders {
				if _, ok := send(b, e, people[i], conversations[i], uuid.New(), "hello").(*protocol.Ack); !ok {
					b.Error("not acknowledged")
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N/senders*senders)/b.Elapsed().Seconds(), "messages/s")
}
