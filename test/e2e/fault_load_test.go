// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	chat "github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

const (
	conversationsUnderLoad = 3
	// sendEvery keeps the machine free for what is being tested: a hundred messages lost would show as well as thousands.
	sendEvery = 50 * time.Millisecond
)

// load is a number of people who talk until they are told to stop, and remember what was acknowledged.
type load struct {
	people        []*attendance
	conversations []uuid.UUID
	stop          func()

	mu    sync.Mutex
	acked map[uuid.UUID][]promise
}

// promise is an acknowledged message: the server said that it is on disk, at this place in the order.
type promise struct {
	seq  int64
	body string
}

// startLoad has visitors and two agents talk, each visitor in a conversation of their own and the agents in all.
func startLoad(t *testing.T, name string) *load {
	t.Helper()
	tenant := getTenant(t, name)
	c := endpoint(t, tenant)
	ctx, stop := context.WithCancel(t.Context())
	var talking sync.WaitGroup
	l := &load{acked: map[uuid.UUID][]promise{}, stop: func() { stop(); talking.Wait() }}
	t.Cleanup(l.stop)
	agents := []*attendance{newAgent(t, c, tenant), newAgent(t, c, tenant)}
	l.people = append(l.people, agents...)
	for i := range conversationsUnderLoad {
		conversation := l.addVisitor(t, c)
		speakers := append(slices.Clone(agents), l.people[len(l.people)-1])
		for j, speaker := range speakers {
			who := fmt.Sprintf("conversation %d, speaker %d", i, j)
			talking.Go(func() { l.talk(ctx, speaker, conversation, who) })
		}
	}
	return l
}

func (l *load) addVisitor(t *testing.T, c *chat.Client) uuid.UUID {
	t.Helper()
	visitor := newVisitor(t, c)
	opened, err := visitor.Open(t.Context(), nil)
	if err != nil {
		t.Fatalf("open a conversation: %v", err)
	}
	l.people = append(l.people, visitor)
	l.conversations = append(l.conversations, opened.Conversation)
	return opened.Conversation
}

// talk sends one message after the other. The client resends what was not answered under the same id.
func (l *load) talk(ctx context.Context, speaker *attendance, conversation uuid.UUID, who string) {
	for i := 0; ctx.Err() == nil; i++ {
		body := fmt.Sprintf("%s, message %d", who, i)
		ack, err := speaker.Send(ctx, conversation, body)
		if err == nil {
			l.mu.Lock()
			l.acked[conversation] = append(l.acked[conversation], promise{ack.Seq, body})
			l.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(sendEvery):
		}
	}
}

// promised counts the acknowledged messages of each conversation.
func (l *load) promised() map[uuid.UUID]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[uuid.UUID]int{}
	for conversation, promises := range l.acked {
		counts[conversation] = len(promises)
	}
	return counts
}

// goesOn waits until every conversation has a number of messages more than now.
func (l *load) goesOn(t *testing.T, more int) {
	t.Helper()
	before := l.promised()
	start := time.Now()
	eventually(t, startPatience, "the conversations go on", func(context.Context) error {
		now := l.promised()
		for _, conversation := range l.conversations {
			if now[conversation] < before[conversation]+more {
				return errors.New("one of them stands still")
			}
		}
		return nil
	})
	t.Logf("%d more messages in each conversation after %.1f s", more, time.Since(start).Seconds())
}

// kept compares what was acknowledged with what a reader who came later finds, and with what everyone read meanwhile.
func (l *load) kept(t *testing.T, later *attendance) {
	t.Helper()
	total := 0
	for _, conversation := range l.conversations {
		promises := l.acked[conversation]
		slices.SortFunc(promises, func(a, b promise) int { return int(a.seq - b.seq) })
		last := promises[len(promises)-1].seq
		transcript := later.awaitEvents(t, conversation, int(last))
		l.promisesKept(t, promises, transcript)
		for _, reader := range l.people {
			sameOrder(t, transcript, reader.transcript(conversation))
		}
		total += len(promises)
	}
	t.Logf("%d messages were acknowledged in %d conversations and are there, once and in order",
		total, len(l.conversations))
}

// promisesKept checks that every acknowledged message is where it was said to be, and nowhere else.
func (l *load) promisesKept(t *testing.T, promises []promise, transcript []*protocol.Event) {
	t.Helper()
	places := map[string][]int64{}
	for i, event := range transcript {
		if event.Seq != int64(i)+1 {
			t.Errorf("place %d holds event %d", i+1, event.Seq)
		}
		places[event.Body.Reveal()] = append(places[event.Body.Reveal()], event.Seq)
	}
	for body, seqs := range places {
		if len(seqs) > 1 {
			t.Errorf("%q is there %d times, at %v", body, len(seqs), seqs)
		}
	}
	for _, p := range promises {
		if got := places[p.body]; len(got) != 1 || got[0] != p.seq {
			t.Errorf("%q was acknowledged at %d and is found at %v", p.body, p.seq, got)
		}
	}
}

// sameOrder checks that what a reader saw live is how the transcript begins. Somebody who may not read it saw nothing.
func sameOrder(t *testing.T, transcript, seen []*protocol.Event) {
	t.Helper()
	for i, event := range seen {
		if i < len(transcript) && event.ID != transcript[i].ID {
			t.Fatalf("place %d: a reader saw %s, the transcript has %s", i+1, event.ID, transcript[i].ID)
		}
	}
}
