// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package search_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/search"
	"github.com/chattenant/chattenant/chatserver/store"
)

var (
	anAgent = identity.Principal{Kind: protocol.Agent, ID: uuid.New()}
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

// shelf is a store whose candidates are given; it counts how often it is looked at.
type shelf struct {
	// texts are of messages a minute apart, newest first.
	texts []string
	looks int
	// endless says that there are always older ones.
	endless bool
}

func (s *shelf) FindMessages(_ context.Context, q *store.MessageQuery) (store.Found, error) {
	s.looks++
	var found store.Found
	for i, text := range s.texts {
		at := noon.Add(-time.Duration(i) * time.Minute)
		if !q.Before.At.IsZero() && !at.Before(q.Before.At) {
			continue
		}
		if len(found.Hits) == q.Limit {
			last := found.Hits[len(found.Hits)-1]
			found.Next = &store.Spot{At: last.At, ID: last.Message}
			return found, nil
		}
		found.Hits = append(found.Hits, store.Hit{Message: uuid.New(), Seq: 1, At: at, Text: redacted.New(text)})
	}
	if s.endless {
		found.Next = &store.Spot{At: noon.AddDate(-s.looks, 0, 0)}
	}
	return found, nil
}

func (s *shelf) FindConversations(context.Context, store.ContactValue, store.Spot, int) (store.Found, error) {
	return store.Found{}, errors.New("not asked for")
}

func ask(t *testing.T, s *search.Service, text, before string) protocol.SearchAnswer {
	t.Helper()
	answer, err := s.Search(t.Context(), anAgent, &protocol.SearchRequest{Text: protocol.NewText(text), Before: before})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAHitReallyHasTheWords(t *testing.T) {
	s := search.NewService(&shelf{texts: []string{"red apples", "Äpfel, GRÜN", "green apples", "apples"}})
	var got []string
	for _, hit := range ask(t, s, "green APPLES", "").Hits {
		got = append(got, hit.Excerpt.Reveal())
	}
	if diff := cmp.Diff([]string{"green apples"}, got); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
}

func TestPagesHaveEveryHitOnceThoughCandidatesAreDropped(t *testing.T) {
	var texts, want []string
	for i := range 90 {
		text := fmt.Sprintf("number %d", i)
		if i%3 == 0 {
			// A candidate whose token is that of another word.
			text = "something else"
		} else {
			want = append(want, text)
		}
		texts = append(texts, text)
	}
	s := search.NewService(&shelf{texts: texts})
	var got []string
	before, pages := "", 0
	for {
		answer := ask(t, s, "number", before)
		for _, hit := range answer.Hits {
			got = append(got, hit.Excerpt.Reveal())
		}
		pages++
		if before = answer.Before; before == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	if pages != 3 {
		t.Errorf("%d hits came in %d pages", len(got), pages)
	}
}

func TestTheWorkForAnAnswerIsBounded(t *testing.T) {
	books := &shelf{endless: true}
	answer := ask(t, search.NewService(books), "needle", "")
	if books.looks != 4 || answer.Before == "" || len(answer.Hits) != 0 {
		t.Errorf("%d looks, %d hits, goes on: %v", books.looks, len(answer.Hits), answer.Before != "")
	}
}

func TestWhoMayNotSearchLooksAtNothing(t *testing.T) {
	books := &shelf{texts: []string{"needle"}}
	for _, p := range []identity.Principal{{Kind: protocol.Visitor, ID: uuid.New()}, {Kind: protocol.Visitor}, {}} {
		request := &protocol.SearchRequest{Text: protocol.NewText("needle")}
		if _, err := search.NewService(books).Search(t.Context(), p, request); !errors.Is(err, search.ErrForbidden) {
			t.Errorf("a %q is answered %v", p.Kind, err)
		}
	}
	if books.looks != 0 {
		t.Error("the messages were looked at")
	}
}

func TestExcerptsShowTheWordAndNotTheWholeMessage(t *testing.T) {
	filler := strings.Repeat("Überaus lange Vorrede. ", 40)
	tests := map[string]string{
		"short":               "a needle here",
		"in the middle":       filler + "the needle is here " + filler,
		"at the end":          filler + "needle",
		"at the beginning":    "needle " + filler,
		"several lines":       "one\n\n  needle\tthree",
		"without any spaces":  strings.Repeat("中文", 300) + " needle " + strings.Repeat("中文", 300),
		"of combined letters": strings.Repeat("e\u0301", 300) + " needle",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			hits := ask(t, search.NewService(&shelf{texts: []string{text}}), "needle", "").Hits
			if len(hits) != 1 {
				t.Fatalf("%d hits", len(hits))
			}
			got := hits[0].Excerpt.Reveal()
			if !strings.Contains(got, "needle") || !utf8.ValidString(got) || utf8.RuneCountInString(got) > 165 ||
				strings.ContainsAny(got, "\n\t") {
				t.Errorf("excerpt of %d characters: %q", utf8.RuneCountInString(got), got)
			}
		})
	}
}
