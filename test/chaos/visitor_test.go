// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"errors"
	"time"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// visitor is a person with a conversation.
type visitor struct {
	*person
	who client.Credentials
}

// live is a visitor's whole visit: open a conversation and talk for as long as talking lasts. It ends earlier if a
// restore takes the visitor away or the conversation.
func (v *visitor) live(alive, talking context.Context, joined func(*visitor)) {
	if !v.enter(alive) {
		return
	}
	// What is left of the visitor stays and reads, unless it is lost.
	var leave context.CancelFunc
	alive, leave = context.WithCancel(alive)
	defer func() {
		if v.lost.Load() {
			leave()
		}
		v.sending.Wait()
	}()
	v.attend(alive, v.who, func(*protocol.Event) {})
	opened, err := v.session.Open(alive, &protocol.Contact{Name: protocol.NewText(v.name)})
	if err != nil {
		if alive.Err() == nil {
			v.refused("a conversation", err, v.id)
		}
		return
	}
	v.home = opened.Conversation
	joined(v)
	for talking.Err() == nil && !v.lost.Load() && v.maySpeak(talking) {
		// That it cannot be said while there is no connection does not matter: it is not worth keeping.
		_ = v.session.Type(v.home, true)
		if v.random.IntN(8) > 0 || !v.change(alive) {
			v.say(alive, v.home)
		}
		const shortest, longest = 200 * ms, 1200 * ms
		pause(talking, within(v.random, shortest, longest))
		if v.random.IntN(100) == 0 {
			v.session.Reconnect()
		}
	}
}

// enter asks for a visitor's identity until it is given one.
func (v *visitor) enter(ctx context.Context) bool {
	for ctx.Err() == nil {
		who, err := v.client.NewVisitor(ctx)
		if err == nil {
			v.who = who
			return true
		}
		var refusal *client.Error
		if errors.As(err, &refusal) && !mayPass(refusal.Code) {
			v.oracle.Violated("%s is refused an identity: %v", v.name, err)
			return false
		}
		pause(ctx, within(v.random, 200*ms, time.Second))
	}
	return false
}

func mayPass(c protocol.Code) bool {
	return c == protocol.Unavailable || c == protocol.RateLimited || c == protocol.Internal
}
