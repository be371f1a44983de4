// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// agent is a person who answers visitors.
type agent struct {
	*person
	who client.Credentials
	// share and of say which messages are this agent's to answer.
	share, of int
	questions chan uuid.UUID
}

// come connects the agent.
func (a *agent) come(alive context.Context) {
	a.attend(alive, a.who, func(f *protocol.Event) {
		if f.Author.Kind != protocol.Visitor || int(f.ID[15])%(2*a.of) != a.share {
			return
		}
		select {
		case a.questions <- f.Conversation:
		default: // Nobody can answer everything.
		}
	})
}

// answer answers for as long as talking lasts.
func (a *agent) answer(alive, talking context.Context) {
	for {
		select {
		case <-talking.Done():
			a.sending.Wait()
			return
		case conversation := <-a.questions:
			seen := a.reader.Seen(conversation)
			_ = a.session.Confirm(conversation, seen, seen)
			if a.maySpeak(talking) {
				a.say(alive, conversation)
			}
			pause(talking, 50*ms)
		}
	}
}
