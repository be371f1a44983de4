// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// BenchmarkIndex indexes messages of twenty words out of a hundred thousand, some of which are said often.
func BenchmarkIndex(b *testing.B) {
	s := storetest.New(b).Open(b)
	fill(b, s, b.N)
	b.ResetTimer()
	for more := true; more; {
		done, err := s.Index(b.Context(), time.Time{})
		if err != nil {
			b.Fatal(err)
		}
		more = done.More
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// fill has many visitors say n messages.
func fill(b *testing.B, s *store.Store, n int) {
	b.Helper()
	const talks = 100
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // The same words in every run.
	var drafts []store.Draft
	for talk := range talks {
		v, err := s.CreateVisitor(b.Context(), sha256.Sum256([]byte{byte(talk)}), time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		c, _, err := s.OpenConversation(b.Context(), v.ID, uuid.New(), store.Contact{})
		if err != nil {
			b.Fatal(err)
		}
		for range (n + talks - 1) / talks {
			drafts = append(drafts, store.Draft{
				Conversation: c.ID, Author: store.Author{Kind: protocol.Visitor, ID: v.ID}, ClientID: uuid.New(),
				Body: redacted.New(chatter(random)),
			})
		}
	}
	for len(drafts) > 0 {
		size := min(len(drafts), store.MaxAppend)
		if _, err := s.Append(b.Context(), drafts[:size], anyone); err != nil {
			b.Fatal(err)
		}
		drafts = drafts[size:]
	}
}

func chatter(random *rand.Rand) string {
	var text strings.Builder
	for range 20 {
		x := random.Float64()
		fmt.Fprintf(&text, "word%d ", int(x*x*x*100_000))
	}
	return text.String()
}
