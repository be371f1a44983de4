// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// person is a visitor or an agent: somebody who reads and says things.
type person struct {
	name    string
	oracle  *oracle.Oracle
	random  *rand.Rand
	client  *client.Client
	session *client.Session
	reader  *oracle.Reader
	id      uuid.UUID
	// connections counts welcomes.
	connections atomic.Int64
	// outbox bounds what waits for an answer; sending is everything that does.
	outbox  chan struct{}
	sending sync.WaitGroup
	said    int
	// changing says that an edit or a deletion waits for its answer; own are messages that may be changed.
	mu       sync.Mutex
	changing bool
	own      []*protocol.Ack
	// kept are the messages that were ever in own.
	kept map[uuid.UUID]bool
}

// outboxSize is how much a person says without having been answered.
const outboxSize = 8

func newPerson(w *world, name string, index int) (*person, error) {
	c, err := w.service.client(fmt.Sprintf("203.0.113.%d:4711", index))
	return &person{
		name: name, oracle: w.oracle, client: c, reader: w.oracle.NewReader(name),
		random: repeatable(w.seed, index), outbox: make(chan struct{}, outboxSize),
		kept: map[uuid.UUID]bool{},
	}, err
}

// attend connects the person until ctx ends; event is told of what the oracle has seen.
func (p *person) attend(ctx context.Context, who client.Credentials, event func(*protocol.Event)) {
	p.id = who.ID
	p.session = p.client.NewSession(who, client.Observer{
		Welcome:  func(*protocol.Welcome) { p.connections.Add(1) },
		Event:    func(f *protocol.Event) { p.reader.Event(f); event(f) },
		CaughtUp: p.reader.CaughtUp,
		Reset:    p.reader.Reset,
	})
	go func() {
		if err := p.session.Run(ctx); ctx.Err() == nil {
			p.oracle.Violated("%s was turned away for good: %v", p.name, err)
		}
	}()
}

// say sends the person's next message, without waiting for the answer, unless too much waits already.
func (p *person) say(ctx context.Context, conversation uuid.UUID) {
	p.said++
	m := oracle.Message{Conversation: conversation, Author: p.id, ClientID: uuid.New(), Body: p.text()}
	p.oracle.Sending(m)
	again := p.random.IntN(20) == 0
	p.sending.Go(func() {
		defer func() { <-p.outbox }()
		p.send(ctx, m)
		if again {
			// As if the acknowledgement had not been heard.
			p.send(ctx, m)
		}
	})
}

// text is numbered, and of very different lengths.
func (p *person) text() string {
	const long = 600
	return fmt.Sprintf("%s %d %s", p.name, p.said, strings.Repeat("x", p.random.IntN(long)))
}

func (p *person) send(ctx context.Context, m oracle.Message) {
	ack, err := p.session.SendAs(ctx, m.Conversation, m.ClientID, m.Body)
	switch {
	case err == nil:
		p.oracle.Acknowledged(ack)
		p.keep(ack)
	case ctx.Err() == nil:
		p.oracle.Violated("conversation %s: message %s of %s was refused: %v", m.Conversation, m.ClientID, p.name, err)
	}
}

// maySpeak takes a place in the outbox, waiting for one until ctx ends.
func (p *person) maySpeak(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case p.outbox <- struct{}{}:
		return true
	}
}

// visitor is a person with a conversation.
type visitor struct {
	*person
	who          client.Credentials
	conversation uuid.UUID
}

// live is a visitor's whole visit: come after a while, open a conversation and talk for as long as talking lasts.
func (v *visitor) live(alive, talking context.Context, after time.Duration, joined func(*visitor)) {
	pause(talking, after)
	if !v.enter(alive) {
		return
	}
	v.attend(alive, v.who, func(*protocol.Event) {})
	opened, err := v.session.Open(alive, &protocol.Contact{Name: protocol.NewText(v.name)})
	if err != nil {
		if alive.Err() == nil {
			v.oracle.Violated("%s may not open a conversation: %v", v.name, err)
		}
		return
	}
	v.conversation = opened.Conversation
	joined(v)
	for talking.Err() == nil && v.maySpeak(talking) {
		// That it cannot be said while there is no connection does not matter: it is not worth keeping.
		_ = v.session.Type(v.conversation, true)
		if v.random.IntN(8) > 0 || !v.change(alive) {
			v.say(alive, v.conversation)
		}
		const shortest, longest = 200 * ms, 1200 * ms
		pause(talking, within(v.random, shortest, longest))
		if v.random.IntN(100) == 0 {
			v.session.Reconnect()
		}
	}
	v.sending.Wait()
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
