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
	// home is a visitor's conversation; lost says that a restore took that away, or the person.
	home uuid.UUID
	lost atomic.Bool
}

// outboxSize is how much a person says without having been answered.
const outboxSize = 8

func newPerson(w *world, name string, index int) (*person, error) {
	c, err := newClient(w, fmt.Sprintf("203.0.113.%d:4711", index), index)
	return &person{
		name: name, oracle: w.oracle, client: c, reader: w.oracle.NewReader(name),
		random: repeatable(w.seed, index), outbox: make(chan struct{}, outboxSize),
		kept: map[uuid.UUID]bool{},
	}, err
}

// newClient lets a share of people do without WebSockets, evenly spread.
func newClient(w *world, source string, index int) (*client.Client, error) {
	const step, all = 7, 10
	if float64(index*step%all) < *streamsFlag*all {
		return w.proxies.client(w.t, source)
	}
	return w.service.client(source)
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
			p.refused("a connection", err, p.id)
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
		p.refused(fmt.Sprintf("conversation %s: message %s", m.Conversation, m.ClientID), err, m.Conversation)
		p.oracle.Withdrawn(m.ClientID)
	case p.lost.Load():
		p.oracle.Withdrawn(m.ClientID)
	}
}

// refused has the oracle judge that something was refused for good, which is right if what it is for is missing.
func (p *person) refused(what string, err error, missing uuid.UUID) {
	what = fmt.Sprintf("%s of %s was refused: %v", what, p.name, err)
	var refusal *client.Error
	switch {
	case !errors.As(err, &refusal):
		p.oracle.Violated("%s", what)
	case refusal.Code == protocol.Unauthenticated:
		p.lost.Store(true)
		p.oracle.Refused(p.id, what)
	case refusal.Code == protocol.NotFound:
		if missing == p.home {
			p.lost.Store(true)
		}
		p.oracle.Refused(missing, what)
	default:
		p.oracle.Violated("%s", what)
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
