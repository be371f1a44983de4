// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/store"
)

// The stores below each break one promise that a server rests on, to show that FuzzTheProtocol notices.

// stuttering gives every message but the first the place of the one before.
type stuttering struct{ *memory }

func (s stuttering) Append(ctx context.Context, d []store.Draft, permit store.Permit) (store.Appended, error) {
	appended, err := s.memory.Append(ctx, d, permit)
	for i := range appended.Outcomes {
		if e := &appended.Outcomes[i].Event; e.Seq > 1 {
			e.Seq--
		}
	}
	return appended, err
}

// hasty says that messages are stored, which it then forgets.
type hasty struct{ *memory }

func (h hasty) Append(ctx context.Context, d []store.Draft, permit store.Permit) (store.Appended, error) {
	appended, err := h.memory.Append(ctx, d, permit)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range appended.Outcomes {
		e := appended.Outcomes[i].Event
		if c := h.conversations[e.Conversation]; c != nil && !appended.Outcomes[i].Duplicate {
			c.Head--
			c.events = c.events[:c.Head]
			delete(h.stored, place{h.epoch, e.Conversation, e.Seq})
		}
	}
	return appended, err
}

// gossiping takes every conversation for that of the visitor who asks.
type gossiping struct{ *memory }

func (g gossiping) VisitorConversations(_ context.Context, visitor uuid.UUID) ([]store.Conversation, error) {
	list := g.list(everything)
	for i := range list {
		list[i].Visitor = visitor
	}
	return list, nil
}

// rewinding shows, where the second event is, the first again.
type rewinding struct{ *memory }

func (r rewinding) EventsAfter(ctx context.Context, after []store.Position, limit int) ([]store.Event, error) {
	events, err := r.memory.EventsAfter(ctx, after, limit)
	for i := range events {
		if events[i].Seq == 2 {
			first, _ := r.memory.EventsAfter(ctx, []store.Position{{Conversation: events[i].Conversation}}, 1)
			events[i] = first[0]
			events[i].Seq = 2
		}
	}
	return events, err
}

// forgetful does not know what it has stored already.
type forgetful struct{ *memory }

func (f forgetful) Append(ctx context.Context, d []store.Draft, permit store.Permit) (store.Appended, error) {
	for i := range d {
		d[i].ClientID = uuid.New()
	}
	return f.memory.Append(ctx, d, permit)
}

// timeless does not notice that it was restored.
type timeless struct{ *memory }

func (t timeless) Append(ctx context.Context, d []store.Draft, permit store.Permit) (store.Appended, error) {
	appended, err := t.memory.Append(ctx, d, permit)
	appended.Epoch = 1
	return appended, err
}

func (timeless) Epoch(context.Context) (int64, error) { return 1, nil }

func (timeless) KnownEpoch() int64 { return 1 }

// What participants do in a script, by who.
func connects(who byte) string       { return string([]byte{0, who}) }
func greets(who byte) string         { return string([]byte{1, who}) }
func opens(who byte) string          { return string([]byte{3, who}) }
func says(who, where byte) string    { return string([]byte{4, who, where, 'a'}) }
func saysAgain(who byte) string      { return string([]byte{5, who}) }
func isRestored(keeping byte) string { return string([]byte{15, keeping}) }

func TestTheFuzzTargetNoticesABrokenServer(t *testing.T) {
	const visitor, agent, stranger = 0, 2, 3
	begin := connects(visitor) + greets(visitor) + opens(visitor)
	// Who opens a conversation waits until everything asked before is answered.
	talk := begin + says(visitor, 1) + says(visitor, 1) + says(visitor, 1) + opens(visitor)
	for name, c := range map[string]struct {
		breaking     func(*memory) conversation.Store
		script, want string
	}{
		"two messages in one place": {func(m *memory) conversation.Store { return stuttering{m} }, talk, " and "},
		"an acknowledgement of nothing": {
			func(m *memory) conversation.Store { return hasty{m} }, begin + says(visitor, 1), "is stored",
		},
		"an event in another's room": {
			func(m *memory) conversation.Store { return gossiping{m} },
			talk + connects(stranger) + greets(stranger) + opens(stranger) + says(stranger, 3), "another's conversation",
		},
		"an event that comes again": {
			func(m *memory) conversation.Store { return rewinding{m} },
			// What was restored is in no cache.
			talk + isRestored(3) + says(visitor, 1) + opens(visitor) + connects(agent) + greets(agent), "is stored",
		},
		"a message sent again that is doubled": {
			func(m *memory) conversation.Store { return forgetful{m} }, talk + saysAgain(visitor), "is at",
		},
		"a restore that nobody is told of": {
			func(m *memory) conversation.Store { return timeless{m} },
			talk + isRestored(1) + says(visitor, 1), " and ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if faults := perform(t, []byte(c.script), honest); len(faults) > 0 {
				t.Errorf("an honest server is blamed: %q", faults)
			}
			faults := strings.Join(perform(t, []byte(c.script), c.breaking), "\n")
			if !strings.Contains(faults, c.want) {
				t.Errorf("noticed %q, not %q", faults, c.want)
			}
		})
	}
}
