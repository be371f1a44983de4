// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// BenchmarkACrowdOfVisitorsTurnsUp measures what ten thousand visitors who come in one interval cost a replica with a
// hundred agents, each of whom knows them all: noting it, and making the frames.
func BenchmarkACrowdOfVisitorsTurnsUp(b *testing.B) {
	const visitors, agents = 10_000, 100
	for b.Loop() {
		b.StopTimer()
		e := &Engine{hub: newHub(), presence: newPresence(testGrace)}
		crowd, conversations := make([]person, visitors), make([]uuid.UUID, visitors)
		for i := range crowd {
			crowd[i], conversations[i] = person{Kind: protocol.Visitor, ID: uuid.New()}, uuid.New()
		}
		watchers := make([]*Subscription, agents)
		for i := range watchers {
			watchers[i] = listening(conversations...)
			watchers[i].engine = e
			e.hub.add(watchers[i])
			for v, who := range crowd {
				watchers[i].follow(conversations[v], who)
			}
			if _, err := watchers[i].takeNotices(); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		now := time.Unix(1e9, 0)
		for _, who := range crowd {
			e.presence.came(who, now)
		}
		moved, _ := e.presence.settle(now)
		e.hub.tellMoved(moved, true)
		frames := 0
		for _, s := range watchers {
			out, err := s.takeNotices()
			if err != nil {
				b.Fatal(err)
			}
			frames += len(out)
		}
		if want := agents * visitors / protocol.MaxPeople; frames != want {
			b.Fatalf("%d frames, want %d", frames, want)
		}
	}
}
